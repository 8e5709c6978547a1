"""Online code length B of a run, from losses that may leave gaps."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icfast.errors import OptionError
from icfast.units import nats_to_bits

_Floats = NDArray[np.float64]

#: Share of D whose last losses are averaged for L(D).
_RECENT = 0.01

#: Share of the tokens that a log may lack at its beginning.
_MISSING = 0.01


@dataclass(frozen=True)
class LossStep:
    """Mean loss of the tokens since the previous step, for charts.

    Attributes:
        end_tokens: D at which the step ends.
        left_bits_per_token: mean loss if gaps of the log have the loss before them.
        right_bits_per_token: mean loss if gaps have the loss after them.
    """

    end_tokens: float
    left_bits_per_token: float
    right_bits_per_token: float


@dataclass(frozen=True)
class OnlineCode:
    """Losses by tokens seen; built by :func:`online_code`.

    Attributes:
        start_tokens: f64[rows], tokens seen before each row.
        end_tokens: f64[rows], tokens seen after it.
        loss_nats: f64[rows], nats per token.
        knots: f64[2 rows + 1], tokens seen at all starts and ends, 0 first.
        left_nats: nats up to each knot, if a gap has the loss before it.
        right_nats: nats up to each knot, if a gap has the loss after it.
    """

    start_tokens: _Floats
    end_tokens: _Floats
    loss_nats: _Floats
    knots: _Floats
    left_nats: _Floats
    right_nats: _Floats

    def up_to(self, tokens: float) -> tuple[float, float]:
        """Return the left and right sum of the first `tokens` tokens, in nats.

        Raises:
            OptionError: tokens is not positive, or the log ends before it.
        """
        if not 0 < tokens <= self.knots[-1]:
            raise OptionError(f"tokens must be within (0, {self.knots[-1]:.0f}], found {tokens}")
        sums = (np.interp(tokens, self.knots, nats) for nats in (self.left_nats, self.right_nats))
        left, right = map(float, sums)
        return left, right

    def loss_at(self, tokens: float) -> float:
        """Return L(D), the mean loss of the last 1 % of D tokens (at least one row), in nats.

        The loss of a row is the mean over its interval. A row that holds token D and is longer than
        1 % of D counts alone, a shorter one with its part up to D. In a gap, the row before counts.
        """
        last = max(int(np.searchsorted(self.end_tokens, tokens, "right")), 1)
        if last < len(self.end_tokens) and self.start_tokens[last] < tokens:
            if self.end_tokens[last] - self.start_tokens[last] >= _RECENT * tokens:
                return float(self.loss_nats[last])
            last += 1
        first = int(np.searchsorted(self.end_tokens, tokens * (1 - _RECENT), "right"))
        rows = slice(min(first, last - 1), last)
        widths = np.minimum(self.end_tokens[rows], tokens) - self.start_tokens[rows]
        weights = widths if (widths > 0).all() else np.ones_like(widths)
        return float(np.average(self.loss_nats[rows], weights=weights))

    def unknown_beginning(self, tokens: float) -> str | None:
        """Return why B of the first `tokens` tokens is not known, None if it is.

        B is known if the first row is about as far from token 0 as rows are from each other, here
        or in all of the log, or if at most 1 % of the tokens are before it.
        """
        between = np.diff(self.end_tokens)
        spacing = max(np.median(between), between[0]) if len(between) else np.inf
        missing = self.end_tokens[0] - spacing
        if missing <= _MISSING * tokens:
            return None
        return f"the log begins after {self.start_tokens[0]:.0f} tokens"

    def steps(self, begin: float, end: float, most: int = 400) -> tuple[LossStep, ...]:
        """Return the losses between two D as a step function; its areas are both sums.

        There are about `most` steps at most, half of them evenly spaced in D and half in ln D. All
        but the last end at the end of a row.
        """
        ends = self.end_tokens[(self.end_tokens > begin) & (self.end_tokens < end)]
        if len(ends):
            evenly = np.linspace(ends[0], ends[-1], most // 2)
            wanted = np.concatenate([evenly, np.geomspace(ends[0], ends[-1], most // 2)])
            # A rounded grid may exceed the last row.
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
    """Return B, the sum of the losses of tokens not yet learned from, as a function of D; in nats.

    (Rissanen 1984; Blier & Ollivier 2018.) A loss counts for its own tokens. Tokens in a gap
    between two rows count with the loss before the gap (left sum) and after it (right sum); if the
    loss falls, B is between the two. Tokens before the first row count with its loss in both sums.

    Args:
        start_tokens: i64[rows], tokens seen before each row, ascending.
        end_tokens: i64[rows], tokens seen after it; equal to the start if a row is a point.
        loss_nats: f64[rows], nats per token.

    Raises:
        OptionError: there are no rows, lengths differ, or rows overlap.

    >>> starts, ends = np.array([0, 100]), np.array([10, 110])
    >>> online_code(starts, ends, np.array([3.0, 2.0])).up_to(110)
    (320.0, 230.0)
    """
    starts, ends = np.asarray(start_tokens, np.float64), np.asarray(end_tokens, np.float64)
    losses = np.asarray(loss_nats, np.float64)
    if not len(losses) or not len(losses) == len(starts) == len(ends):
        raise OptionError(
            "losses, starts and ends must be equally many and not empty, found "
            f"{len(losses)}, {len(starts)} and {len(ends)}"
        )
    before = np.concatenate([[0.0], ends[:-1]])
    if (starts < before).any() or (ends < starts).any() or not np.isfinite(losses).all():
        raise OptionError("rows must be finite, ascending, and must not overlap")
    own = (ends - starts) * losses
    left = (starts - before) * np.concatenate([losses[:1], losses[:-1]])
    right = (starts - before) * losses
    knots = np.concatenate([[0.0], np.column_stack([starts, ends]).ravel()])
    sums = [np.cumsum(np.column_stack([gaps, own]).ravel()) for gaps in (left, right)]
    lefts, rights = (np.concatenate([[0.0], total]) for total in sums)
    return OnlineCode(starts, ends, losses, knots, lefts, rights)


def growth_exponent(early: float, late: float, ratio: float) -> float | None:
    """Return d ln y/d ln D from two values at D of a given ratio; None if a value is not positive.

    An exponent of 1 is linear growth.

    >>> growth_exponent(1.0, 4.0, 2.0)
    2.0
    """
    if min(early, late) <= 0 or ratio <= 1:
        return None
    return math.log(late / early) / math.log(ratio)
