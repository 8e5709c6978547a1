"""Energies on one logarithmic axis, from Landauer's floor to what was spent."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

from icfast.report.phrases import decade_joules
from icfast.report.svg import BLUE, INK, MUTED, ORANGE, draw_svg
from icfast.units import format_joules

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Label, energy in joules, and its source.
EnergyRow = tuple[str, float, str]

#: Source of a floor. Rows of other sources were spent, and are compared with the first floor.
LANDAUER = "Landauer’s bound"

#: Source of an energy that only gives the axis a scale.
COMPARISON = "for comparison"

_COLOURS = {LANDAUER: BLUE, COMPARISON: MUTED}

#: Largest number of labels under the axis, about.
_MOST_TICKS = 9


def energy_chart(rows: Sequence[EnergyRow]) -> str:
    """Draw energies on one axis: floors in blue, spent energies in orange, comparisons in grey.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    height = 1.1 + 0.52 * max(len(rows), 2)
    return draw_svg("Energy on a logarithmic axis", _draw_energy, rows, height=height)


def _draw_energy(axes: Axes, rows: Sequence[EnergyRow]) -> None:
    drawn = [joules for _, joules, _ in rows if joules > 0]
    if not drawn:
        return
    axes.set_xscale("log")
    least, most = math.log10(min(drawn)), math.log10(max(drawn))
    # The text next to the last point needs room, too.
    room = max(1.5, 0.3 * (most - least))
    axes.set_xlim(10 ** (least - max(1.0, room / 6)), 10 ** (most + room))
    floor = next((joules for _, joules, source in rows if source == LANDAUER), 0.0)
    for place, (_, joules, source) in enumerate(rows):
        spent = source not in (LANDAUER, COMPARISON)
        colour = _COLOURS.get(source, ORANGE)
        if joules > 0 and spent and 0 < floor < joules:
            axes.plot([floor, joules], [place, place], color=MUTED, lw=0.8, ls=":")
        text = f"{format_joules(joules)}{_times(joules, floor) if spent else ''}"
        if joules > 0:
            axes.plot([joules], [place], "o", ms=8, color=colour)
        at = joules if joules > 0 else axes.get_xlim()[0]
        axes.annotate(text, (at, place), (9, 0), textcoords="offset points", va="center", color=INK)
    axes.set_yticks(range(len(rows)), [f"{label}\n{source}" for label, _, source in rows])
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.grid(visible=True, axis="x")
    axes.grid(visible=False, axis="y")
    _si_ticks(axes, least, most)
    axes.set_xlabel("energy")


def _times(joules: float, floor: float) -> str:
    if joules <= 0 or floor <= 0:
        return ""
    return f", 10^{math.log10(joules) - math.log10(floor):.1f} times the floor"


def _si_ticks(axes: Axes, least: float, most: float) -> None:
    """Put ticks at powers of ten, or of a thousand or more on a long axis: zJ, aJ, ..., J, kJ."""
    from matplotlib.ticker import NullLocator

    step = next((n for n in (1, 3, 6) if most - least < n * _MOST_TICKS), 12)
    low, high = (math.log10(end) for end in axes.get_xlim())
    # Multiples of the step, so that 1 J is a tick if it is on the axis.
    powers = range(math.ceil(low / step) * step, math.floor(high) + 1, step)
    axes.set_xticks([10.0**p for p in powers], [decade_joules(p) for p in powers])
    axes.xaxis.set_minor_locator(NullLocator())
