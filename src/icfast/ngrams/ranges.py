"""Spectra collected as ranges of orders.

An n-gram that occurs as often as its extensions to longer n-grams is recorded once for the whole
range of orders, not once per order.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import KINDS, SpectraRanges
from icfast.sums.spectrum import Spectra, Spectrum

#: Bounds of the multiplicities counted in dense rows, and maximum cells of these rows over all
#: orders. Larger multiplicities are listed.
_ROWS = 1024
_LEAST_ROWS = 16
_CELLS = 1 << 19


def dense_rows(order: int) -> int:
    """Return the number of multiplicities with a dense row in spectra of orders 1..order."""
    return max(_LEAST_ROWS, min(_ROWS, _CELLS // (len(KINDS) * (order + 2))))


def most_listed(windows: int, order: int) -> int:
    """Return the maximum number of ranges that the windows can list.

    At each order at most windows / rows types are frequent. A branch of the tree of n-grams has at
    most four ranges, and there are at most as many branches as windows.
    """
    frequent = (windows // dense_rows(order)) * (order + 1)
    return 4 * min(windows, frequent)


class RangeSum:
    """Sum of ranges of orders, per kind and multiplicity."""

    def __init__(self, order: int) -> None:
        self._order = order
        self._small = np.zeros((len(KINDS), order + 2, dense_rows(order)), np.uint64)
        self._large: list[NDArray[np.uint64]] = []

    def out(self, room: NDArray[np.uint64]) -> SpectraRanges:
        """Return the arrays that a kernel adds to.

        Args:
            room: u64[most_listed(windows, order), 4], for the ranges that the kernel lists.
        """
        return SpectraRanges(self._small, room, np.zeros(1, np.int64))

    def take(self, out: SpectraRanges) -> None:
        """Keep the ranges that a kernel listed."""
        self._large.append(out.large[: out.large_length[0]].copy())

    def absorb(self, other: RangeSum) -> None:
        """Add the ranges of other leads."""
        self._small += other._small
        self._large += other._large

    def spectra(self, tokens: int, documents: int) -> Spectra:
        """Return the spectra of orders 1..N.

        Args:
            tokens: predicted symbols in all documents.
            documents: number of documents.
        """
        listed = np.concatenate([np.zeros((0, 4), np.uint64), *self._large])
        by_kind = {
            kind: tuple(self._of_kind(i, listed[listed[:, 0] == i])) for i, kind in enumerate(KINDS)
        }
        if self._order > 1:
            # The begin mark alone is a context once per document.
            bare = Spectrum.from_counts([documents])
            by_kind["starting_followed"] = (bare, *by_kind["starting_followed"][1:])
        return Spectra(order=self._order, tokens=tokens, documents=documents, **by_kind)

    def _of_kind(self, kind: int, listed: NDArray[np.uint64]) -> Iterator[Spectrum]:
        """Yield the spectrum of each order, from all ranges that contain the order."""
        dense = np.zeros(self._small.shape[2], np.uint64)
        large = np.unique(listed[:, 1])
        types = np.zeros(len(large), np.int64)
        begins = _Changes(listed[:, 2], np.searchsorted(large, listed[:, 1]))
        stops = _Changes(listed[:, 3] + np.uint64(1), np.searchsorted(large, listed[:, 1]))
        for n in range(1, self._order + 1):
            dense += self._small[kind, n]
            np.add.at(types, begins.at(n), 1)
            np.subtract.at(types, stops.at(n), 1)
            seen, frequent = np.flatnonzero(dense), np.flatnonzero(types)
            yield Spectrum(
                np.append(seen.astype(np.uint64), large[frequent]),
                np.append(dense[seen], types[frequent].astype(np.uint64)),
            )


class _Changes:
    """Index of the rows that change at each order."""

    def __init__(self, orders: NDArray[np.uint64], rows: NDArray[np.int64]) -> None:
        by_order = np.argsort(orders, kind="stable")
        self._orders, self._rows = orders[by_order], rows[by_order]

    def at(self, n: int) -> NDArray[np.int64]:
        """Return the rows that change at order n."""
        low, high = np.searchsorted(self._orders, np.array([n, n + 1], np.uint64))
        return self._rows[low:high]
