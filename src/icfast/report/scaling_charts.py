"""The charts of scaling fits: result dictionary in, ``<svg>`` text out."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from icfast.report import numbers
from icfast.report.axes import legend
from icfast.report.svg import BAND, INK, MUTED, SERIES, Result, draw_svg

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

#: E is drawn if no further below the lowest loss than by this share of it.
_FLOOR_IN_SIGHT = 0.5


def lines_chart(result: Result, form: str) -> str:
    """Draw L against D on logarithmic axes, the runs and the fit's lines of equal P."""

    def draw(axes: Axes, content: Result) -> None:
        for place, line in enumerate(content["lines"]):
            name = _label(line)
            axes.plot(line["tokens"], line[f"{form}_nats"], color=SERIES[place], lw=1.3, label=name)
            points = _runs(content, place, "tokens", "loss_nats")
            axes.plot(*points, "o", ms=4, color=SERIES[place])
        lowest = min(run["loss_nats"] for run in content["runs"])
        floor = content[form]["constants"]["e"]["estimate"] if form == "chinchilla" else 0.0
        if floor > _FLOOR_IN_SIGHT * lowest:
            axes.axhline(floor, color=MUTED, lw=1, ls="--")
            left = min(run["tokens"] for run in content["runs"])
            text = f"E = {numbers.constant(floor)}"
            axes.annotate(text, (left, floor), (0, 3), textcoords="offset points", color=MUTED)
        axes.set(xscale="log", yscale="log", xlabel="tokens D", ylabel="L, nats per token")
        _ticks(axes.xaxis, numbers.short_count)
        _ticks(axes.yaxis, numbers.ratio)
        legend(axes)

    return draw_svg(f"Loss by tokens and parameters, {form}", draw, result, height=4.2)


def residual_chart(result: Result, form: str) -> str:
    """Draw how far ln L of each run lies from the fit, in percent, by the loss of the fit."""

    def draw(axes: Axes, content: Result) -> None:
        delta = 100 * content["huber_delta"]
        axes.axhspan(-delta, delta, color=BAND, lw=0)
        axes.axhline(0, color=INK, lw=0.8)
        for place, line in enumerate(content["lines"]):
            fitted, measured = _runs(content, place, f"{form}_nats", "loss_nats")
            pairs = zip(fitted, measured, strict=True)
            errors = [100 * math.log(loss / fit) for fit, loss in pairs]
            axes.plot(fitted, errors, "o", ms=4, color=SERIES[place], label=_label(line))
        axes.set(xlabel="L of the fit, nats per token", ylabel="ln L above the fit, %")
        axes.yaxis.set_major_formatter(lambda value, _: numbers.ratio(value))
        legend(axes)

    return draw_svg(f"Measured losses against the fit, {form}", draw, result)


def _label(line: Result) -> str:
    rounded = float(f"{line['params']:.3g}")
    return f"P = {numbers.short_count(rounded)}"


def _runs(result: Result, line: int, *names: str) -> list[list[float]]:
    """Figures of the runs of a line, one list a name."""
    rows = [run for run in result["runs"] if run["line"] == line]
    return [[row[name] for row in rows] for name in names]


def _ticks(axis: Axis, write: Callable[[float], str]) -> None:
    """Plain numbers on a logarithmic axis: 1, 2 and 5, or even steps where a decade is not full."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    low, high = axis.get_view_interval()
    within = high < 10 * low
    axis.set_major_locator(MaxNLocator(6) if within else LogLocator(subs=(1, 2, 5), numticks=12))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
