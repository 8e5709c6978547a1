"""Fixtures of the tests of laws: spectra counted the slow way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence

import pytest

from icfast.sums.spectrum import Spectra, Spectrum


def _spectra_of(documents: Sequence[Sequence[object]], order: int) -> Spectra:
    """Count spectra with dictionaries of tuples; "^" is the begin mark."""
    marked = [("^", *document) for document in documents if len(document)]
    grams: list[Counter[tuple[object, ...]]] = [Counter() for _ in range(order + 1)]
    followed: list[Counter[tuple[object, ...]]] = [Counter() for _ in range(order + 1)]
    for document in marked:
        for n in range(1, order + 1):
            windows = list(zip(*(document[i:] for i in range(n)), strict=False))
            grams[n].update(windows)
            followed[n].update(windows[: len(document) - n])

    def select(table: Counter[tuple[object, ...]], starting: bool) -> Spectrum:
        return Spectrum.from_counts([c for g, c in table.items() if (g[0] == "^") == starting])

    def left(n: int) -> Spectrum:
        return Spectrum.from_counts(list(Counter(gram[1:] for gram in grams[n + 1]).values()))

    orders = range(1, order + 1)
    no_marks = [Spectrum(), *(select(grams[n], True) for n in orders[1:])]
    return Spectra(
        order=order,
        tokens=sum(len(document) - 1 for document in marked),
        documents=len(marked),
        complete=tuple(select(grams[n], False) for n in orders),
        starting=tuple(no_marks),
        followed=tuple(select(followed[n], False) for n in orders),
        starting_followed=tuple(select(followed[n], True) for n in orders),
        left_neighbours=tuple(left(n) if n < order else Spectrum() for n in orders),
    )


@pytest.fixture(scope="session")
def spectra_of() -> Callable[[Sequence[Sequence[object]], int], Spectra]:
    """Return a function that counts spectra of documents with dictionaries only."""
    return _spectra_of
