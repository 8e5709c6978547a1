"""Parts that every chart uses: ticks of logarithmic axes, and legends outside the drawing."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from icfast.units import format_ratio, format_short_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

#: Number of decades below which an axis would have too few ticks.
_SHORT = 2.0

#: Letters that fit above a drawing, and the width of each handle in letters.
_ROW, _HANDLE = 120, 8


def plain_ticks(*scales: Axis) -> None:
    """Put ticks at whole decades and label them 1, 10, 100, 1k, without typeset powers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    for axis in scales:
        axis.set_major_locator(LogLocator(numticks=12))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: format_short_count(value)))


def ratio_ticks(axis: Axis) -> None:
    """Put ticks at decades of an axis of ratios, and at 2 and 5 if the axis is short."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    low, high = axis.get_view_interval()
    short = math.log10(high / low) < _SHORT
    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0) if short else (1.0,), numticks=8))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: format_ratio(value)))


def legend(axes: Axes, **look: Any) -> None:
    """Draw a legend above the drawing, in rows that fit its width."""
    names: Sequence[str] = axes.get_legend_handles_labels()[1]
    if names:
        wide = sum(map(len, names)) + _HANDLE * len(names) > _ROW
        columns = min(len(names), 3 if wide else 5)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, **look)
