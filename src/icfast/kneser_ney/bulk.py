"""Score many documents at once: sort their windows, then look up each distinct window once.

Sorted windows reach neighbouring parts of the trie one after the other, which saves cache misses.
A second pass over the documents then reads the loss of each token's window. The sums equal those of
scoring token by token to the last bit, because both multiply the same numbers in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import MAX_KEY_WORDS, Buckets
from icfast.backends.models import Matches, MatchScratch, ScoreOut, Weights
from icfast.corpus.chunks import check_ids
from icfast.errors import check
from icfast.kneser_ney.chunks import ScoredChunk
from icfast.kneser_ney.model import NgramModel
from icfast.kneser_ney.weights import weights_bytes
from icfast.ngrams.alphabet import Symbols
from icfast.ngrams.keys import KeyShape
from icfast.parallel.buffers import ThreadScratch, zeros
from icfast.parallel.threads import Pool, Work

#: Windows that one thread matches at a time. One lead is never split.
_MATCH_WINDOWS = 1 << 19

#: Tokens per n-gram of the model from which bulk scoring pays. Scoring token by token takes about
#: 250 ns per token; computing the weights takes about 10 ns per n-gram.
_LEAST_SHARE = 1 / 16

#: Record rows have 32-bit numbers.
_MOST_TOKENS = 2**31


def batches(
    chunks: Sequence[ScoredChunk], model: NgramModel, work: Work
) -> tuple[list[list[ScoredChunk]], list[ScoredChunk]]:
    """Return (batches to score in bulk, chunks to score token by token).

    A batch fits the memory. All chunks are scored token by token when there are too few of them to
    pay for the weights.
    """
    limit = min(_batch_windows(model, work), _MOST_TOKENS)
    found: list[list[ScoredChunk]] = []
    left: list[ScoredChunk] = []
    held = limit
    for chunk in chunks:
        size = chunk.windows
        if size > limit:
            left.append(chunk)
            continue
        if held + size > limit:
            found.append([])
            held = 0
        found[-1].append(chunk)
        held += size
    if sum(chunk.windows for batch in found for chunk in batch) < _least_windows(model):
        return [], list(chunks)
    return found, left


def _least_windows(model: NgramModel) -> int:
    return int(len(model.trie.counts) * _LEAST_SHARE)


def _shape(model: NgramModel) -> tuple[int, int]:
    """Return (bits per symbol, words per key), with symbols for the end mark and unknown ids."""
    bits = (len(model.ids) + 2).bit_length()
    return bits, max(1, -(-(model.order - 1) * bits // 64))


def _batch_windows(model: NgramModel, work: Work) -> int:
    """Return the number of windows whose keys, rows, records and losses fit the free memory."""
    words = _shape(model)[1]
    if words > MAX_KEY_WORDS:
        return 0
    # Threads need a quarter more as scratch space for sorting.
    per_window = (8 * words + 4 + 8 * model.order + 8) * 5 // 4
    return max(0, work.memory_bytes - weights_bytes(model)) // per_window


@dataclass(frozen=True)
class Bulk:
    """Scorer of batches under the order-N model.

    Attributes:
        symbols: the model's symbols, and one more for all unknown ids.
        out: the results of all documents.
    """

    model: NgramModel
    symbols: Symbols
    weights: Weights
    out: ScoreOut
    work: Work
    pool: Pool

    @classmethod
    def of(
        cls,
        model: NgramModel,
        vocab_size: int,
        weights: Weights,
        out: ScoreOut,
        work: Work,
        pool: Pool,
    ) -> Bulk:
        """Make a scorer of ids below vocab_size."""
        shape = KeyShape(model.order, *_shape(model))
        symbols = Symbols(model.ids, vocab_size, model.end_mark, shape, strangers=True)
        return cls(model, symbols, weights, out, work, pool)

    def score(self, batch: Sequence[ScoredChunk]) -> int:
        """Score the documents of a batch and return the number of windows."""
        chunks = _by_thread(batch, self.work.threads)
        counts = self._count(chunks)
        bounds = np.append(0, np.cumsum(counts.sum(axis=0))).astype(np.int64)
        # Each thread writes after the threads before it, so they never overlap.
        offsets = bounds[:-1] + np.cumsum(counts, axis=0) - counts
        keys = zeros((int(bounds[-1]), self.symbols.shape.words), np.uint64)
        self._scatter(chunks, offsets.copy(), keys)
        matches = Matches(
            zeros(len(keys), np.uint32),
            zeros((len(keys), self.model.order), np.float64),
            zeros(len(keys), np.uint64),
        )
        self._match(bounds, keys, matches)
        self._read(chunks, offsets, matches)
        return sum(chunk.windows for chunk in batch)

    def _each(self, call: Callable[[int], None], count: int) -> None:
        for _ in self.pool.map(call, range(count)):
            pass

    def _buckets(self) -> Buckets:
        leads = self.symbols.leads
        first = np.arange(leads + 1, dtype=np.uint32)
        return Buckets(first, np.zeros((leads, self.symbols.shape.words), np.uint64))

    def _count(self, chunks: list[list[ScoredChunk]]) -> NDArray[np.int64]:
        """i64[threads, leads] windows: one at each id, and at each document's end mark."""
        ranks, end_rank = self.symbols.alphabet.ranks, self.symbols.alphabet.end_rank
        counts = np.zeros((len(chunks), self.symbols.leads), np.int64)

        def count(thread: int) -> None:
            of_ids = np.zeros(len(ranks), np.uint64)
            for scored in chunks[thread]:
                chunk = self.symbols.view(scored.chunk)
                status = self.work.backend.kernels.count_ids(chunk, of_ids)
                check_ids(status, scored.shard, self.symbols.vocab_size)
                if end_rank:
                    counts[thread, end_rank] += len(chunk.starts)
            # Several ids may be strangers. Sums below 2^53 are exact.
            counts[thread] += np.bincount(ranks, of_ids, self.symbols.leads).astype(np.int64)

        self._each(count, len(chunks))
        return counts

    def _scatter(
        self, chunks: list[list[ScoredChunk]], offsets: NDArray[np.int64], keys: NDArray[np.uint64]
    ) -> None:
        buckets, alphabet = self._buckets(), self.symbols.alphabet

        def scatter(thread: int) -> None:
            for scored in chunks[thread]:
                chunk = self.symbols.view(scored.chunk)
                status = self.work.backend.kernels.scatter_windows(
                    chunk, alphabet, buckets, 0, self.symbols.leads, offsets[thread], keys
                )
                check_ids(status, scored.shard, self.symbols.vocab_size)

        self._each(scatter, len(chunks))

    def _match(self, bounds: NDArray[np.int64], keys: NDArray[np.uint64], matches: Matches) -> None:
        leads = np.arange(self.symbols.leads, dtype=np.uint32)
        ranges = list(_lead_ranges(bounds))
        buffers = ThreadScratch()
        words = self.symbols.shape.words

        def match(number: int) -> None:
            first, last = ranges[number]
            largest = int(np.diff(bounds[first : last + 1]).max())
            table = buffers.counts.words(2 * largest, 1)[:, 0].view(np.uint32)
            scratch = MatchScratch(buffers.scratch.words(2 * largest, words), table)
            status = self.work.backend.kernels.match_windows(
                leads[first:last],
                bounds[first : last + 1],
                keys,
                self.symbols.shape.bits,
                self.model.trie,
                self.weights,
                scratch,
                matches,
            )
            check(status, self.model.path)

        self._each(match, len(ranges))

    def _read(
        self, chunks: list[list[ScoredChunk]], offsets: NDArray[np.int64], matches: Matches
    ) -> None:
        alphabet = self.symbols.alphabet
        unknown = self.symbols.leads - 1
        backoffs = self.weights.backoffs
        begin = float(backoffs[0]) if len(backoffs) else 1.0

        def read(thread: int) -> None:
            for scored in chunks[thread]:
                chunk = self.symbols.view(scored.chunk)
                here = ScoreOut(*(array[scored.rows] for array in self.out))
                status = self.work.backend.kernels.score_windows(
                    chunk, alphabet, unknown, offsets[thread], matches, begin, here
                )
                check_ids(status, scored.shard, self.symbols.vocab_size)

        self._each(read, len(chunks))


def _by_thread(batch: Sequence[ScoredChunk], count: int) -> list[list[ScoredChunk]]:
    """Divide consecutive chunks into `count` lists with about equally many windows."""
    done = np.cumsum([chunk.windows for chunk in batch])
    thread = np.minimum((done - 1) * count // max(1, int(done[-1])), count - 1)
    by_thread: list[list[ScoredChunk]] = [[] for _ in range(count)]
    for chunk, i in zip(batch, thread.tolist(), strict=True):
        by_thread[i].append(chunk)
    return by_thread


def _lead_ranges(bounds: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Yield ranges of leads with about ``_MATCH_WINDOWS`` windows each."""
    first, leads = 0, len(bounds) - 1
    while first < leads:
        last = int(np.searchsorted(bounds, bounds[first] + _MATCH_WINDOWS, "right")) - 1
        last = min(max(first + 1, last), leads)
        if bounds[last] > bounds[first]:
            yield first, last
        first = last
