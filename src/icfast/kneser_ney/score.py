"""Score documents under a Kneser-Ney model."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import chain

import numpy as np

from icfast.backends.arrays import Status
from icfast.backends.counting import Alphabet, Chunk
from icfast.backends.models import ScoreOut
from icfast.corpus.chunks import check_ids
from icfast.corpus.documents import DocumentSet
from icfast.kneser_ney.bulk import Bulk, batches
from icfast.kneser_ney.chunks import ScoredChunk, chunks_of, empty_scores, symbols_of
from icfast.kneser_ney.compact import CompactModel
from icfast.kneser_ney.model import NgramModel
from icfast.kneser_ney.weights import weigh
from icfast.ngrams.alphabet import Symbols
from icfast.parallel.mapped_file import refuses_changes
from icfast.parallel.progress import Progress
from icfast.parallel.threads import Work
from icfast.sums.loss import DocumentScores


@refuses_changes
def score_documents(
    documents: DocumentSet, model: NgramModel | CompactModel, work: Work
) -> DocumentScores:
    """Return the loss of each document under the order-N model.

    Raises:
        MergeError: the corpus and the model have different tokenizers or vocabularies.
        CorpusError: an id is outside the model's vocabulary (convention tokens).
    """
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
    out = empty_scores(len(documents), 1)

    def kernel(chunk: Chunk, alphabet: Alphabet, here: ScoreOut) -> Status:
        return work.backend.kernels.score_ngrams(
            chunk, alphabet, model.trie, discounts, uniform, here
        )

    chunks = list(chunks_of(documents))
    in_bulk, left = batches(chunks, model, work)
    walk = _walk(symbols, model.order, out, kernel)
    with work.pool() as pool:
        scored = pool.map(walk, left)
        if in_bulk:
            weights = weigh(model, work.backend.kernels, pool.for_each)
            bulk = Bulk.of(model, symbols.vocab_size, weights, out, work, pool)
            scored = chain(map(bulk.score, in_bulk), scored)
        _run_all(scored, chunks, work.progress)
    return out


def _score_compact(documents: DocumentSet, model: CompactModel, work: Work) -> ScoreOut:
    symbols = symbols_of(documents.corpus, model)
    out = empty_scores(len(documents), 1)

    def kernel(chunk: Chunk, alphabet: Alphabet, here: ScoreOut) -> Status:
        return work.backend.kernels.score_compact(chunk, alphabet, model.trie, here)

    chunks = list(chunks_of(documents))
    with work.pool() as pool:
        walk = _walk(symbols, model.order, out, kernel)
        _run_all(pool.map(walk, chunks), chunks, work.progress)
    return out


def _walk(
    symbols: Symbols,
    order: int,
    out: ScoreOut,
    kernel: Callable[[Chunk, Alphabet, ScoreOut], Status],
) -> Callable[[ScoredChunk], int]:
    """Return a function that scores one chunk, token by token, and returns its windows."""
    alphabet = symbols.alphabet._replace(order=order)

    def walk(scored: ScoredChunk) -> int:
        here = ScoreOut(*(array[scored.rows] for array in out))
        status = kernel(symbols.view(scored.chunk), alphabet, here)
        check_ids(status, scored.shard, symbols.vocab_size)
        return scored.windows

    return walk


def _run_all(scored: Iterable[int], chunks: Sequence[ScoredChunk], progress: Progress) -> None:
    """Run the scoring of all chunks and report its progress.

    Args:
        scored: windows of what was scored in each step.
    """
    done, total = 0, sum(chunk.windows for chunk in chunks)
    for windows in scored:
        done += windows
        progress("scoring", done, total)
