"""Scoring documents under a Kneser-Ney model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from icfast.backends.arrays import Status
from icfast.backends.counting import Alphabet, Piece
from icfast.backends.models import ScoreOut
from icfast.corpus import Corpus
from icfast.corpus.documents import DocumentSet, check_ids
from icfast.errors import MergeError
from icfast.kneser_ney.bulk import Bulk, Chunk, batches
from icfast.kneser_ney.compact import CompactModel
from icfast.kneser_ney.ngram import NgramModel
from icfast.kneser_ney.weights import weigh
from icfast.ngrams.alphabet import Symbols
from icfast.ngrams.sorted_runs import KeyShape
from icfast.parallel.threads import Progress, Work
from icfast.sums.loss import DocumentScores

#: Tokens one thread scores at a time; a document is never cut.
_CHUNK_TOKENS = 1 << 16


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
