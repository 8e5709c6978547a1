"""Entropy rate from conditional entropies of increasing order, and excess entropy."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from icfast.errors import OptionError
from icfast.laws.result_table import ResultTable


def excess_entropy_bits(conditional_bits: Sequence[float], entropy_rate_bits: float) -> float:
    """Return E = sum over n of (h_n - h_inf), the bits that a past tells about its future.

    (Crutchfield & Feldman 2003.) The sum covers h_1..h_N, so it is a lower bound if h_n falls
    further beyond N.

    Args:
        conditional_bits: h_1, h_2, ..., h_N, bits per token.
        entropy_rate_bits: h_inf, bits per token.

    Raises:
        OptionError: there is no h_n, or a number is not finite.

    >>> excess_entropy_bits([4.0, 2.5, 2.0], 2.0)
    2.5
    """
    _check(conditional_bits, 1)
    if not math.isfinite(entropy_rate_bits):
        raise OptionError(f"the entropy rate must be finite, found {entropy_rate_bits}")
    return math.fsum(h - entropy_rate_bits for h in conditional_bits)


@dataclass(frozen=True)
class EntropyRate(ResultTable):
    """Result of :func:`extrapolated_entropy_rate`.

    Attributes:
        by_form: h_inf by form, bits per token; None if the form cannot pass through the points.
        bits_per_token: mean of the forms that fit, None if none fits.
        spread_bits_per_token: largest minus smallest form, which serves as the error; None with
            fewer than two forms.
        flags: warnings for the reader, in words.
    """

    by_form: dict[str, float | None]
    bits_per_token: float | None
    spread_bits_per_token: float | None
    flags: tuple[str, ...]


def extrapolated_entropy_rate(conditional_bits: Sequence[float]) -> EntropyRate:
    """Extrapolate h_inf from the last three of h_1..h_N by three forms, whose spread is the error.

    - ``exponential``: h_n = h + A e^(-c n), for sources of finite memory (Crutchfield & Feldman
      2003).
    - ``power``: h_n = h + A n^-g with free g.
    - ``hilberg``: h_n = h + A n^-1/2 through the last two points, for a block entropy that grows as
      n h + c n^1/2 (Hilberg 1990; Debowski 2011). Text is believed to be closest to this form,
      which usually has the lowest h.

    Each form passes through the points exactly, so noise in h_N is noise in h_inf. Plug-in h_n
    collapse at high orders and lower h_inf. Leave those orders out, or pass held-out losses L_n,
    which give an upper estimate.

    Args:
        conditional_bits: h_1, ..., h_N, bits per token, N >= 3.

    Raises:
        OptionError: there are fewer than three h_n, one is not finite or negative, or the last
            three increase.

    >>> found = extrapolated_entropy_rate([2 + 2.0**-n for n in range(1, 6)])
    >>> round(found.by_form["exponential"], 12)
    2.0
    """
    _check(conditional_bits, 3)
    last = len(conditional_bits)
    orders = (last - 2, last - 1, last)
    a, b, c = conditional_bits[-3:]
    if not a >= b >= c >= 0:
        raise OptionError(
            f"h_{orders[0]}..h_{orders[2]} must not increase or be negative, found {a}, {b}, {c}"
        )
    by_form = {name: form(orders, (a, b, c)) for name, form in _FORMS.items()}
    found = [value for value in by_form.values() if value is not None]
    flags = []
    if None in by_form.values():
        flags.append("not levelling off: some forms cannot fall so evenly and are omitted")
    if any(value < 0 for value in found):
        flags.append("below 0: a form extrapolates below 0, so higher orders are needed")
    return EntropyRate(
        by_form=by_form,
        bits_per_token=math.fsum(found) / len(found) if found else None,
        spread_bits_per_token=max(found) - min(found) if len(found) > 1 else None,
        flags=tuple(flags),
    )


_Orders = tuple[int, int, int]
_Values = tuple[float, float, float]


def _exponential(_: _Orders, values: _Values) -> float | None:
    """Return h_inf by Aitken's delta-squared process."""
    first, second = values[0] - values[1], values[1] - values[2]
    if second == 0:
        return values[2]
    return values[2] - second**2 / (first - second) if first > second else None


def _power(orders: _Orders, values: _Values) -> float | None:
    first, second = values[0] - values[1], values[1] - values[2]
    if second == 0:
        return values[2]
    ratio, (x, y, z) = first / second, map(math.log, orders)

    def fall(g: float) -> float:
        """Return (n1^-g - n2^-g)/(n2^-g - n3^-g), rising in g; for g = 0 its limit."""
        return math.expm1(g * (y - x)) / -math.expm1(-g * (z - y)) if g else (y - x) / (z - y)

    if ratio <= fall(0.0):
        return None
    from scipy.optimize import brentq

    high = 1.0
    while fall(high) < ratio:
        high *= 2.0
    g = float(brentq(lambda g: fall(g) - ratio, 0.0, high, xtol=1e-14))
    return values[2] - second / math.expm1(g * (z - y))


def _hilberg(orders: _Orders, values: _Values) -> float | None:
    near, far = math.sqrt(orders[1]), math.sqrt(orders[2])
    return (values[2] * far - values[1] * near) / (far - near)


_FORMS: dict[str, Callable[[_Orders, _Values], float | None]] = {
    "exponential": _exponential,
    "power": _power,
    "hilberg": _hilberg,
}


def _check(conditional_bits: Sequence[float], least: int) -> None:
    if len(conditional_bits) < least:
        raise OptionError(
            f"at least {least} conditional entropies are needed, found {len(conditional_bits)}"
        )
    if not all(map(math.isfinite, conditional_bits)):
        raise OptionError(f"conditional entropies must be finite, found {conditional_bits}")
