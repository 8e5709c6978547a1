"""Losses of documents under a neural model: contexts, batches, exact sums, checkpoints."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
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
    IcfastError,
    MergeError,
    OptionError,
    ResourceError,
)
from icfast.laws.loss import bits_per_token
from icfast.neural.checkpoint import Checkpoint, ChunkSums
from icfast.neural.context_policy import ContextCounts, ContextPolicy, ResolvedPolicy
from icfast.neural.contexts import ContextChunk, ShardContexts
from icfast.neural.loss_device import (
    BatchScorer,
    ChunkBatches,
    DeviceScorer,
    HostScorer,
    PendingSums,
    on_device,
    zero_cells,
)
from icfast.neural.token_model import CPU, ModelRecord, TokenModel, device_of
from icfast.notebook import facts_html
from icfast.parallel.mapped_file import refuses_changes
from icfast.parallel.threads import Work
from icfast.sums.by_position import PositionSums
from icfast.sums.kinds import Kind
from icfast.sums.loss import DocumentScores, add_halves
from icfast.units import format_bytes, format_count, format_fixed

#: Default number of positions in a batch; larger batches only use more memory.
_BATCH_POSITIONS = 1 << 13


@dataclass(frozen=True, eq=False, kw_only=True, repr=False)
class NeuralScores(DocumentScores):
    """Losses of each document under a neural model, with the policy that they depend on.

    Attributes:
        policy: context policy of the losses.
        counts: numbers of contexts and tokens under the policy.
        positions: the losses by position in the document.
        model: record of the model.
        predicted_set_sha256: SHA-256 of the set of documents, as a split names its held-out side.
            Two losses are comparable only if this digest and the policy are equal.
        resumed_units: number of chunks that were read from the checkpoint.
        refused_files: problems of checkpoint files; their chunks were computed again.
    """

    policy: ResolvedPolicy
    counts: ContextCounts
    positions: PositionSums
    model: ModelRecord
    predicted_set_sha256: str
    resumed_units: int
    refused_files: tuple[str, ...]

    def __repr__(self) -> str:
        return f"NeuralScores({self.model.label}, {self.policy.name}, {self.total!r})"

    def _repr_html_(self) -> str:
        total = self.total
        try:
            bits: float | None = bits_per_token(total)
        except IcfastError:
            bits = None
        facts = {
            "loss in bits per token": format_fixed(bits),
            "predicted tokens": format_count(total.predicted_tokens),
            "documents": format_count(total.documents),
            "contexts": format_count(self.counts.windows),
            "policy": self.policy.name,
            "logits": self.model.logits_format,
        }
        return facts_html(f"Loss under {self.model.label}", facts)


@refuses_changes
def score_tokens(
    documents: DocumentSet,
    model: TokenModel,
    policy: ContextPolicy,
    work: Work,
    *,
    checkpoint: Checkpoint | None = None,
    name: str | None = None,
    batch: int | None = None,
) -> NeuralScores:
    """Return the loss of each document under a neural model.

    The sums are exact integers. They depend on the model's losses, not on batches, threads or
    interruptions.

    Args:
        checkpoint: folder for finished chunks, from which an interrupted run resumes; or None.
        name: name of the model in the checkpoint if the model has no SHA-256.
        batch: maximum number of contexts in a batch, fewer if memory is short; the default is 8192
            tokens of them.

    Raises:
        MergeError: the corpus was written by another tokenizer than the model's.
        CorpusError: an id is outside the model's vocabulary, or the normaliser needs the bytes or
            words of the text and they are unknown.
        OptionError: an option is invalid, or a checkpoint needs a name for the model.
        ResourceError: memory is too small for one context.
    """
    if batch is not None and batch < 1:
        raise OptionError(f"batch must be at least 1 context; found {batch}")
    resolved = policy.resolve(documents.corpus, model)
    _refuse_other_tokenizer(documents.corpus, model)
    words = _check_normaliser(documents, resolved)
    scorer, positions = _scorer(model, resolved, batch, work)
    shards = [ShardContexts(part, resolved) for part in documents.by_shard]
    run = _ChunkRunner(model, scorer, positions, batch or positions, checkpoint, name)
    cells = zero_cells(len(documents))
    by_position = PositionSums.zeros()
    total = sum(int((s.contexts.end - s.contexts.scored).sum()) for s in shards)
    done = 0
    for first, sums in run.results(shards):
        _add(cells, first, sums.documents)
        by_position += PositionSums(*sums.positions)
        done += int(sums.documents.counts.sum())
        work.progress("scoring", done, total)
    first = 0
    for shard in shards:
        _count_first_tokens(cells.counts[first:], shard)
        first += len(shard.part.starts)
    return _scores(documents, shards, cells, by_position, run, words, work)


def _refuse_other_tokenizer(corpus: Corpus, model: TokenModel) -> None:
    written, read = corpus.tokenizer, model.tokenizer
    if corpus.tokenizer_sha256 is not None and model.tokenizer_sha256 is not None:
        if corpus.tokenizer_sha256 == model.tokenizer_sha256:
            return
    elif written is None or read is None or written == read:
        return
    raise MergeError(
        f"the corpus was written by tokenizer {written!r}, but {model.name} uses {read!r}. "
        "Its loss would be meaningless. Tokenise the text with the model's tokenizer"
    )


def _check_normaliser(documents: DocumentSet, policy: ResolvedPolicy) -> int | None:
    """Return the number of words of the text if the normaliser needs it."""
    if policy.normaliser == "byte" and documents.text_bytes is None:
        raise CorpusError(
            "the loss per byte needs the bytes of the text, which are unknown. `icfast tokenize` "
            "records them"
        )
    if policy.normaliser != "word":
        return None
    words = count_words(documents)
    if words is None:
        raise CorpusError(
            "the loss per word needs the words of the text, which are unknown. icfast counts them "
            "if the ids are bytes (`icfast tokenize --tokenizer bytes`)"
        )
    return words


def _scorer(
    model: TokenModel, policy: ResolvedPolicy, batch: int | None, work: Work
) -> tuple[BatchScorer, int]:
    """Return the scorer of a model's batches, and the maximum number of positions in a batch."""
    device = model.loss_device() if on_device(model) else None
    memory = work.memory_bytes if device is None else device.memory_bytes
    positions = _positions_in_memory(model, policy, memory)
    wanted = _BATCH_POSITIONS if batch is None else batch * policy.window
    positions = min(positions, max(policy.window, wanted))
    if device is None:
        return HostScorer(model, work), positions
    return DeviceScorer(device, model.name, positions), positions


def _positions_in_memory(model: TokenModel, policy: ResolvedPolicy, memory_bytes: int) -> int:
    """Return the number of positions that fit in memory."""
    positions = memory_bytes // max(1, model.bytes_per_token)
    if positions < policy.window:
        needed = format_bytes(policy.window * model.bytes_per_token)
        where = device_of(model)
        more = "Pass more --memory" if where == CPU else f"Free memory on {where}"
        raise ResourceError(
            f"a context of {policy.window} tokens takes {needed} in {model.name}, but only "
            f"{format_bytes(memory_bytes)} are available. {more} or a shorter --window"
        )
    return positions


@dataclass
class _ChunkRunner:
    """Computation of chunks, or their reading from a checkpoint."""

    model: TokenModel
    scorer: BatchScorer
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
                f"{model.name} has no SHA-256, so its checkpoint could be confused with another "
                "model's. Pass a unique name=, or score without a checkpoint"
            )

    def results(self, shards: Sequence[ShardContexts]) -> Iterator[tuple[int, ChunkSums]]:
        """Yield the sums of each chunk in order, with the number of its first document."""
        waiting: deque[tuple[int, PendingSums]] = deque()
        first = 0
        for shard in shards:
            for chunk in shard.chunks():
                waiting.append((first + chunk.first_document, self._begin(shard, chunk)))
                while len(waiting) > self.scorer.ahead:
                    document, pending = waiting.popleft()
                    yield document, pending()
            first += len(shard.part.starts)
        for document, pending in waiting:
            yield document, pending()

    def _begin(self, shard: ShardContexts, chunk: ContextChunk) -> PendingSums:
        """Return the sums of a chunk from the checkpoint, or compute and save them."""
        checkpoint = self.checkpoint
        if checkpoint is None:
            return self._sums(shard, chunk)
        key = self._key(shard, chunk)
        kept = self._load(checkpoint, key, shard, chunk)
        if kept is not None:
            self.resumed += 1
            return lambda: kept
        pending = self._sums(shard, chunk)

        def save() -> ChunkSums:
            sums = pending()
            checkpoint.save(key, sums)
            return sums

        return save

    def _load(
        self,
        checkpoint: Checkpoint,
        key: dict[str, Any],
        shard: ShardContexts,
        chunk: ContextChunk,
    ) -> ChunkSums | None:
        try:
            documents = chunk.last_document - chunk.first_document
            kept = checkpoint.load(key, documents, shard.bins(chunk))
            if kept is not None and not _matches(kept, shard, chunk):
                raise ArtefactError(
                    f"{checkpoint.path(key)} does not hold the number of tokens of its chunk"
                )
        except ArtefactError as error:
            self.refused += (str(error),)
            return None
        return kept

    def _key(self, shard: ShardContexts, chunk: ContextChunk) -> dict[str, Any]:
        model, policy = self.model, asdict(shard.policy)
        del policy["normaliser"]  # sums do not depend on it
        device = device_of(model).partition(":")[0]
        return {
            "version": 1,
            "shard_sha256": shard.part.shard.digest(),
            "documents_sha256": shard.documents_sha256,
            "unit": list(chunk),
            "policy": policy,
            "model": model.sha256 or f"name {self.name}",
            "vocab_size": model.vocab_size,
            "compute_format": model.compute_format,
            "logits_format": model.logits_format,
            **({} if device == CPU else {"device": device}),
        }

    def _sums(self, shard: ShardContexts, chunk: ContextChunk) -> PendingSums:
        return self.scorer.sums(
            ChunkBatches(
                shard.batches(chunk, self.model.vocab_size, self.positions, self.most),
                chunk.last_document - chunk.first_document,
                shard.bins(chunk),
                f"contexts {chunk.first}..{chunk.last - 1} of {shard.part.shard.path}",
            )
        )


def _matches(sums: ChunkSums, shard: ShardContexts, chunk: ContextChunk) -> bool:
    """Return whether the sums of a chunk count each of its targets once."""
    chosen = slice(chunk.first, chunk.last)
    targets = int((shard.contexts.end - shard.contexts.scored)[chosen].sum())
    return [int(cells.counts.sum()) for cells in sums] == [targets, targets]


def _add(cells: LossCells, first: int, more: LossCells) -> None:
    here = slice(first, first + len(more.low))
    add_halves(cells.low[here], cells.high[here], more.low, more.high)
    cells.counts[here] += more.counts


def _count_first_tokens(counts: NDArray[np.uint64], shard: ShardContexts) -> None:
    """Count first tokens that are no target as ignored, each in its document."""
    if shard.policy.bos_id is None:
        np.add.at(counts[:, Kind.IGNORED], shard.documents_of(shard.first_tokens), np.uint64(1))


def _scores(
    documents: DocumentSet,
    shards: list[ShardContexts],
    cells: LossCells,
    by_position: PositionSums,
    run: _ChunkRunner,
    words: int | None,
    work: Work,
) -> NeuralScores:
    counts, ignored = cells.counts, cells.counts[:, Kind.IGNORED]
    contexts = [shard.contexts for shard in shards]
    return NeuralScores(
        shards=documents.shard_names,
        shard=documents.shard_numbers,
        document=documents.numbers,
        predicted_tokens=counts.sum(axis=1, dtype=np.uint64) - ignored,
        oov=np.zeros(len(documents), np.uint64),  # ids outside the vocabulary are refused
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
        counts=ContextCounts(
            windows=sum(map(len, contexts)),
            predicted_tokens=sum(int((c.end - c.scored).sum()) for c in contexts),
            context_tokens=sum(int((c.scored - c.begin).sum()) for c in contexts),
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
