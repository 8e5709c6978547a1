"""Discounts of modified Kneser-Ney for each order, computed from the counts of counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from icfast.sums.spectrum import Spectra, Spectrum

#: Discounts for orders whose counts of counts leave them undefined (KenLM uses the same).
FALLBACK = (0.5, 1.0, 1.5)


@dataclass(frozen=True)
class Discounts:
    """D1, D2 and D3+ of one order, in counts.

    Attributes:
        values: discounts of a count of 1, of 2, and of 3 or more.
        counts_of_counts: n1..n4, from which they were computed.
        fallback: whether the counts of counts left them undefined and FALLBACK was used.
    """

    values: tuple[float, float, float]
    counts_of_counts: tuple[int, int, int, int]
    fallback: bool


def discounts(counts_of_counts: Sequence[int]) -> Discounts:
    """Compute D_j = j - (j + 1) Y n_{j+1} / n_j for j = 1, 2, 3, with Y = n1 / (n1 + 2 n2).

    n_r is the number of n-grams that occur r times. All three discounts are replaced by
    (0.5, 1, 1.5) if n1, n2 or n3 is 0 or if some D_j is outside [0, j].
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
    """Discounts of one order n.

    Attributes:
        top: discounts of raw counts, for the model whose highest order is n.
        lower: discounts of continuation counts, for models of higher order. N-grams that start with
            the begin mark keep their raw counts. None at order N, which has no higher model.
    """

    order: int
    top: Discounts
    lower: Discounts | None


def order_discounts(spectra: Spectra, order: int) -> OrderDiscounts:
    """Return the discounts of one order, from spectra."""
    starting = spectra.starting[order - 1]
    top = Spectrum.total([spectra[order], starting])
    lower = Spectrum.total([spectra.left_neighbours[order - 1], starting])
    return OrderDiscounts(
        order,
        discounts([top.seen(r) for r in (1, 2, 3, 4)]),
        discounts([lower.seen(r) for r in (1, 2, 3, 4)]) if order < spectra.order else None,
    )


def discount_table(orders: Sequence[OrderDiscounts]) -> NDArray[np.float64]:
    """Return f64[2, N + 1, 4] for the scoring kernel.

    table[0] holds the lower and table[1] the top discounts, by order and by count 0, 1, 2, 3+.
    """
    table = np.zeros((2, len(orders) + 1, 4))
    for entry in orders:
        if entry.lower is not None:
            table[0, entry.order, 1:] = entry.lower.values
        table[1, entry.order, 1:] = entry.top.values
    return table
