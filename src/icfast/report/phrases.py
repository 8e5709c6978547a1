"""Phrases of the report and of the terminal: numbers that belong together, as text."""

from __future__ import annotations

from collections.abc import Sequence

from icfast.laws.bootstrap import Interval
from icfast.pipeline.records.capacity import CapacityRow
from icfast.pipeline.records.corpus_laws import RepeatedWindows
from icfast.pipeline.records.score import InitialLoss
from icfast.pipeline.records.spending import SpentEnergy
from icfast.units import (
    DASH,
    PREFIXES,
    SMALL_PREFIXES,
    format_fixed,
    format_joules,
    format_percent,
    format_ratio,
    format_seconds,
    signed,
)


def interval(found: Interval | None, digits: int = 4) -> str:
    """Write an estimate and its interval with a fixed number of decimals.

    >>> interval(Interval(0.01234, 0.01, 0.0156)), interval(None)
    ('0.0123 [0.0100, 0.0156]', '–')
    """
    if found is None:
        return DASH
    low, high = format_fixed(found.low, digits), format_fixed(found.high, digits)
    return f"{format_fixed(found.estimate, digits)} [{low}, {high}]"


def constant(value: float) -> str:
    """Write a fitted constant of any size with five significant digits.

    >>> constant(1.8172), constant(2085.43), constant(88051234567890.0)
    ('1.8172', '2085.4', '8.8051e+13')
    """
    return signed(f"{value:.5g}")


def decade_joules(power: int) -> str:
    """Write ten to a power as an energy, for a tick of an axis.

    >>> decade_joules(-20), decade_joules(0), decade_joules(10), decade_joules(-36)
    ('10 zJ', '1 J', '10 GJ', '1e−36 J')
    """
    thousands, rest = divmod(power, 3)
    if not -len(SMALL_PREFIXES) <= thousands < len(PREFIXES):
        return f"1e{signed(str(power))} J"
    return f"{10**rest} {SMALL_PREFIXES[-thousands - 1] if thousands < 0 else PREFIXES[thousands]}J"


def spent(found: SpentEnergy) -> str:
    """Describe the energy that was metered, or the reason why there is none.

    >>> spent(SpentEnergy("rapl", 2000.0, 40.0, 50.0, 12.0, (), "scoring", "", (), None, None, 17.25))
    '2.00e+03 J by rapl for scoring: 40.0 s, 50 W on average, 12 W idle before; 10^17.25 times E₀'
    """  # noqa: E501 - one call
    if found.joules is None:
        return f"not metered: {found.reason}"
    idle, times = found.idle_watts, found.log10_ratio
    return (
        f"{format_joules(found.joules)} by {found.source} for {found.work}: "
        f"{format_seconds(found.seconds)}, {format_ratio(found.mean_watts)} W on average"
        + ("" if idle is None else f", {format_ratio(idle)} W idle before")
        + ("" if times is None else f"; 10^{times:.2f} times E₀")
        + "".join(f" ({flag})" for flag in found.flags)
    )


def renyi_order(q: float | None) -> str:
    """Write the order of a Renyi entropy; None is infinity.

    >>> renyi_order(0.5), renyi_order(None)
    ('0.5', '∞')
    """
    return "∞" if q is None else f"{q:g}"


def repeated_share(row: RepeatedWindows) -> str:
    """Write the share of n-token windows that occurred before.

    >>> repeated_share(RepeatedWindows(order=5, share=0.75))
    '75.00 % of 5-token windows'
    """
    return f"{format_percent(row.share)} of {row.order}-token windows"


def initial_loss(found: InitialLoss) -> str:
    """Describe the loss of a freshly initialised model, with its expected loss and H1."""
    counted = found.unigram_entropy_nats_per_token
    return (
        f"{format_fixed(found.loss_nats_per_token)} nats/token (seed {found.seed}); "
        f"ln V + σ²/2 = {format_fixed(found.expected_nats_per_token)}, "
        f"ln V = {format_fixed(found.uniform_nats_per_token)}, "
        f"counted H₁ = {format_fixed(counted['cwj'])}"
    )


def raised_flags(rows: Sequence[CapacityRow]) -> dict[str, list[str]]:
    """Return each flag of IC-1 rows once, with the baselines that raised it."""
    flags: dict[str, list[str]] = {}
    for row in rows:
        for flag in row.flags:
            flags.setdefault(flag, []).append(row.baseline)
    return flags
