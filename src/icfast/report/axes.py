"""What drawings have in common: ticks of logarithmic axes, legends beside the drawing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from icfast.report import numbers

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis


def plain_ticks(*scales: Axis) -> None:
    """Whole decades, written 1, 10, 100, 1k: no powers to set as formulas."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    for axis in scales:
        axis.set_major_locator(LogLocator(numticks=12))
        axis.set_minor_locator(NullLocator())
        axis.set_major_formatter(FuncFormatter(lambda value, _: numbers.short_count(value)))


def legend(axes: Axes, **look: Any) -> None:
    """A legend in one row above the drawing, where it covers nothing."""
    handles: Sequence[Any] = axes.get_legend_handles_labels()[0]
    if handles:
        columns = min(len(handles), 5)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1.0), ncols=columns, **look)
