"""Losses of documents under a neural model: windows, batches, exact sums, resumable."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import LossCells
from icfast.corpus import Corpus
from icfast.corpus.documents import DocumentSet
from icfast.corpus.heldout import predicted_set_sha256
from icfast.corpus.word_counts import count_words
from icfast.errors import (
    ArtefactError,
    CorpusError,
    MergeError,
    OptionError,
    ResourceError,
)
from icfast.neural.checkpoint import Checkpoint, UnitSums
from icfast.neural.context_policy import WindowCounts, WindowPolicy
from icfast.neural.contexts import ShardWindows, Unit
from icfast.neural.feed import DeviceFeed, Feed, HostFeed, Pending, UnitBatches, zero_cells
from icfast.neural.model_record import ModelRecord
from icfast.neural.token_model import CPU, TokenModel, device_of, on_device
from icfast.parallel.threads import Work
from icfast.sums.by_position import PositionSums
from icfast.sums.kinds import Kind
from icfast.sums.loss import DocumentScores, add_halves
from icfast.units import format_bytes

#: Window of a model that takes any, where nobody says.
DEFAULT_WINDOW = 1024

#: Positions of one batch, or one window's: more only takes more memory.
_BATCH_POSITIONS = 1 << 13


@dataclass(frozen=True, eq=False, kw_only=True)
class TokenScores(DocumentScores):
    """Losses of each document under a neural model, and how they were come by.

    Attributes:
        policy: the windows they depend on.
        counts: what the policy made of the corpus.
        positions: the same losses by position in the document.
        model: whose they are.
        predicted_set_sha256: of the documents, as a split names its held-out ones: two losses are
            comparable only where it is the same, and the policy.
        resumed_units: units of work that a checkpoint held already.
        refused_files: what was wrong with files of the checkpoint; their units were computed anew.
    """

    policy: WindowPolicy
    counts: WindowCounts
    positions: PositionSums
    model: ModelRecord
    predicted_set_sha256: str
    resumed_units: int
    refused_files: tuple[str, ...]


def window_policy(
    corpus: Corpus,
    model: TokenModel,
    *,
    window: int | None = None,
    stride: int | None = None,
    bos: int | str | None = "auto",
    packed: bool = False,
    normaliser: str = "token",
) -> WindowPolicy:
    """The policy a model and a corpus are scored under.

    Args:
        window: tokens fed at most; by default the model's context, or 1024 where it has no end.
        stride: new targets of each later window; by default the window: each token is fed once.
        bos: an id, "none" (or None), or "auto": the model's, but none where every document of the
            corpus begins with it already.

    Raises:
        OptionError: an option has no meaning, or goes beyond the model.
    """
    longest = model.context
    if window is None:
        window = DEFAULT_WINDOW if longest is None else longest
    if longest is not None and window > longest:
        raise OptionError(f"window {window} is longer than the {longest} tokens the model takes")
    bos_id = _bos_id(corpus, model, bos)
    if bos_id is not None and bos_id >= model.vocab_size:
        raise OptionError(f"bos id {bos_id} is none of the model's {model.vocab_size}")
    stride = window if stride is None else stride
    return WindowPolicy(window, stride, bos_id, packed, normaliser)  # type: ignore[arg-type]


def _bos_id(corpus: Corpus, model: TokenModel, bos: int | str | None) -> int | None:
    if bos is None or bos == "none":
        return None
    if bos == "auto":
        own = model.bos_id
        return None if own is not None and _all_begin_with(corpus, own) else own
    if isinstance(bos, str) and bos.isdecimal():
        return int(bos)
    if isinstance(bos, int) and not isinstance(bos, bool):
        return bos
    raise OptionError(f"bos {bos!r} is neither auto, none nor an id")


def _all_begin_with(corpus: Corpus, token: int) -> bool:
    return all(
        bool((shard.tokens[corpus.documents_of(shard).starts] == token).all())
        for shard in corpus.shards
    )


def score_tokens(
    documents: DocumentSet,
    model: TokenModel,
    policy: WindowPolicy,
    work: Work,
    *,
    checkpoint: Checkpoint | None = None,
    name: str | None = None,
    batch: int | None = None,
) -> TokenScores:
    """Loss of each of the chosen documents; the sums do not depend on batches, threads or resuming,
    as far as the model's losses do not.

    Args:
        checkpoint: where finished units of work are kept and looked for; None: nowhere.
        name: what a checkpoint knows a model by that has no hash.
        batch: windows given to the model at once, at most; by default 8192 tokens of them. Fewer
            where memory does not hold them.

    Raises:
        MergeError: the corpus was written by another tokenizer than the model's.
        CorpusError: an id is none that the model predicts, or the text's bytes or words are not
            known.
        OptionError: a checkpoint of a model that has no hash and no name.
        ResourceError: memory does not hold one window.
    """
    if batch is not None and batch < 1:
        raise OptionError(f"batch {batch} must be at least 1 window")
    _refuse_strangers(documents.corpus, model)
    words = _check_normaliser(documents, policy)
    lane = model.lane() if on_device(model) else None
    memory = work.memory_bytes if lane is None else lane.memory_bytes
    positions = _positions_in_memory(model, policy, memory)
    wanted = _BATCH_POSITIONS if batch is None else batch * policy.window
    positions = min(positions, max(policy.window, wanted))
    feed = HostFeed(model, work) if lane is None else DeviceFeed(lane, model.name, positions)
    shards = [ShardWindows(part, policy) for part in documents.by_shard]
    run = _Run(model, feed, positions, batch or positions, checkpoint, name)
    cells = zero_cells(len(documents))
    by_position = PositionSums.zeros()
    total = sum(int((w.windows.end - w.windows.scored).sum()) for w in shards)
    done = 0
    for first, sums in run.units(shards):
        _add(cells, first, sums.documents)
        by_position += PositionSums(*sums.positions)
        done += int(sums.documents.counts.sum())
        work.progress("scoring", done, total)
    first = 0
    for shard in shards:
        _ignore_first_tokens(cells.counts[first:], shard)
        first += len(shard.part.starts)
    return _scores(documents, shards, cells, by_position, run, words, work)


def _refuse_strangers(corpus: Corpus, model: TokenModel) -> None:
    mine, its = corpus.tokenizer, model.tokenizer
    if corpus.tokenizer_sha256 is not None and model.tokenizer_sha256 is not None:
        if corpus.tokenizer_sha256 == model.tokenizer_sha256:
            return
    elif mine is None or its is None or mine == its:
        return
    raise MergeError(
        f"the corpus was written by tokenizer {mine!r}, the model reads that of {its!r}; a loss "
        "between them means nothing"
    )


def _check_normaliser(documents: DocumentSet, policy: WindowPolicy) -> int | None:
    """The words of the text, where they are asked for."""
    if policy.normaliser == "byte" and documents.text_bytes is None:
        raise CorpusError(
            "the bytes of the text are not known, so there is no loss per byte; corpora made by "
            "`icfast tokenize` record them"
        )
    if policy.normaliser != "word":
        return None
    words = count_words(documents)
    if words is None:
        raise CorpusError(
            "the words of the text are not known, so there is no loss per word; they are counted "
            "where the ids are the text's bytes (`icfast tokenize --tokenizer bytes`)"
        )
    return words


def _positions_in_memory(model: TokenModel, policy: WindowPolicy, memory_bytes: int) -> int:
    """Positions that memory holds at once."""
    positions = memory_bytes // max(1, model.bytes_per_token)
    if positions < policy.window:
        needed = format_bytes(policy.window * model.bytes_per_token)
        where = device_of(model)
        more = "give more (--memory)" if where == CPU else f"free some on {where}"
        raise ResourceError(
            f"a window of {policy.window} tokens takes {needed} in {model.name}, memory is "
            f"{format_bytes(memory_bytes)}; {more}, or a shorter --window"
        )
    return positions


@dataclass
class _Run:
    """What every unit of work is done with, and what became of the checkpoint."""

    model: TokenModel
    feed: Feed
    positions: int
    most: int
    checkpoint: Checkpoint | None
    name: str | None
    resumed: int = 0
    refused: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        model = self.model
        if self.checkpoint is not None and model.sha256 is None and self.name is None:
            raise OptionError(
                f"{model.name} has no hash that tells its checkpoint from another model's; give it "
                "a name that no other has (name=), or score without checkpoint"
            )

    def units(self, shards: Sequence[ShardWindows]) -> Iterator[tuple[int, UnitSums]]:
        """The sums of each unit in order, and which document of all is its first."""
        waiting: deque[tuple[int, Pending]] = deque()
        first = 0
        for shard in shards:
            for unit in shard.units():
                waiting.append((first + unit.first_document, self._begin(shard, unit)))
                while len(waiting) > self.feed.ahead:
                    document, pending = waiting.popleft()
                    yield document, pending()
            first += len(shard.part.starts)
        for document, pending in waiting:
            yield document, pending()

    def _begin(self, shard: ShardWindows, unit: Unit) -> Pending:
        """The sums of a unit: read where they were kept, else computed and kept."""
        if self.checkpoint is None:
            return self._sums(shard, unit)
        key = self._key(shard, unit)
        try:
            kept = self.checkpoint.load(key)
            if kept is not None and not _is_of(kept, shard, unit):
                raise ArtefactError(
                    f"{self.checkpoint.path(key)} counts other tokens than its unit"
                )
        except ArtefactError as error:
            self.refused += (str(error),)
            kept = None
        if kept is not None:
            self.resumed += 1
            return partial(_itself, kept)
        return partial(_keep, self.checkpoint, key, self._sums(shard, unit))

    def _key(self, shard: ShardWindows, unit: Unit) -> dict[str, Any]:
        model, policy = self.model, asdict(shard.policy)
        del policy["normaliser"]  # sums do not depend on it
        device = device_of(model).partition(":")[0]
        return {
            "version": 1,
            "shard_sha256": shard.part.shard.digest(),
            "documents_sha256": shard.documents_sha256,
            "unit": list(unit),
            "policy": policy,
            "model": model.sha256 or f"name {self.name}",
            "vocab_size": model.vocab_size,
            "compute_format": model.compute_format,
            "logits_format": model.logits_format,
            **({} if device == CPU else {"device": device}),
        }

    def _sums(self, shard: ShardWindows, unit: Unit) -> Pending:
        return self.feed.sums(
            UnitBatches(
                shard.batches(unit, self.model.vocab_size, self.positions, self.most),
                unit.last_document - unit.first_document,
                shard.bins(unit),
                f"windows {unit.first}..{unit.last - 1} of {shard.part.shard.path}",
            )
        )


def _itself(sums: UnitSums) -> UnitSums:
    return sums


def _keep(checkpoint: Checkpoint, key: dict[str, Any], pending: Pending) -> UnitSums:
    sums = pending()
    checkpoint.save(key, sums)
    return sums


def _is_of(sums: UnitSums, shard: ShardWindows, unit: Unit) -> bool:
    """Whether sums have the documents of a unit, and each of its targets once both ways."""
    chosen = slice(unit.first, unit.last)
    targets = int((shard.windows.end - shard.windows.scored)[chosen].sum())
    counted = [int(cells.counts.sum()) for cells in sums]
    documents = unit.last_document - unit.first_document
    return len(sums.documents.low) == documents and counted == [targets, targets]


def _add(cells: LossCells, first: int, more: LossCells) -> None:
    here = slice(first, first + len(more.low))
    add_halves(cells.low[here], cells.high[here], more.low, more.high)
    cells.counts[here] += more.counts


def _ignore_first_tokens(counts: NDArray[np.uint64], shard: ShardWindows) -> None:
    """Count the tokens that are no target as ignored, each in its document."""
    if shard.policy.bos_id is None:
        np.add.at(counts[:, Kind.IGNORED], shard.documents_of(shard.first_tokens), np.uint64(1))


def _scores(
    documents: DocumentSet,
    shards: list[ShardWindows],
    cells: LossCells,
    by_position: PositionSums,
    run: _Run,
    words: int | None,
    work: Work,
) -> TokenScores:
    counts, ignored = cells.counts, cells.counts[:, Kind.IGNORED]
    windows = [shard.windows for shard in shards]
    return TokenScores(
        shards=documents.shard_names,
        shard=documents.shard_numbers,
        document=documents.numbers,
        predicted_tokens=counts.sum(axis=1, dtype=np.uint64) - ignored,
        oov=np.zeros(len(documents), np.uint64),  # ids beyond the model are refused
        infinite=counts[:, Kind.INFINITE],
        low=cells.low,
        high=cells.high,
        ignored=ignored,
        nan=counts[:, Kind.NAN],
        out_of_range=counts[:, Kind.OUT_OF_RANGE],
        huge=counts[:, Kind.HUGE],
        text_bytes=documents.text_bytes,
        words=words,
        policy=shards[0].policy,
        counts=WindowCounts(
            windows=sum(map(len, windows)),
            predicted_tokens=sum(int((w.end - w.scored).sum()) for w in windows),
            context_tokens=sum(int((w.scored - w.begin).sum()) for w in windows),
            first_tokens_not_predicted=int(ignored.sum()),
            text_bytes=documents.text_bytes,
            words=words,
        ),
        positions=by_position,
        model=ModelRecord.of(run.model),
        predicted_set_sha256=predicted_set_sha256(documents, work.backend.kernels),
        resumed_units=run.resumed,
        refused_files=run.refused,
    )
