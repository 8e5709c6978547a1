"""Scoring documents under a Kneser-Ney model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.corpus import Corpus
from icfast.errors import MergeError, OptionError
from icfast.kernels.arrays import Status
from icfast.kernels.counting import Alphabet, Piece
from icfast.kernels.models import ScoreOut
from icfast.measure.checkpoint import Checkpoint
from icfast.measure.loss import DocumentScores
from icfast.measure.runs import KeyShape
from icfast.models.compact import CompactModel
from icfast.models.ngram import NgramModel
from icfast.models.open_model import AnyModel, open_model
from icfast.models.token_model import CPU, TokenModel
from icfast.models.weights import weigh
from icfast.passes.alphabet import Symbols
from icfast.passes.bulk import Bulk, Chunk, batches
from icfast.passes.documents import DocumentSet, all_documents, check_ids
from icfast.passes.threads import Progress, Work, silent
from icfast.passes.token_losses import TokenScores, score_tokens, window_policy

#: Tokens one thread scores at a time; a document is never cut.
_CHUNK_TOKENS = 1 << 16


def score(
    corpus: Corpus,
    model: AnyModel,
    *,
    window: int | None = None,
    stride: int | None = None,
    bos: int | str | None = "auto",
    packed: bool = False,
    normaliser: str = "token",
    checkpoint: str | Path | None = None,
    batch: int | None = None,
    vocab_size: int | None = None,
    name: str | None = None,
    model_dtype: str | None = None,
    device: str = CPU,
    memory: str | int | None = None,
    threads: int | None = None,
    backend: str = "auto",
    progress: Progress = silent,
) -> DocumentScores:
    """Loss of every document of a corpus under a model: n-gram or neural.

    An n-gram model scores in its own convention. A corpus that is large beside it is scored in
    bulk, five times as fast and to the same bit; that takes 16 bytes an n-gram and about 75 a
    token, of as many tokens as memory holds.

    A neural model is fed windows under a named policy, and every token is scored exactly once; the
    result says under which, and has the losses by position too. The options down to `name` are for
    neural models.

    Args:
        model: an n-gram model, whole or compressed, or the file of one; "hf:DIR", "gguf:FILE", or
            whatever is a :class:`icfast.models.token_model.TokenModel`; or a function from ids
            i64[windows, positions] to logits (windows, positions, V) of what follows each.
        window: tokens fed at once, at most; by default the model's context, or 1024.
        stride: new tokens each window after a document's first scores; by default the window.
            Smaller ones cost more and show each token more of what stands before it.
        bos: id fed before a document, "none", or "auto": the model's, where the corpus has it not.
            Without it the first token of each document is not predicted.
        packed: join the documents of a shard, so that contexts cross them.
        normaliser: what the loss is stated per: token, byte or word; the sums are the same.
        checkpoint: a folder for finished parts of the work; what it holds is not done again.
        batch: windows given to the model at once, at most; by default 8192 tokens of them. Fewer
            where memory does not hold them.
        vocab_size: columns of a function's logits that count; by default all.
        name: what results call a function, and what its checkpoints go by.
        model_dtype: float32, bfloat16 or float16, what "hf:" and "gguf:" are computed in; by
            default hf as stored, gguf float32. Faster ones round: their logits' format is recorded.
        device: auto, cpu, cuda or cuda:N, where "hf:", "gguf:" and functions compute; a function
            gets torch tensors there. Sums are made there too, the same integers of the same losses.
        memory, threads, backend: as in :func:`icfast.spectra`, of the host.

    Returns:
        :class:`DocumentScores`; ``.total`` is their exact sum, the same for any threads. Of a
        neural model :class:`icfast.passes.token_losses.TokenScores`, with ``.policy``, ``.counts``
        and ``.positions``.

    Raises:
        MergeError: the corpus was written by another tokenizer than the model's.
        CorpusError: an id is outside the model's vocabulary (convention tokens, neural models).
        ArtefactError, ModelError: the model's file is damaged, or not one.
        OptionError: an option has no meaning, or none for this kind of model.
        BackendError: torch or this build can't use the device.
        ResourceError: memory does not hold one window.

    >>> import tempfile
    >>> import icfast
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "abracadabra.bin"
    ...     _ = path.write_bytes(b"abracadabra")
    ...     corpus = icfast.open(path, dtype="u1", vocab_size=256)
    ...     scores = icfast.score(corpus, icfast.fit(corpus, order=2))
    >>> scores.total.predicted_tokens, round(scores.total.nats, 6)
    (11, 9.594036)
    """
    options = {
        "window": window,
        "stride": stride,
        "bos": bos,
        "packed": packed,
        "normaliser": normaliser,
        "checkpoint": checkpoint,
        "batch": batch,
        "name": name,
    }
    given = {option: value for option, value in options.items() if value != _UNSET.get(option)}
    work = Work.of(backend, threads, memory, progress)
    loaded = open_model(
        model,
        vocab_size=vocab_size,
        name=name,
        model_dtype=model_dtype,
        backend=backend,
        device=device,
    )
    return score_model(corpus, loaded, given, work)


#: Options of neural models that are not None where nobody sets them.
_UNSET = {"bos": "auto", "packed": False, "normaliser": "token"}

#: Those that make the policy.
_POLICY = ("window", "stride", "bos", "packed", "normaliser")


def score_model(
    corpus: Corpus,
    model: NgramModel | CompactModel | TokenModel,
    options: Mapping[str, Any],
    work: Work,
) -> DocumentScores:
    """As :func:`score`, under a model that is open.

    Args:
        options: those of neural models that were set.
    """
    if not isinstance(model, NgramModel | CompactModel):
        return score_neural(all_documents(corpus), model, options, work)
    if options:
        raise OptionError(
            f"{', '.join(options)}: for neural models only; an n-gram model sees whole documents, "
            "and needs no batches and no checkpoint"
        )
    return score_documents(all_documents(corpus, model.convention), model, work)


def score_neural(
    documents: DocumentSet, model: TokenModel, options: Mapping[str, Any], work: Work
) -> TokenScores:
    """Loss of each of the chosen documents under a neural model.

    Args:
        options: those that were set.
    """
    checkpoint = options.get("checkpoint")
    policy = {option: options[option] for option in _POLICY if option in options}
    return score_tokens(
        documents,
        model,
        window_policy(documents.corpus, model, **policy),
        work,
        checkpoint=None if checkpoint is None else Checkpoint.at(checkpoint),
        name=options.get("name"),
        batch=options.get("batch"),
    )


def score_documents(
    documents: DocumentSet, model: NgramModel | CompactModel, work: Work
) -> DocumentScores:
    """Loss of each of the chosen documents under the order-N model."""
    if isinstance(model, CompactModel):
        scored = _score_compact(documents, model, work)
    else:
        scored = _score(documents, model, work)
    none = np.zeros(len(documents), np.uint64)  # an n-gram model predicts every token
    return DocumentScores(
        shards=documents.shard_names,
        shard=documents.shard_numbers,
        document=documents.numbers,
        predicted_tokens=scored.predicted,
        oov=scored.oov,
        infinite=scored.infinite[:, 0],
        low=scored.low[:, 0],
        high=scored.high[:, 0],
        ignored=none,
        nan=none,
        out_of_range=none,
        huge=none,
        text_bytes=documents.text_bytes,
    )


def _score(documents: DocumentSet, model: NgramModel, work: Work) -> ScoreOut:
    symbols = symbols_of(documents.corpus, model)
    discounts, uniform = model.discount_table, model.uniform
    out = room_for(len(documents), 1)

    def kernel(piece: Piece, alphabet: Alphabet, here: ScoreOut) -> Status:
        return work.backend.kernels.score_ngrams(
            piece, alphabet, model.trie, discounts, uniform, here
        )

    chunks = list(chunks_of(documents))
    in_bulk, left = batches(chunks, model, work)
    with work.pool() as pool:
        if in_bulk:
            weights = weigh(model, work.backend.kernels, pool.for_each)
            bulk = Bulk.of(model, symbols.vocab_size, weights, out, work, pool)
            _run_all(map(bulk.score, in_bulk), len(in_bulk), work.progress)
        walk = _walk(symbols, model.order, out, kernel)
        _run_all(pool.map(walk, left), len(left), work.progress)
    return out


def _score_compact(documents: DocumentSet, model: CompactModel, work: Work) -> ScoreOut:
    symbols = symbols_of(documents.corpus, model)
    out = room_for(len(documents), 1)

    def kernel(piece: Piece, alphabet: Alphabet, here: ScoreOut) -> Status:
        return work.backend.kernels.score_compact(piece, alphabet, model.trie, here)

    chunks = list(chunks_of(documents))
    with work.pool() as pool:
        walk = _walk(symbols, model.order, out, kernel)
        _run_all(pool.map(walk, chunks), len(chunks), work.progress)
    return out


def symbols_of(corpus: Corpus, model: NgramModel | CompactModel) -> Symbols:
    """The model's symbols, for ids of the corpus.

    Raises:
        MergeError: the corpus was written by another tokenizer than the model's.
    """
    _refuse_strangers(corpus, model)
    shape = KeyShape.of(1, len(model.ids))
    return Symbols(model.ids, _vocab_size(corpus, model), model.end_mark, shape)


def _walk(
    symbols: Symbols,
    order: int,
    out: ScoreOut,
    kernel: Callable[[Piece, Alphabet, ScoreOut], Status],
) -> Callable[[Chunk], None]:
    """A function that scores one chunk, token by token, into its rows of `out`."""
    alphabet = symbols.alphabet._replace(order=order)

    def walk(chunk: Chunk) -> None:
        here = ScoreOut(*(array[chunk.rows] for array in out))
        status = kernel(symbols.view(chunk.piece), alphabet, here)
        check_ids(status, chunk.part.shard, symbols.vocab_size)

    return walk


def _run_all(results: Iterable[None], count: int, progress: Progress) -> None:
    for done, _ in enumerate(results, start=1):
        progress("scoring", done / count)


def room_for(documents: int, columns: int) -> ScoreOut:
    """Rows of losses for a kernel to write."""

    def zeros(*shape: int) -> NDArray[np.uint64]:
        return np.zeros(shape, np.uint64)

    return ScoreOut(
        zeros(documents, columns),
        zeros(documents, columns),
        zeros(documents),
        zeros(documents),
        zeros(documents, columns),
    )


def chunks_of(documents: DocumentSet) -> Iterator[Chunk]:
    """Neighbouring documents of about so many tokens as one thread takes at a time."""
    at = 0
    for part in documents.parts:
        ends = np.cumsum(part.stops - part.starts)
        first = 0
        while first < len(ends):
            before = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, before + _CHUNK_TOKENS, "right")))
            yield Chunk(part, first, last, at + first)
            first = last
        at += len(ends)


def _vocab_size(corpus: Corpus, model: NgramModel | CompactModel) -> int:
    """Ids that may be scored: the model's vocabulary, or under kenlm any, the rest being <unk>."""
    if model.convention == "kenlm":
        return max(model.source.vocab_size, corpus.vocab_size)
    return model.source.vocab_size


def _refuse_strangers(corpus: Corpus, model: NgramModel | CompactModel) -> None:
    mine, its = corpus.tokenizer, model.source.tokenizer
    if mine is not None and its is not None and mine != its:
        raise MergeError(
            f"the corpus was written by tokenizer {mine!r}, the model fitted on {its!r}; "
            "a loss between them means nothing"
        )
    stated, fitted = corpus.given_vocab_size, model.source.vocab_size
    if stated is not None and model.source.vocab_size_given and stated != fitted:
        raise MergeError(
            f"the corpus has a vocabulary of {stated}, the model one of {fitted}; "
            "a loss between them means nothing"
        )
