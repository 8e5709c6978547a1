"""Constancy of the entropy rate: mean loss by position in the document."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from icfast.errors import OptionError
from icfast.laws.loss import bits_per_token
from icfast.laws.result_table import ResultTable
from icfast.sums.loss import LossSum


@dataclass(frozen=True)
class PositionLoss:
    """Mean loss over a range of positions.

    Attributes:
        first: first position of the range, the number of tokens before it in its document.
        last: last position of the range.
        predicted_tokens: number of tokens in the range.
        bits_per_token: mean loss of these tokens.
    """

    first: int
    last: int
    predicted_tokens: int
    bits_per_token: float


@dataclass(frozen=True)
class Constancy(ResultTable):
    """Result of :func:`entropy_rate_constancy`.

    Attributes:
        rows: mean loss per range of positions.
        slope_bits_per_doubling: slope of a line over log2 of the position, weighted by tokens. It
        is
            negative if more context keeps helping.
        range_bits_per_token: largest minus smallest mean.
    """

    rows: tuple[PositionLoss, ...]
    slope_bits_per_doubling: float
    range_bits_per_token: float


def entropy_rate_constancy(rows: Iterable[tuple[int, int, LossSum]]) -> Constancy:
    """Return mean losses by position in the document, and their slope per doubling.

    Genzel & Charniak (2002) propose that speakers keep the information per word constant *given all
    context*. A model that sees little context then finds later tokens harder (positive slope), and
    one that sees all of it has a flat line. All documents contribute to the first positions, only
    long ones to the last, so a slope can also reflect different kinds of documents.

    Args:
        rows: (first, last, loss) of disjoint ascending ranges of positions, as returned by
            ``PositionSums.doublings()``.

    Raises:
        OptionError: there are fewer than two ranges, or they are not ascending.
        IcfastError: a range has no predicted tokens, or tokens that are excluded from its sum.

    >>> nat = 1 << 32
    >>> found = entropy_rate_constancy(
    ...     [(0, 0, LossSum(3 * nat, 1, 0, 0, 0)), (1, 1, LossSum(2 * nat, 1, 0, 0, 0))])
    >>> round(found.slope_bits_per_doubling, 6)
    -1.442695
    """
    found = [
        PositionLoss(first, last, loss.predicted_tokens, bits_per_token(loss))
        for first, last, loss in rows
    ]
    edges = [edge for row in found for edge in (row.first, row.last + 1)]
    if len(found) < 2 or edges != sorted(edges) or edges[0] < 0:
        raise OptionError(
            "constancy needs at least two ascending, disjoint ranges of positions, found "
            f"{[(row.first, row.last) for row in found]}"
        )
    means = np.array([row.bits_per_token for row in found])
    weights = np.array([row.predicted_tokens for row in found], np.float64)
    # Middle of each range in doublings; adding 1 puts the first position at 0.
    x = np.array([math.log2((row.first + row.last) / 2 + 1) for row in found])
    off = x - np.average(x, weights=weights)
    slope = float((weights * off) @ means / ((weights * off) @ off))
    return Constancy(tuple(found), slope, float(means.max() - means.min()))
