"""A partition of all windows into buckets, in key order, while it is being refined."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import Buckets
from icfast.ngrams.keys import KeyShape


class Cut(NamedTuple):
    """A bucket cut out of a larger one.

    Attributes:
        low: the first key, as one integer.
        depth: number of history symbols that all its windows share.
        counts: u64[threads] windows.
    """

    low: int
    depth: int
    counts: NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class Partition:
    """Buckets in key order. A lead has one bucket, or several consecutive ones.

    Attributes:
        leads: u32[buckets].
        low: u64[buckets, W], the first key of each.
        depths: i32[buckets], number of history symbols that all windows of a bucket share.
        counts: u32 or u64[threads, buckets] windows.
    """

    leads: NDArray[np.uint32]
    low: NDArray[np.uint64]
    depths: NDArray[np.int32]
    counts: NDArray[np.unsignedinteger]

    @property
    def windows(self) -> NDArray[np.uint64]:
        """u64[buckets]: windows of each bucket."""
        return sum_first_axis(self.counts)

    def buckets(self, leads: int) -> Buckets:
        """Return the partition as kernels read it, for windows of `leads` leads."""
        first = np.searchsorted(self.leads, np.arange(leads + 1)).astype(np.uint32)
        return Buckets(first, self.low)

    def cut(self, chosen: NDArray[np.int64], cuts: Sequence[Sequence[Cut]]) -> Partition:
        """Return the partition with each chosen bucket replaced by its cuts."""
        repeats = np.ones(len(self.leads), np.int64)
        repeats[chosen] = [len(into) for into in cuts]
        new = Partition(
            np.repeat(self.leads, repeats),
            np.repeat(self.low, repeats, axis=0),
            np.repeat(self.depths, repeats),
            np.repeat(self.counts, repeats, axis=1),
        )
        is_chosen = np.zeros(len(self.leads), np.bool_)
        is_chosen[chosen] = True
        rows = np.flatnonzero(np.repeat(is_chosen, repeats))
        flat = [cut for into in cuts for cut in into]
        words = self.low.shape[1]
        new.low[rows] = [_key_words(cut.low, words) for cut in flat]
        new.depths[rows] = [cut.depth for cut in flat]
        new.counts[:, rows] = np.transpose([cut.counts for cut in flat])
        return new


def cut_by_symbol(
    low: int, depth: int, counts: NDArray[np.uint64], limit: int, shape: KeyShape
) -> Iterator[Cut]:
    """Cut a bucket by its next history symbol into buckets of at most `limit` windows.

    Neighbouring symbols share a bucket while they fit. A symbol above the limit gets a
    separate bucket, one symbol deeper.

    Args:
        low: first key of the bucket.
        depth: number of history symbols its windows share.
        counts: u64[threads, symbols] windows by next symbol.
    """
    step = shape.bits * (shape.order - 2 - depth)
    shared = low >> step + shape.bits << step + shape.bits
    total = sum_first_axis(counts)
    begin, held = 0, 0

    def cut(first: int, last: int, deeper: int = 0) -> Cut:
        key = max(low, shared + (first << step))
        return Cut(key, depth + deeper, sum_first_axis(counts[:, first:last].T))

    for symbol in np.flatnonzero(total).tolist():
        windows = int(total[symbol])
        if held and held + windows > limit:
            yield cut(begin, symbol)
            begin, held = symbol, 0
        if windows > limit:
            yield cut(symbol, symbol + 1, deeper=1)
            begin = symbol + 1
        else:
            held += windows
    if held:
        yield cut(begin, len(total))


def sum_first_axis(counts: NDArray[np.unsignedinteger]) -> NDArray[np.uint64]:
    """Return the sum over the first axis as u64."""
    return np.asarray(counts.sum(axis=0, dtype=np.uint64))


def key_integer(words: NDArray[np.uint64]) -> int:
    """Return the u64[W] words of a key as one integer.

    >>> key_integer(np.array([1, 2], np.uint64)) == (1 << 64) + 2
    True
    """
    return int.from_bytes(words.astype(">u8").tobytes(), "big")


def _key_words(key: int, words: int) -> list[int]:
    return [key >> (64 * (words - 1 - w)) & (1 << 64) - 1 for w in range(words)]
