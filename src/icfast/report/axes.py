"""What drawings have in common: ticks of logarithmic axes, legends beside the drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from icfast.report import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

#: Decades of an axis that would have too few ticks.
_SHORT = 2.0

#: Letters that fit above a drawing, and how many each name's handle takes.
_ROW, _HANDLE = 120, 8


def plain_ticks(*scales: Axis) -> None:
    """Whole decades, written 1, 10, 100, 1k: no powers to set as formulas."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    for axis in scales:
        axis.set_major_locator(LogLocator(numticks=12))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: numbers.short_count(value)))


def ratio_ticks(axis: Axis) -> None:
    """A logarithmic axis of figures that may be small: decades, and 2 and 5 where it is short."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axis.get_view_interval()
    short = math.log10(high / low) < _SHORT
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if short else (1.0,), numticks=8))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: numbers.ratio(value)))


def legend(axes: Axes, **look: Any) -> None:
    """A legend above the drawing, where it covers nothing, in rows that are not wider than it."""
    names: Sequence[str] = axes.get_legend_handles_labels()[1]
    if names:
        wide = sum(map(len, names)) + _HANDLE * len(names) > _ROW
        columns = min(len(names), 3 if wide else 5)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, **look)
