"""Constancy of the entropy rate: does loss fall along a document?"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from icfast.errors import OptionError
from icfast.laws.loss import bits_per_token
from icfast.sums.loss import LossSum


@dataclass(frozen=True)
class PositionLoss:
    """Mean loss over a range of positions.

    Attributes:
        first, last: the positions, from 0: tokens that stand before it in its document.
        predicted_tokens: how many tokens stand there.
        bits_per_token: their mean loss.
    """

    first: int
    last: int
    predicted_tokens: int
    bits_per_token: float


@dataclass(frozen=True)
class Constancy:
    """Result of :func:`entropy_rate_constancy`.

    Attributes:
        rows: per range of positions.
        slope_bits_per_doubling: of a line through them over log2 of the position, weighted by
            tokens; below 0 where context helps on and on.
        range_bits_per_token: largest less smallest mean.
    """

    rows: tuple[PositionLoss, ...]
    slope_bits_per_doubling: float
    range_bits_per_token: float


def entropy_rate_constancy(rows: Iterable[tuple[int, int, LossSum]]) -> Constancy:
    """Mean loss by position in the document, and its slope per doubling (Genzel & Charniak 2002).

    Speakers are thought to keep the information per word, *given all context*, constant. A model
    that sees little of it then finds later tokens harder, a slope above 0; one that sees all of it,
    a flat line. Documents of all lengths stand behind the first positions, only long ones behind
    the last, so that a slope may also be one of kinds of documents.

    Args:
        rows: (first, last, loss) of ranges of positions, ascending and apart, as
            ``PositionSums.doublings()`` has them.

    Raises:
        OptionError: fewer than two ranges, or not ascending.
        IcfastError: a range has no predicted tokens, or symbols that are in no sum.

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
            "constancy needs two ranges of positions or more, ascending and apart, found "
            f"{[(row.first, row.last) for row in found]}"
        )
    means = np.array([row.bits_per_token for row in found])
    weights = np.array([row.predicted_tokens for row in found], np.float64)
    # The middle of a range, in doublings; one more, so that the first position is at 0.
    x = np.array([math.log2((row.first + row.last) / 2 + 1) for row in found])
    off = x - np.average(x, weights=weights)
    slope = float((weights * off) @ means / ((weights * off) @ off))
    return Constancy(tuple(found), slope, float(means.max() - means.min()))
