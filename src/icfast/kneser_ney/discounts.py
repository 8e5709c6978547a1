"""Discounts of modified Kneser-Ney, per order, as functions of the counts-of-counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from icfast.sums.spectrum import Spectra, Spectrum

#: What stands in where counts-of-counts leave the discounts undefined.
FALLBACK = (0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Discounts:
    """D1, D2, D3+ of one order, in counts.

    Attributes:
        values: what is taken off a count of 1, 2, and 3 or more.
        counts_of_counts: n1..n4 they were computed from.
        fallback: whether these were unfit and the fallback stands in.
    """

    values: tuple[float, float, float]
    counts_of_counts: tuple[int, int, int, int]
    fallback: bool


def discounts(counts_of_counts: Sequence[int]) -> Discounts:
    """Discounts from n1..n4: Y = n1 / (n1 + 2 n2), D_j = j - (j + 1) Y n_{j+1} / n_j.

    All three fall back to (0.5, 1, 1.5) where n1, n2 or n3 is 0 or some D_j leaves [0, j].
    Source: Chen & Goodman 1999, equation 26.

    >>> discounts([100, 40, 20, 12]).values
    (0.5555555555555556, 1.1666666666666667, 1.6666666666666667)
    >>> discounts([5, 0, 1, 0]).fallback
    True
    """
    n1, n2, n3, n4 = (int(n) for n in counts_of_counts)
    counts = (n1, n2, n3, n4)
    if not (n1 and n2 and n3):
        return Discounts(FALLBACK, counts, fallback=True)
    y = Fraction(n1, n1 + 2 * n2)
    exact = [j - (j + 1) * y * Fraction(counts[j], counts[j - 1]) for j in (1, 2, 3)]
    if any(not 0 <= value <= j for j, value in enumerate(exact, start=1)):
        return Discounts(FALLBACK, counts, fallback=True)
    d1, d2, d3 = map(float, exact)
    return Discounts((d1, d2, d3), counts, fallback=False)


@dataclass(frozen=True)
class OrderDiscounts:
    """Discounts of one order: as the top of the order-n model, and below the top of longer ones.

    Attributes:
        top: from raw counts.
        lower: from continuation counts (n-grams that start with the begin mark keep raw ones);
            None at order N, which is only ever a top.
    """

    order: int
    top: Discounts
    lower: Discounts | None


def order_discounts(spectra: Spectra, order: int) -> OrderDiscounts:
    """Discounts of one order of these spectra."""
    starting = spectra.starting[order - 1]
    top = Spectrum.total([spectra[order], starting])
    lower = Spectrum.total([spectra.left_neighbours[order - 1], starting])
    return OrderDiscounts(
        order,
        discounts([top.seen(r) for r in (1, 2, 3, 4)]),
        discounts([lower.seen(r) for r in (1, 2, 3, 4)]) if order < spectra.order else None,
    )


def discount_table(orders: Sequence[OrderDiscounts]) -> NDArray[np.float64]:
    """f64[2, N + 1, 4] for the scoring kernel: lower ones, then tops; column 0 is D(0) = 0."""
    table = np.zeros((2, len(orders) + 1, 4))
    for entry in orders:
        if entry.lower is not None:
            table[0, entry.order, 1:] = entry.lower.values
        table[1, entry.order, 1:] = entry.top.values
    return table
