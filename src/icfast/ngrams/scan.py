"""Spectra of sorted runs, collected in key order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from icfast.backends.contract import Kernels
from icfast.backends.counting import KINDS, Ends, SortedRun, SpectraOut
from icfast.errors import SelfCheckError, check
from icfast.ngrams.keys import KeyShape
from icfast.sums.spectrum import Spectra, Spectrum

#: Multiplicities below this are counted in a dense row. Larger ones are listed.
_ROWS = 1024

#: Lists of large multiplicities before they are joined; the header dominates a small array.
_MOST_LISTS = 64


def scan_bytes(shape: KeyShape) -> int:
    """Return the bytes that one SpectraScan holds."""
    return len(KINDS) * shape.order * _ROWS * 8


class SpectraScan:
    """Scan that collects the spectra of orders 1..N from runs in key order.

    N-grams that are open at the end of a run stay open for the next run, so a lead may have several
    runs. Scans of disjoint leads add up: see :meth:`absorb`.
    """

    def __init__(self, kernels: Kernels, shape: KeyShape, ends: Ends) -> None:
        self._kernels = kernels
        self._shape = shape
        self._ends = ends
        self._path = np.zeros(2 + shape.words, np.uint64)
        self._sums = np.zeros((3, shape.order), np.uint64)
        self._small = np.zeros((len(KINDS), shape.order, _ROWS), np.uint64)
        self._large: list[list[NDArray[np.uint64]]] = [[] for _ in range(len(KINDS) * shape.order)]

    def add(self, run: SortedRun, *, flush: bool = False, where: object = "the windows") -> None:
        """Scan one run, and close the open n-grams if `flush` is set.

        Args:
            where: source of the run, for error messages.
        """
        shape = self._shape
        carried = int(self._sums[0].sum())
        # At most this many n-grams of an order are too frequent for the dense row.
        frequent = (int(run.counts.sum()) + carried) // _ROWS + 2
        capacity = min(frequent, len(run.counts) + 1)
        out = SpectraOut(
            self._small,
            np.zeros((len(KINDS), shape.order, capacity), np.uint64),
            np.zeros((len(KINDS), shape.order), np.int64),
        )
        check(
            self._kernels.run_spectra(
                run, self._ends, shape.order, shape.bits, self._path, self._sums, flush, out
            ),
            where,
        )
        large, lengths = out.large.reshape(-1, capacity), out.large_lengths.ravel()
        for i in lengths.nonzero()[0].tolist():
            held = self._large[i]
            held.append(large[i, : lengths[i]].copy())
            if len(held) == _MOST_LISTS:
                held[:] = [np.concatenate(held)]

    def flush(self) -> None:
        """Close the open n-grams."""
        shape = self._shape
        nothing = SortedRun(
            np.zeros(0, np.uint32),
            np.zeros(1, np.int64),
            np.zeros((0, shape.words), np.uint64),
            np.zeros(0, np.uint64),
        )
        self.add(nothing, flush=True)

    def absorb(self, other: SpectraScan) -> None:
        """Add the spectra of a flushed scan of other leads."""
        self._small += other._small
        for held, more in zip(self._large, other._large, strict=True):
            held.extend(more)

    def spectra(self, tokens: int, documents: int) -> Spectra:
        """Return the spectra of orders 1..N.

        Args:
            tokens: predicted symbols in all documents.
            documents: number of documents.
        """
        order = self._shape.order
        found = list(map(_spectrum, self._small.reshape(-1, _ROWS), self._large))
        by_kind = {kind: found[i * order : (i + 1) * order] for i, kind in enumerate(KINDS)}
        if order > 1:
            # The begin mark alone is a context once per document.
            by_kind["starting_followed"][0] = Spectrum.from_counts([documents])
        return Spectra(
            order=order,
            tokens=tokens,
            documents=documents,
            **{kind: tuple(spectra) for kind, spectra in by_kind.items()},
        )


def _spectrum(small: NDArray[np.uint64], large: list[NDArray[np.uint64]]) -> Spectrum:
    multiplicity = np.flatnonzero(small)
    dense = Spectrum(multiplicity.astype(np.uint64), small[multiplicity])
    listed = Spectrum.from_counts(np.concatenate(large)) if large else Spectrum()
    return Spectrum.total([dense, listed])


def self_check(spectra: Spectra, windows: Sequence[int]) -> None:
    """Check that sum over r of r * phi_r equals M_n for each order n.

    With marked histories, the n-grams of every order and their contexts each add up to the number
    of tokens.

    Args:
        windows: M_n = sum over documents of max(0, length - n + 1), for n = 1..N.

    Raises:
        SelfCheckError: the sums differ, which no input may cause.
    """
    starting = starting_followed = 0
    for n, expected in enumerate(windows, start=1):
        found = spectra[n].windows
        # The windows of spectra.padded(n) and padded_contexts(n), without building these spectra.
        starting += spectra.starting[n - 1].windows
        padded = found + starting
        followed = spectra.contexts(n).windows + starting_followed
        starting_followed += spectra.starting_followed[n - 1].windows
        if found != expected or not padded == followed == spectra.tokens:
            raise SelfCheckError(
                f"order {n}: the spectrum has {found} windows ({padded} with marked histories, "
                f"{followed} by context), and the documents have {expected} ({spectra.tokens}). A "
                "file changed while it was read, or this is a bug in icfast; nothing was written."
            )


def window_totals(lengths: NDArray[np.int64], order: int) -> list[int]:
    """Return M_n = sum over documents of max(0, length - n + 1), for n = 1..order.

    >>> window_totals(np.array([3, 1]), 3)
    [4, 2, 1]
    """
    return [int(np.maximum(0, lengths - n + 1).sum()) for n in range(1, order + 1)]
