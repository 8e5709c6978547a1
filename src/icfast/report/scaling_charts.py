"""Charts of scaling fits, as ``<svg>`` text."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

from icfast.pipeline.records.training import ScalingLine, ScalingResult
from icfast.report.axes import legend
from icfast.report.phrases import constant
from icfast.report.svg import BAND, INK, MUTED, SERIES, draw_svg
from icfast.units import format_ratio, format_short_count

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis

#: E is drawn if it is above this share of the lowest loss.
_FLOOR_IN_SIGHT = 0.5


def lines_chart(result: ScalingResult, form: str) -> str:
    """Draw L against D on logarithmic axes, the runs and the fit's lines of equal P."""

    def draw(axes: Axes, content: ScalingResult) -> None:
        for place, line in enumerate(content.lines):
            name = _label(line)
            axes.plot(
                line.tokens, getattr(line, f"{form}_nats"), color=SERIES[place], lw=1.3, label=name
            )
            points = _runs(content, place, "tokens", "loss_nats")
            axes.plot(*points, "o", ms=4, color=SERIES[place])
        lowest = min(run.loss_nats for run in content.runs)
        floor = content.chinchilla.fit.constants["e"].estimate if form == "chinchilla" else 0.0
        if floor > _FLOOR_IN_SIGHT * lowest:
            axes.axhline(floor, color=MUTED, lw=1, ls="--")
            left = min(run.tokens for run in content.runs)
            text = f"E = {constant(floor)}"
            axes.annotate(text, (left, floor), (0, 3), textcoords="offset points", color=MUTED)
        axes.set(xscale="log", yscale="log", xlabel="tokens D", ylabel="L, nats per token")
        _ticks(axes.xaxis, format_short_count)
        _ticks(axes.yaxis, format_ratio)
        legend(axes)

    return draw_svg(f"Loss by tokens and parameters, {form}", draw, result, height=4.2)


def residual_chart(result: ScalingResult, form: str) -> str:
    """Draw the distance of ln L of each run from the fit in percent, by the loss of the fit."""

    def draw(axes: Axes, content: ScalingResult) -> None:
        delta = 100 * content.huber_delta
        axes.axhspan(-delta, delta, color=BAND, lw=0)
        axes.axhline(0, color=INK, lw=0.8)
        for place, line in enumerate(content.lines):
            fitted, measured = _runs(content, place, f"{form}_nats", "loss_nats")
            pairs = zip(fitted, measured, strict=True)
            errors = [100 * math.log(loss / fit) for fit, loss in pairs]
            axes.plot(fitted, errors, "o", ms=4, color=SERIES[place], label=_label(line))
        axes.set(xlabel="L of the fit, nats per token", ylabel="ln L above the fit, %")
        axes.yaxis.set_major_formatter(lambda value, _: format_ratio(value))
        legend(axes)

    return draw_svg(f"Measured losses against the fit, {form}", draw, result)


def _label(line: ScalingLine) -> str:
    rounded = float(f"{line.params:.3g}")
    return f"P = {format_short_count(rounded)}"


def _runs(result: ScalingResult, line: int, *names: str) -> list[list[float]]:
    """Return one list per name, with that figure of every run of a line."""
    rows = [run for run in result.runs if run.line == line]
    return [[getattr(row, name) for row in rows] for name in names]


def _ticks(axis: Axis, write: Callable[[float], str]) -> None:
    """Put ticks at 1, 2 and 5 of each decade, or in equal steps on an axis below one decade."""
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

    low, high = axis.get_view_interval()
    within = high < 10 * low
    axis.set_major_locator(MaxNLocator(6) if within else LogLocator(subs=(1, 2, 5), numticks=12))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: write(value)))
