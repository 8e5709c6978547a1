"""Bits absorbed along a power-law loss curve, and value of repeated tokens."""

from __future__ import annotations

import math

from icfast.errors import OptionError
from icfast.laws.balance import require_not_negative, require_positive

#: Number of terms added directly before the Euler-Maclaurin formula.
_HEAD = 32

#: R* of Muennighoff et al. 2023, number of repetitions beyond which more add little.
REPEATS = 15.387756


def power_law_absorbed_nats(amplitude_nats: float, exponent: float, tokens: int) -> float:
    """Return B - C of L(t) = E + A t^-a, t = 1..D: A [sum of t^-a - D D^-a], in nats.

    This is the area between the curve and its end: what the model absorbs if every token is fresh
    and scored before the model learns from it. E cancels. For a < 1 and large D it is about
    A [D^(1-a) a/(1-a) + zeta(a) + D^-a/2], for a = 1 A (ln D + 0.5772 - 1); the function returns
    the exact sum.

    Args:
        amplitude_nats: A >= 0, nats per token.
        exponent: a > 0.
        tokens: D >= 1.

    Raises:
        OptionError: a value is out of range.

    >>> power_law_absorbed_nats(1.0, 1.0, 2), round(power_law_absorbed_nats(2.0, 0.5, 10**9), 2)
    (0.5, 63242.63)
    """
    require_not_negative("amplitude_nats", amplitude_nats)
    require_positive("exponent", exponent)
    if tokens < 1:
        raise OptionError(f"tokens must be at least 1, found {tokens}")
    return amplitude_nats * (_power_sum(exponent, tokens) - math.pow(tokens, 1.0 - exponent))


def effective_tokens(unique_tokens: float, epochs: float) -> float:
    """Return D' = U (1 + R (1 - exp(-(E - 1)/R))), the effective tokens of E epochs over U tokens.

    R = 15.387756. Muennighoff et al. 2023 (arXiv 2305.16264) fitted this to losses of models
    trained on repeated text. A second copy carries no *information*: for code lengths D is U.

    Args:
        unique_tokens: U > 0.
        epochs: E >= 1.

    Raises:
        OptionError: a value is out of range.

    >>> round(effective_tokens(1.0, 4), 5)
    3.72567
    """
    require_positive("unique_tokens", unique_tokens)
    if not (math.isfinite(epochs) and epochs >= 1):
        raise OptionError(f"epochs must be at least 1 and finite, found {epochs}")
    return unique_tokens * (1.0 - REPEATS * math.expm1(-(epochs - 1.0) / REPEATS))


def _power_sum(a: float, last: int) -> float:
    """Return the sum over t = 1..last of t^-a by Euler-Maclaurin to the fifth derivative.

    The relative truncation error is below 1e-15.
    """
    if last <= 2 * _HEAD:
        return math.fsum(math.pow(t, -a) for t in range(1, last + 1))
    m, d = float(_HEAD), float(last)
    doublings = math.log(d / m)
    growth = (1.0 - a) * doublings
    mean = doublings * math.expm1(growth) / growth if growth else doublings
    area = math.pow(m, 1.0 - a) * mean
    # Derivatives of odd order at both ends, over B_2k / (2k)!.
    first, third = a / 12, a * (a + 1) * (a + 2) / 720
    fifth = a * (a + 1) * (a + 2) * (a + 3) * (a + 4) / 30240
    ends = first * (math.pow(m, -a - 1) - math.pow(d, -a - 1))
    ends -= third * (math.pow(m, -a - 3) - math.pow(d, -a - 3))
    ends += fifth * (math.pow(m, -a - 5) - math.pow(d, -a - 5))
    head = math.fsum(math.pow(t, -a) for t in range(1, _HEAD))
    return head + area + (math.pow(m, -a) + math.pow(d, -a)) / 2 + ends
