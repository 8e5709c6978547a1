"""The online code length B of a run, from losses that may leave gaps between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icfast.errors import OptionError
from icfast.units import nats_to_bits

_Floats = NDArray[np.float64]

#: The last tokens whose losses are averaged for L(D): a share of D.
_RECENT = 0.01


@dataclass(frozen=True)
class LossStep:
    """The mean loss of the tokens since the step before, for drawing.

    Attributes:
        end_tokens: where it ends.
        left_bits_per_token: with gaps of the log at the loss before them.
        right_bits_per_token: with gaps at the loss after them.
    """

    end_tokens: float
    left_bits_per_token: float
    right_bits_per_token: float


@dataclass(frozen=True)
class OnlineCode:
    """Losses by tokens seen; built by :func:`online_code`.

    Attributes:
        start_tokens: where each loss begins to count.
        end_tokens: where it ends.
        loss_nats: nats per token.
        knots: tokens seen at all starts and ends, 0 first.
        left_nats: nats up to each knot, a gap at the loss before it.
        right_nats: the same, a gap at the loss after it.
    """

    start_tokens: _Floats
    end_tokens: _Floats
    loss_nats: _Floats
    knots: _Floats
    left_nats: _Floats
    right_nats: _Floats

    def up_to(self, tokens: float) -> tuple[float, float]:
        """Left and right sum of the first so many tokens, nats.

        Raises:
            OptionError: the log has none of them, or not all.
        """
        if not 0 < tokens <= self.knots[-1]:
            raise OptionError(f"tokens must be within (0, {self.knots[-1]:.0f}], found {tokens}")
        sums = (np.interp(tokens, self.knots, nats) for nats in (self.left_nats, self.right_nats))
        left, right = map(float, sums)
        return left, right

    def loss_at(self, tokens: float) -> float:
        """L(D): the mean loss of the last hundredth of D tokens, of one row at least; nats."""
        last = max(int(np.searchsorted(self.end_tokens, tokens, "right")), 1)
        first = int(np.searchsorted(self.end_tokens, tokens * (1 - _RECENT), "right"))
        rows = slice(min(first, last - 1), last)
        widths = self.end_tokens[rows] - self.start_tokens[rows]
        weights = widths if widths.all() else np.ones_like(widths)
        return float(np.average(self.loss_nats[rows], weights=weights))

    def steps(self, begin: float, end: float, most: int = 400) -> tuple[LossStep, ...]:
        """The losses between two D as a step function: areas under it are left and right sums.

        At most about so many steps, half of them evenly in D and half in ln D; all but the last
        end where a row does.
        """
        ends = self.end_tokens[(self.end_tokens > begin) & (self.end_tokens < end)]
        if len(ends):
            evenly = np.linspace(ends[0], ends[-1], most // 2)
            wanted = np.concatenate([evenly, np.geomspace(ends[0], ends[-1], most // 2)])
            # Rounded grids may pass the last row.
            found = np.minimum(np.searchsorted(ends, wanted * (1 - 1e-12)), len(ends) - 1)
            ends = ends[np.unique(found)]
        edges = np.concatenate([[begin], ends, [end]])
        sums = (np.interp(edges, self.knots, nats) for nats in (self.left_nats, self.right_nats))
        means = [nats_to_bits(1.0) * np.diff(total) / np.diff(edges) for total in sums]
        rows = zip(edges[1:], *means, strict=True)
        return tuple(LossStep(*map(float, row)) for row in rows)


def online_code(
    start_tokens: NDArray[np.int64], end_tokens: NDArray[np.int64], loss_nats: _Floats
) -> OnlineCode:
    """B = sum of the losses of tokens not yet learned from, nats (Rissanen 1984; Blier & Ollivier).

    A loss counts for its own tokens. Tokens between two rows are counted at the loss before them
    (left sum) and at the one after (right sum): where the loss falls, B lies between the two.
    Tokens before the first row are counted at its loss in both.

    Args:
        start_tokens: tokens seen before each row's, ascending.
        end_tokens: tokens seen after them; as large as the start where a row is a point.
        loss_nats: nats per token.

    Raises:
        OptionError: no rows, of unequal number, or overlapping.

    >>> starts, ends = np.array([0, 100]), np.array([10, 110])
    >>> online_code(starts, ends, np.array([3.0, 2.0])).up_to(110)
    (320.0, 230.0)
    """
    starts, ends = np.asarray(start_tokens, np.float64), np.asarray(end_tokens, np.float64)
    losses = np.asarray(loss_nats, np.float64)
    if not len(losses) or not len(losses) == len(starts) == len(ends):
        raise OptionError(f"found {len(losses)} losses, {len(starts)} starts, {len(ends)} ends")
    before = np.concatenate([[0.0], ends[:-1]])
    if (starts < before).any() or (ends < starts).any() or not np.isfinite(losses).all():
        raise OptionError("rows must be finite, in order, and not overlap")
    own = (ends - starts) * losses
    left = (starts - before) * np.concatenate([losses[:1], losses[:-1]])
    right = (starts - before) * losses
    knots = np.concatenate([[0.0], np.column_stack([starts, ends]).ravel()])
    sums = [np.cumsum(np.column_stack([gaps, own]).ravel()) for gaps in (left, right)]
    lefts, rights = (np.concatenate([[0.0], total]) for total in sums)
    return OnlineCode(starts, ends, losses, knots, lefts, rights)


def growth_exponent(early: float, late: float, ratio: float) -> float | None:
    """d ln y/d ln D between two values whose D have a ratio; 1 is linear. None if not positive.

    >>> growth_exponent(1.0, 4.0, 2.0)
    2.0
    """
    if min(early, late) <= 0 or ratio <= 1:
        return None
    return math.log(late / early) / math.log(ratio)
