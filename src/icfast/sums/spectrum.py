"""Count spectra: how many types occur r times.

A spectrum is the input of every entropy estimator and has at most sqrt(2 N) rows for N windows.
Spectra of disjoint key ranges can be added. Spectra of two data shards can't: the same type may
occur in both.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from icfast.errors import OptionError
from icfast.notebook import facts_html, table_html
from icfast.units import format_count

U64 = NDArray[np.uint64]

#: Counts below this are tallied in a table. The few above are sorted.
_TABLE = 1 << 16


def _empty() -> U64:
    return np.zeros(0, np.uint64)


@dataclass(frozen=True, eq=False, repr=False)
class Spectrum:
    """Numbers phi_r of types that occur exactly r times.

    Attributes:
        multiplicity: u64[rows], the counts r that occur, strictly ascending and positive.
        types: u64[rows], phi_r > 0, the number of types that occur exactly r times.
    """

    multiplicity: U64 = field(default_factory=_empty)
    types: U64 = field(default_factory=_empty)

    @classmethod
    def from_counts(cls, counts: ArrayLike) -> Spectrum:
        """Return the spectrum of a 1-D array of counts. Zeros are left out.

        Raises:
            OptionError: the counts are not 1-D, not whole, or negative.

        >>> Spectrum.from_counts([4, 2, 3, 0, 2]).multiplicity
        array([2, 3, 4], dtype=uint64)
        """
        array = np.asarray(counts)
        if array.ndim != 1:
            raise OptionError(
                f"counts must be a 1-D array, found {array.ndim} dimensions. Flatten it."
            )
        if array.dtype.kind == "u":
            return cls._from_whole(array)
        # These comparisons also refuse infinities and NaN.
        whole = (array >= 0) & (array < np.inf) & (array == np.floor(array))
        if not np.all(whole):
            raise OptionError(
                f"counts must be whole and not negative, found {array[~whole][0]}. "
                "Pass numbers of occurrences."
            )
        return cls._from_whole(array)

    @classmethod
    def _from_whole(cls, counts: NDArray[Any]) -> Spectrum:
        few = counts < _TABLE
        table = np.bincount(counts[few].astype(np.int64), minlength=1)
        small = np.flatnonzero(table[1:]) + 1
        large, types = np.unique(counts[~few], return_counts=True)
        # numpy turns an array of signed and unsigned integers into floats.
        return cls(
            np.concatenate([small.astype(np.uint64), large.astype(np.uint64)]),
            np.concatenate([table[small], types]).astype(np.uint64),
        )

    @classmethod
    def total(cls, parts: Iterable[Spectrum]) -> Spectrum:
        """Return the sum of spectra of disjoint key ranges.

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
        """Number of windows counted, N = sum over r of r * phi_r."""
        return sum(
            r * t for r, t in zip(self.multiplicity.tolist(), self.types.tolist(), strict=True)
        )

    @property
    def distinct(self) -> int:
        """Number of distinct types, K = sum over r of phi_r."""
        return int(self.types.sum())

    def seen(self, times: int) -> int:
        """Return phi_r, the number of types that occur exactly `times` times.

        >>> Spectrum.from_counts([1, 1, 2]).seen(1)
        2
        """
        if not 0 < times < 2**64:
            return 0
        # A Python integer would be compared as a double, which merges counts beyond 2^53.
        row = int(np.searchsorted(self.multiplicity, np.uint64(times)))
        found = row < len(self.multiplicity) and int(self.multiplicity[row]) == times
        return int(self.types[row]) if found else 0

    @property
    def singletons(self) -> int:
        """Number of types that occur once, phi_1."""
        return self.seen(1)

    @property
    def doubletons(self) -> int:
        """Number of types that occur twice, phi_2."""
        return self.seen(2)

    def __repr__(self) -> str:
        types, windows = format_count(self.distinct), format_count(self.windows)
        return f"Spectrum({types} types, {windows} windows)"

    def _repr_html_(self) -> str:
        facts = {
            "windows N": format_count(self.windows),
            "types K": format_count(self.distinct),
            "types seen once": format_count(self.singletons),
            "types seen twice": format_count(self.doubletons),
        }
        return facts_html("Spectrum", facts)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Spectrum):
            return NotImplemented
        return np.array_equal(self.multiplicity, other.multiplicity) and np.array_equal(
            self.types, other.types
        )

    def __hash__(self) -> int:
        return hash((self.multiplicity.tobytes(), self.types.tobytes()))


@dataclass(frozen=True, repr=False)
class Spectra:
    """Spectra of orders 1..N of one set of documents. `spectra[n]` is the spectrum of order n.

    Each document is preceded by a begin mark. A complete n-gram contains no mark. A starting n-gram
    consists of the mark and n - 1 tokens.

    Attributes:
        order: length N of the longest n-grams.
        tokens: number D of predicted symbols, appended end marks included.
        documents: number of documents that are not empty.
        complete: spectrum of complete n-grams, by order.
        starting: spectrum of starting n-grams, by order. Empty at order 1.
        followed: spectrum of the number of successors of complete n-grams, by order. An n-gram
            without a successor is left out.
        starting_followed: likewise for starting n-grams. Order 1 is the begin mark alone.
        left_neighbours: spectrum of the number of distinct left neighbours of complete n-grams, by
            order. The begin mark counts as a neighbour. Empty at order N, where neighbours are not
            counted.
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
        """Return the spectrum of complete n-grams of an order."""
        self._check(order)
        return self.complete[order - 1]

    def __len__(self) -> int:
        return self.order

    def __repr__(self) -> str:
        return (
            f"Spectra(orders 1..{self.order}, {format_count(self.tokens)} tokens, "
            f"{format_count(self.documents)} documents)"
        )

    def _repr_html_(self) -> str:
        title = f"Spectra of {format_count(self.tokens)} tokens"
        columns = ("order", "windows N", "types K", "seen once", "seen twice")
        rows = [
            (
                str(order),
                format_count(spectrum.windows),
                format_count(spectrum.distinct),
                format_count(spectrum.singletons),
                format_count(spectrum.doubletons),
            )
            for order, spectrum in enumerate(self.complete, 1)
        ]
        return table_html(title, columns, rows)

    def contexts(self, order: int) -> Spectrum:
        """Return the spectrum of the contexts (order - 1 tokens) of complete n-grams."""
        self._check(order)
        if order == 1:
            return Spectrum.from_counts([self.tokens])
        return self.followed[order - 2]

    def padded(self, order: int) -> Spectrum:
        """Return the spectrum of all pairs of a history and its successor. It has D windows.

        A history is the order - 1 symbols before a token. It begins with the begin mark where the
        document has fewer tokens.
        """
        self._check(order)
        return Spectrum.total([self.complete[order - 1], *self.starting[:order]])

    def padded_contexts(self, order: int) -> Spectrum:
        """Return the spectrum of the histories of `padded`. It has D windows."""
        return Spectrum.total([self.contexts(order), *self.starting_followed[: order - 1]])

    def _check(self, order: int) -> None:
        if not 1 <= order <= self.order:
            raise OptionError(
                f"order {order} was not counted: these spectra hold 1..{self.order}. "
                "Ask for one of them, or count to a higher order."
            )
