"""Numbers and names as people read them: icfast rounds only here. ``None`` becomes a dash."""

from __future__ import annotations

from typing import Any

from icfast.units import DASH, MINUS, PREFIXES, SMALL_PREFIXES, signed
from icfast.units import format_bits as bits
from icfast.units import format_count as count
from icfast.units import format_coverage as coverage
from icfast.units import format_fixed as per_token
from icfast.units import format_joules as joules
from icfast.units import format_kelvin as kelvin
from icfast.units import format_percent as percent
from icfast.units import format_ratio as ratio
from icfast.units import format_seconds as seconds
from icfast.units import format_short_count as short_count

__all__ = [
    "DASH",
    "MINUS",
    "bits",
    "constant",
    "count",
    "coverage",
    "decade_joules",
    "initial_loss",
    "interval",
    "joules",
    "kelvin",
    "per_token",
    "percent",
    "raised_flags",
    "ratio",
    "renyi_order",
    "repeated_share",
    "seconds",
    "short_count",
    "spent",
]


def interval(found: dict[str, float] | None, digits: int = 4) -> str:
    """Write an estimate and its interval with a fixed number of decimals.

    >>> interval({"estimate": 0.01234, "low": 0.01, "high": 0.0156}), interval(None)
    ('0.0123 [0.0100, 0.0156]', '–')
    """
    if found is None:
        return DASH
    low, high = per_token(found["low"], digits), per_token(found["high"], digits)
    return f"{per_token(found['estimate'], digits)} [{low}, {high}]"


def constant(value: float) -> str:
    """Write a fitted constant of any size with five significant digits.

    >>> constant(1.8172), constant(2085.43), constant(88051234567890.0)
    ('1.8172', '2085.4', '8.8051e+13')
    """
    return signed(f"{value:.5g}")


def decade_joules(power: int) -> str:
    """Write a tick of an energy axis: that power of ten, in joules.

    >>> decade_joules(-20), decade_joules(0), decade_joules(10), decade_joules(-36)
    ('10 zJ', '1 J', '10 GJ', '1e−36 J')
    """
    thousands, rest = divmod(power, 3)
    if not -len(SMALL_PREFIXES) <= thousands < len(PREFIXES):
        return f"1e{signed(str(power))} J"
    return f"{10**rest} {SMALL_PREFIXES[-thousands - 1] if thousands < 0 else PREFIXES[thousands]}J"


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
