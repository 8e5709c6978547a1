"""Scoring in bulk: the windows of many documents, sorted, are walked down the trie side by side.

Each distinct window is searched once, next to its neighbours; then the documents are read again and
every token finds its window's loss. The sums are those of the walk from token to token, to the
last bit: both multiply the same numbers in the same order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import MAX_KEY_WORDS, Buckets
from icfast.backends.models import Matches, MatchRoom, ScoreOut, Weights
from icfast.corpus.documents import check_ids
from icfast.errors import check
from icfast.kneser_ney.chunks import Chunk
from icfast.kneser_ney.model import NgramModel
from icfast.kneser_ney.weights import weights_bytes
from icfast.ngrams.alphabet import Symbols
from icfast.ngrams.sorted_runs import KeyShape
from icfast.parallel.buffers import ThreadRooms, zeros
from icfast.parallel.threads import Pool, Work

#: Windows one thread matches at a time, unless one lead has more.
_GROUP_WINDOWS = 1 << 19

#: Fewest tokens of a batch for which reading all n-grams of the model once is worth it, as a share
#: of them: a walk takes 250 ns a token, weighing 10 ns an n-gram.
_LEAST_SHARE = 1 / 16

#: Rows of records are numbered with 32 bits.
_MOST_TOKENS = 2**31


def batches(
    chunks: Sequence[Chunk], model: NgramModel, work: Work
) -> tuple[list[list[Chunk]], list[Chunk]]:
    """(batches that are worth scoring in bulk and fit the memory, chunks left to the walk)."""
    limit = min(_batch_windows(model, work), _MOST_TOKENS)
    found: list[list[Chunk]] = []
    left: list[Chunk] = []
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
    """(bits per symbol, words per key): ranks, the end mark's, and the strangers'."""
    bits = (len(model.ids) + 2).bit_length()
    return bits, max(1, -(-(model.order - 1) * bits // 64))


def _batch_windows(model: NgramModel, work: Work) -> int:
    """Windows of a batch whose keys, index, records and losses fit the memory the weights leave."""
    words = _shape(model)[1]
    if words > MAX_KEY_WORDS:
        return 0
    # A quarter more for what threads sort in.
    per_window = (8 * words + 4 + 8 * model.order + 8) * 5 // 4
    return max(0, work.memory_bytes - weights_bytes(model)) // per_window


@dataclass(frozen=True)
class Bulk:
    """Scores batches under the order-N model.

    Attributes:
        symbols: the model's, and one for all it does not know.
        out: rows of all documents.
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
        """Of ids below vocab_size."""
        shape = KeyShape(model.order, *_shape(model))
        symbols = Symbols(model.ids, vocab_size, model.end_mark, shape, strangers=True)
        return cls(model, symbols, weights, out, work, pool)

    def score(self, batch: Sequence[Chunk]) -> None:
        """Write the rows of a batch's documents."""
        lanes = _lanes(batch, self.work.threads)
        counts = self._count(lanes)
        bounds = np.append(0, np.cumsum(counts.sum(axis=0))).astype(np.int64)
        # Each lane writes behind the lanes before it, so lanes never meet.
        offsets = bounds[:-1] + np.cumsum(counts, axis=0) - counts
        keys = zeros((int(bounds[-1]), self.symbols.shape.words), np.uint64)
        self._scatter(lanes, offsets.copy(), keys)
        matches = Matches(
            zeros(len(keys), np.uint32),
            zeros((len(keys), self.model.order), np.float64),
            zeros(len(keys), np.uint64),
        )
        self._match(bounds, keys, matches)
        self._read(lanes, offsets, matches)

    def _each(self, call: Callable[[int], None], count: int) -> None:
        for _ in self.pool.map(call, range(count)):
            pass

    def _buckets(self) -> Buckets:
        leads = self.symbols.leads
        first = np.arange(leads + 1, dtype=np.uint32)
        return Buckets(first, np.zeros((leads, self.symbols.shape.words), np.uint64))

    def _count(self, lanes: list[list[Chunk]]) -> NDArray[np.int64]:
        """i64[lanes, leads] windows: one at each id, and at each document's end mark."""
        ranks, end_rank = self.symbols.alphabet.ranks, self.symbols.alphabet.end_rank
        counts = np.zeros((len(lanes), self.symbols.leads), np.int64)

        def count(lane: int) -> None:
            of_ids = np.zeros(len(ranks), np.uint64)
            for chunk in lanes[lane]:
                piece = self.symbols.view(chunk.piece)
                status = self.work.backend.kernels.count_ids(piece, of_ids)
                check_ids(status, chunk.part.shard, self.symbols.vocab_size)
                if end_rank:
                    counts[lane, end_rank] += chunk.last - chunk.first
            # Several ids may be strangers. Sums below 2^53 are exact.
            counts[lane] += np.bincount(ranks, of_ids, self.symbols.leads).astype(np.int64)

        self._each(count, len(lanes))
        return counts

    def _scatter(
        self, lanes: list[list[Chunk]], offsets: NDArray[np.int64], keys: NDArray[np.uint64]
    ) -> None:
        buckets, alphabet = self._buckets(), self.symbols.alphabet

        def scatter(lane: int) -> None:
            for chunk in lanes[lane]:
                piece = self.symbols.view(chunk.piece)
                status = self.work.backend.kernels.scatter_windows(
                    piece, alphabet, buckets, 0, self.symbols.leads, offsets[lane], keys
                )
                check_ids(status, chunk.part.shard, self.symbols.vocab_size)

        self._each(scatter, len(lanes))

    def _match(self, bounds: NDArray[np.int64], keys: NDArray[np.uint64], matches: Matches) -> None:
        leads = np.arange(self.symbols.leads, dtype=np.uint32)
        groups = list(_groups(bounds))
        rooms = ThreadRooms()
        words = self.symbols.shape.words

        def match(group: int) -> None:
            first, last = groups[group]
            largest = int(np.diff(bounds[first : last + 1]).max())
            table = rooms.counts.words(2 * largest, 1)[:, 0].view(np.uint32)
            room = MatchRoom(rooms.scratch.words(2 * largest, words), table)
            status = self.work.backend.kernels.match_windows(
                leads[first:last],
                bounds[first : last + 1],
                keys,
                self.symbols.shape.bits,
                self.model.trie,
                self.weights,
                room,
                matches,
            )
            check(status, self.model.path)

        self._each(match, len(groups))

    def _read(self, lanes: list[list[Chunk]], offsets: NDArray[np.int64], matches: Matches) -> None:
        alphabet = self.symbols.alphabet
        unknown = self.symbols.leads - 1
        backoffs = self.weights.backoffs
        begin = float(backoffs[0]) if len(backoffs) else 1.0

        def read(lane: int) -> None:
            for chunk in lanes[lane]:
                piece = self.symbols.view(chunk.piece)
                here = ScoreOut(*(array[chunk.rows] for array in self.out))
                status = self.work.backend.kernels.score_windows(
                    piece, alphabet, unknown, offsets[lane], matches, begin, here
                )
                check_ids(status, chunk.part.shard, self.symbols.vocab_size)

        self._each(read, len(lanes))


def _lanes(batch: Sequence[Chunk], count: int) -> list[list[Chunk]]:
    """Neighbouring chunks in `count` lists with about equally many windows."""
    done = np.cumsum([chunk.windows for chunk in batch])
    lane = np.minimum((done - 1) * count // max(1, int(done[-1])), count - 1)
    return [[chunk for chunk, at in zip(batch, lane, strict=True) if at == i] for i in range(count)]


def _groups(bounds: NDArray[np.int64]) -> Iterator[tuple[int, int]]:
    """Neighbouring leads up to the group size."""
    first, leads = 0, len(bounds) - 1
    while first < leads:
        last = int(np.searchsorted(bounds, bounds[first] + _GROUP_WINDOWS, "right")) - 1
        last = min(max(first + 1, last), leads)
        if bounds[last] > bounds[first]:
            yield first, last
        first = last
