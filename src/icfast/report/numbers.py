"""Numbers and names as people read them: icfast rounds only here. ``None`` becomes a dash."""

from __future__ import annotations

import math
from typing import Any

DASH = "–"
MINUS = "−"

_PREFIXES = ("", "k", "M", "G", "T", "P", "E")
_SMALL = ("m", "µ", "n", "p", "f", "a", "z", "y")


def _signed(text: str) -> str:
    """Write a typographic minus, and no sign in front of a zero."""
    if not text.startswith("-"):
        return text
    return MINUS + text[1:] if text.strip("-0.") else text[1:]


def interval(found: dict[str, float] | None, digits: int = 4) -> str:
    """Write an estimate and its interval with a fixed number of decimals.

    >>> interval({"estimate": 0.01234, "low": 0.01, "high": 0.0156}), interval(None)
    ('0.0123 [0.0100, 0.0156]', '–')
    """
    if found is None:
        return DASH
    low, high = per_token(found["low"], digits), per_token(found["high"], digits)
    return f"{per_token(found['estimate'], digits)} [{low}, {high}]"


def count(value: int | None) -> str:
    """Write a whole number with thousands separators.

    >>> count(1234567), count(None)
    ('1,234,567', '–')
    """
    return DASH if value is None else _signed(f"{value:,}")


def per_token(value: float | None, digits: int = 4) -> str:
    """Write bits per token, or bits of one window, with a fixed number of decimals.

    >>> per_token(7.2431498), per_token(-0.5, 2), per_token(-1e-9), per_token(None)
    ('7.2431', '−0.50', '0.0000', '–')
    """
    return DASH if value is None else _signed(f"{value:.{digits}f}")


def ratio(value: float | None) -> str:
    """Write a ratio such as eta with four significant digits.

    >>> ratio(0.0123456), ratio(7475.27), ratio(1.2e-7), ratio(123456.7)
    ('0.01235', '7,475', '1.2e-07', '123,457')
    """
    if value is None:
        return DASH
    if abs(value) >= 1000 and math.isfinite(value):
        return _signed(f"{value:,.0f}")
    return _signed(f"{value:.4g}")


def constant(value: float) -> str:
    """Write a fitted constant of any size with five significant digits.

    >>> constant(1.8172), constant(2085.43), constant(88051234567890.0)
    ('1.8172', '2085.4', '8.8051e+13')
    """
    return _signed(f"{value:.5g}")


def coverage(value: float | None) -> str:
    """Write a coverage in percent, cut and not rounded, so that 100 % means all of it.

    >>> coverage(0.999999), coverage(1.0), coverage(0.98996)
    ('99.99 %', '100.00 %', '98.99 %')
    """
    return DASH if value is None else f"{math.floor(value * 1e4) / 100:.2f} %"


def percent(value: float | None) -> str:
    """Write a share in percent.

    >>> percent(0.10137)
    '10.14 %'
    """
    return DASH if value is None else f"{100 * value:.2f} %"


def bits(value: float | None) -> str:
    """Write an amount of information with a decimal prefix and four significant digits.

    >>> bits(0.0), bits(239208.7), bits(1.5e9), bits(-2500.0)
    ('0 bit', '239.2 kbit', '1.5 Gbit', '−2.5 kbit')
    """
    if value is None:
        return DASH
    if not math.isfinite(value):
        return f"{value} bit"
    power = 0
    while abs(value) >= 999.95 and power < len(_PREFIXES) - 1:
        value, power = value / 1000, power + 1
    return f"{_signed(f'{value:.4g}')} {_PREFIXES[power]}bit"


def joules(value: float | None) -> str:
    """Write an energy in joules with three significant digits.

    >>> joules(2.87097888508e-21), joules(0.0)
    ('2.87e-21 J', '0 J')
    """
    if value is None:
        return DASH
    return "0 J" if value == 0 else f"{_signed(f'{value:.2e}')} J"


def decade_joules(power: int) -> str:
    """Write a tick of an energy axis: that power of ten, in joules.

    >>> decade_joules(-20), decade_joules(0), decade_joules(10), decade_joules(-36)
    ('10 zJ', '1 J', '10 GJ', '1e−36 J')
    """
    thousands, rest = divmod(power, 3)
    if not -len(_SMALL) <= thousands < len(_PREFIXES):
        return f"1e{_signed(str(power))} J"
    return f"{10**rest} {_SMALL[-thousands - 1] if thousands < 0 else _PREFIXES[thousands]}J"


def spent(found: dict[str, Any]) -> str:
    """Say what was metered and on what, or why nothing was.

    >>> spent({"source": "rapl", "joules": 2000.0, "seconds": 40.0, "mean_watts": 50.0,
    ...        "idle_watts": 12.0, "work": "scoring", "flags": [], "log10_ratio": 17.25})
    '2.00e+03 J by rapl for scoring: 40.0 s, 50 W on average, idle before 12 W; 10^17.25 times E₀'
    """
    if found["joules"] is None:
        return f"not metered: {found['reason']}"
    idle, times = found["idle_watts"], found["log10_ratio"]
    return (
        f"{joules(found['joules'])} by {found['source']} for {found['work']}: "
        f"{seconds(found['seconds'])}, {ratio(found['mean_watts'])} W on average"
        + ("" if idle is None else f", idle before {ratio(idle)} W")
        + ("" if times is None else f"; 10^{times:.2f} times E₀")
        + "".join(f" ({flag})" for flag in found["flags"])
    )


def kelvin(value: float) -> str:
    """Write a temperature.

    >>> kelvin(300.0), kelvin(293.15)
    ('300 K', '293.15 K')
    """
    return f"{value:g} K"


def seconds(value: float | None) -> str:
    """Write a duration.

    >>> seconds(0.034), seconds(3.21), seconds(75.0), seconds(7384.0)
    ('0.03 s', '3.2 s', '1 min 15 s', '2 h 3 min')
    """
    if value is None:
        return DASH
    if value < 0.95:
        return f"{value:.2f} s"
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def short_count(value: float) -> str:
    """Write a tick of a logarithmic axis.

    >>> short_count(1), short_count(10000), short_count(1e6)
    ('1', '10k', '1M')
    """
    power = 0
    while value >= 1000 and power < len(_PREFIXES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:g}{_PREFIXES[power]}"


def renyi_order(q: float | None) -> str:
    """Write the order of a Renyi entropy, null for infinity.

    >>> renyi_order(0.5), renyi_order(None)
    ('0.5', '∞')
    """
    return "∞" if q is None else f"{q:g}"


def repeated_share(row: dict[str, Any]) -> str:
    """Write the share of windows of an order that stood before.

    >>> repeated_share({"order": 5, "share": 0.75})
    '75.00 % of 5-token windows'
    """
    return f"{percent(row['share'])} of {row['order']}-token windows"


def initial_loss(found: dict[str, Any]) -> str:
    """Say what a freshly initialised model pays, beside what is expected of it and H1."""
    counted = found["unigram_entropy_nats_per_token"]
    return (
        f"{per_token(found['loss_nats_per_token'])} nats/token (seed {found['seed']}); "
        f"ln V + σ²/2 = {per_token(found['expected_nats_per_token'])}, "
        f"ln V = {per_token(found['uniform_nats_per_token'])}, "
        f"counted H₁ = {per_token(counted['cwj'])}"
    )


def raised_flags(rows: list[dict[str, Any]]) -> dict[str, list[str]]:
    """Each flag of the IC-1 rows once, with the baselines it was raised for.

    >>> raised_flags([{"baseline": "uniform", "flags": ["x"]}, {"baseline": "3-gram", "flags": []}])
    {'x': ['uniform']}
    """
    flags: dict[str, list[str]] = {}
    for row in rows:
        for flag in row["flags"]:
            flags.setdefault(flag, []).append(row["baseline"])
    return flags
