"""What a loss curve of known form absorbs, and what a repeated token is worth."""

from __future__ import annotations

import math

from icfast.errors import OptionError
from icfast.laws.balance import require_not_negative, require_positive

#: Terms added one by one, before Euler and Maclaurin take over.
_HEAD = 32

#: R* of Muennighoff et al. 2023, epochs beyond which repeating is worth little.
REPEATS = 15.387756


def power_law_absorbed_nats(amplitude_nats: float, exponent: float, tokens: int) -> float:
    """B - C of L(t) = E + A t^-a, t = 1..D: A [sum of t^-a - D D^-a], nats.

    The area under the curve above its end: what the model absorbed, if every token is fresh and
    scored before it is learned from. E drops out. For a < 1 and large D it is about
    A [D^(1-a) a/(1-a) + zeta(a) + D^-a/2], for a = 1 A (ln D + 0.5772 - 1); the sum is exact here.

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
    """D' = U (1 + R (1 - exp(-(E - 1)/R))), R = 15.387756: what E epochs over U tokens are worth.

    The fit of Muennighoff et al. 2023 (arXiv 2305.16264) to losses of models trained on
    repeated text. A second copy carries no *information*: for code lengths D is U.

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
    """Sum over t = 1..last of t^-a: the first terms, then Euler-Maclaurin to the fifth derivative.

    What is left out is below 1e-15 of it.
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
