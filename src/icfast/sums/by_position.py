"""Exact, mergeable sums of losses by position in the document.

The position of a token is the number of tokens before it in its document. Each position below 256
has its own bin. From there on, each doubling [2^k, 2^(k+1)) is divided into 128 bins of equal
width. A bin is never wider than 1/128 of its first position, and a document of 2^40 tokens has 4352
bins.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.sums.kinds import Kind
from icfast.sums.loss import LossSum, add_halves, whole_sum
from icfast.units import format_count

U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

#: log2 of the number of positions with their own bin, and bins of each later doubling.
_EXACT_BITS = 8
_PER_DOUBLING = 1 << (_EXACT_BITS - 1)


def position_bins(positions: I64) -> I64:
    """Return the bin of each position, as i64.

    >>> position_bins(np.array([0, 255, 256, 257, 258, 511, 512, 515, 516])).tolist()
    [0, 255, 256, 256, 257, 383, 384, 384, 385]
    """
    doubling = np.frexp(np.maximum(positions, 1).astype(np.float64))[1].astype(np.int64) - 1
    shift = doubling - (_EXACT_BITS - 1)
    shared = _PER_DOUBLING * shift + (positions >> np.maximum(shift, 0))
    return np.where(positions < 1 << _EXACT_BITS, positions, shared)


def first_positions(bins: int) -> I64:
    """Return the first position of each bin, as i64[bins].

    >>> first_positions(387)[[0, 255, 256, 257, 383, 384, 385]].tolist()
    [0, 255, 256, 258, 510, 512, 516]
    """
    numbers = np.arange(bins, dtype=np.int64)
    shift = np.maximum(numbers // _PER_DOUBLING - 1, 0)
    first: I64 = (numbers - _PER_DOUBLING * shift) << shift
    return first


class PositionRow(NamedTuple):
    """Losses of positions first..last. The sum has no documents, bytes and words."""

    first: int
    last: int
    loss: LossSum


@dataclass(frozen=True, eq=False, repr=False)
class PositionSums:
    """Sums of losses by position in the document.

    Attributes:
        low: u64[bins], low half of the sum in units of 2^-32 nat, two's complement.
        high: u64[bins], high half of the sum.
        counts: u64[bins, kinds], tokens of each status code of `icfast.sums.kinds.Kind`.
    """

    low: U64
    high: U64
    counts: U64

    def __repr__(self) -> str:
        return f"PositionSums({len(self.low)} bins, {format_count(int(self.counts.sum()))} tokens)"

    @classmethod
    def zeros(cls, bins: int = 0) -> PositionSums:
        """Return sums to which nothing was added."""
        low, high = np.zeros((2, bins), np.uint64)
        return cls(low, high, np.zeros((bins, len(Kind)), np.uint64))

    @property
    def first(self) -> I64:
        """First position of each bin, i64[bins]."""
        return first_positions(len(self.low))

    def __add__(self, other: PositionSums) -> PositionSums:
        more, fewer = (self, other) if len(self.low) >= len(other.low) else (other, self)
        total = PositionSums(more.low.copy(), more.high.copy(), more.counts.copy())
        bins = len(fewer.low)
        add_halves(total.low[:bins], total.high[:bins], fewer.low, fewer.high)
        total.counts[:bins] += fewer.counts
        return total

    def doublings(self) -> list[PositionRow]:
        """Return the sums of positions 0, 1, 2..3, 4..7, ..., without rows that have no tokens."""
        rows, first = [], self.first
        low = 0
        while low <= (first[-1] if len(first) else -1):
            high = max(1, 2 * low)
            begin, end = np.searchsorted(first, [low, high])
            loss = self._sum(slice(begin, end))
            if loss.predicted_tokens:
                rows.append(PositionRow(low, high - 1, loss))
            low = high
        return rows

    def _sum(self, bins: slice) -> LossSum:
        kinds = [int(count) for count in self.counts[bins].sum(axis=0)]
        return LossSum(
            quanta=whole_sum(self.low[bins], self.high[bins]),
            predicted_tokens=sum(kinds) - kinds[Kind.IGNORED],
            oov=0,
            infinite=kinds[Kind.INFINITE],
            documents=0,
            ignored=kinds[Kind.IGNORED],
            nan=kinds[Kind.NAN],
            out_of_range=kinds[Kind.OUT_OF_RANGE],
            huge=kinds[Kind.HUGE],
        )
