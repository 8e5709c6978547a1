"""Count spectra: how many types were seen r times. Pure data, no kernels, no files.

A spectrum is all an entropy estimator needs, and has at most sqrt(2 N) rows. Spectra add over
disjoint *key ranges* only; spectra of two data shards say nothing about their union.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from icfast.errors import OptionError

U64 = NDArray[np.uint64]

#: Counts below are tallied in a table; the few above are sorted.
_TABLE = 1 << 16


def _empty() -> U64:
    return np.zeros(0, np.uint64)


@dataclass(frozen=True, eq=False)
class Spectrum:
    """How many types (phi_r) have each multiplicity r.

    Attributes:
        multiplicity: u64[rows], the counts r that occur, strictly ascending, all positive.
        types: u64[rows], phi_r, the number of types seen exactly r times, all positive.
    """

    multiplicity: U64 = field(default_factory=_empty)
    types: U64 = field(default_factory=_empty)

    @classmethod
    def from_counts(cls, counts: ArrayLike) -> Spectrum:
        """Spectrum of a 1-D array of counts; zeros are left out.

        Raises:
            OptionError: counts are not 1-D, not whole, or negative.

        >>> Spectrum.from_counts([4, 2, 3, 0, 2]).multiplicity
        array([2, 3, 4], dtype=uint64)
        """
        array = np.asarray(counts)
        if array.ndim != 1:
            raise OptionError(f"counts must be a 1-D array, found {array.ndim} dimensions")
        if array.dtype.kind == "u":
            return cls._of_whole(array)
        # Infinities and NaN are neither.
        if array.size and not np.all((array >= 0) & (array < np.inf) & (array == np.floor(array))):
            raise OptionError("counts must be whole and not negative")
        return cls._of_whole(array)

    @classmethod
    def _of_whole(cls, counts: NDArray[Any]) -> Spectrum:
        few = counts < _TABLE
        table = np.bincount(counts[few].astype(np.int64), minlength=1)
        small = np.flatnonzero(table[1:]) + 1
        large, types = np.unique(counts[~few], return_counts=True)
        # Signed and unsigned integers in one array would become floating-point numbers.
        return cls(
            np.concatenate([small.astype(np.uint64), large.astype(np.uint64)]),
            np.concatenate([table[small], types]).astype(np.uint64),
        )

    @classmethod
    def total(cls, parts: Iterable[Spectrum]) -> Spectrum:
        """Sum of spectra of disjoint key ranges.

        >>> a = Spectrum.from_counts([1, 1, 2]); b = Spectrum.from_counts([1, 5])
        >>> Spectrum.total([a, b]).types
        array([3, 1, 1], dtype=uint64)
        """
        held = list(parts)
        if not held:
            return cls()
        rows = np.concatenate([part.multiplicity for part in held])
        multiplicity, where = np.unique(rows, return_inverse=True)
        types = np.zeros(len(multiplicity), np.uint64)
        np.add.at(types, where, np.concatenate([part.types for part in held]))
        return cls(multiplicity, types)

    @cached_property
    def windows(self) -> int:
        """N = sum over r of r * phi_r: how many windows (tokens of this order) were counted."""
        return sum(
            r * t for r, t in zip(self.multiplicity.tolist(), self.types.tolist(), strict=True)
        )

    @property
    def distinct(self) -> int:
        """K = sum over r of phi_r: how many types were seen."""
        return int(self.types.sum())

    def seen(self, times: int) -> int:
        """phi_r: how many types were seen exactly ``times`` times.

        >>> Spectrum.from_counts([1, 1, 2]).seen(1)
        2
        """
        row = int(np.searchsorted(self.multiplicity, times))
        found = row < len(self.multiplicity) and int(self.multiplicity[row]) == times
        return int(self.types[row]) if found else 0

    @property
    def singletons(self) -> int:
        """phi_1."""
        return self.seen(1)

    @property
    def doubletons(self) -> int:
        """phi_2."""
        return self.seen(2)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Spectrum):
            return NotImplemented
        return np.array_equal(self.multiplicity, other.multiplicity) and np.array_equal(
            self.types, other.types
        )

    def __hash__(self) -> int:
        return hash((self.multiplicity.tobytes(), self.types.tobytes()))


@dataclass(frozen=True)
class Spectra:
    """The spectra of orders 1..N of one set of documents; ``spectra[n]`` is the order-n one.

    A document is preceded by a begin mark. An n-gram is *complete* when it holds no mark and
    *starting* when its first symbol is the mark and the rest are tokens, so n - 1 of them.

    Attributes:
        order: N.
        tokens: D, how many symbols are predicted (an appended end mark is one of them).
        documents: how many documents those stand in, empty ones left out.
        complete: per order, counts of complete n-grams.
        starting: per order, counts of starting n-grams (order 1: none).
        followed: per order, how often each complete n-gram has a successor, where it has any.
        starting_followed: the same for starting n-grams (order 1: the bare begin mark).
        left_neighbours: per order, distinct left neighbours of each complete n-gram, the begin
            mark counting as one. Empty at order N, whose neighbours were not counted.
    """

    order: int
    tokens: int
    documents: int
    complete: tuple[Spectrum, ...]
    starting: tuple[Spectrum, ...]
    followed: tuple[Spectrum, ...]
    starting_followed: tuple[Spectrum, ...]
    left_neighbours: tuple[Spectrum, ...]

    def __getitem__(self, order: int) -> Spectrum:
        """The spectrum of complete n-grams of this order."""
        self._check(order)
        return self.complete[order - 1]

    def __len__(self) -> int:
        return self.order

    def contexts(self, order: int) -> Spectrum:
        """Counts of the contexts (order - 1 tokens) of complete n-grams of this order."""
        self._check(order)
        if order == 1:
            return Spectrum.from_counts([self.tokens])
        return self.followed[order - 2]

    def padded(self, order: int) -> Spectrum:
        """Counts of all histories-with-successor, cut at the document's start and marked.

        One entry per distinct (history of up to order - 1 symbols, token); D in sum.
        """
        self._check(order)
        return Spectrum.total([self.complete[order - 1], *self.starting[:order]])

    def padded_contexts(self, order: int) -> Spectrum:
        """Counts of the marked histories of :meth:`padded`; D in sum."""
        return Spectrum.total([self.contexts(order), *self.starting_followed[: order - 1]])

    def _check(self, order: int) -> None:
        if not 1 <= order <= self.order:
            raise OptionError(f"order {order} was not counted; these spectra hold 1..{self.order}")
