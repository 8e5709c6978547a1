"""Charts of a measurement, as ``<svg>`` text."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterable
from typing import TYPE_CHECKING

from icfast.pipeline.records.entropy import SpectrumRows
from icfast.pipeline.records.measure import MeasureResult
from icfast.report.axes import legend, plain_ticks
from icfast.report.svg import (
    BAND,
    BLUE,
    INK,
    MUTED,
    ORANGE,
    REST,
    SERIES,
    SURFACE,
    draw_svg,
)
from icfast.units import format_fixed

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Number of rows of one spectrum that are drawn, evenly spaced in log r.
SPECTRUM_ROWS = 160

_MARKERS = "osD^vPX*"


def entropy_chart(result: MeasureResult) -> str:
    """Draw the bracket [plug-in h_n, held-out L_n] of every order in bits per token."""
    return draw_svg("Plug-in entropy and held-out loss by order", _draw_entropy, result)


def ladder_chart(result: MeasureResult) -> str:
    """Draw the waterfall from log2 V down to the held-out loss of the full model."""
    return draw_svg("Information ladder in bits per token", _draw_ladder, result)


def spectra_chart(result: MeasureResult) -> str:
    """Draw phi_r against r for every order on logarithmic axes."""
    return draw_svg("Count spectra on logarithmic axes", _draw_spectra, result, height=4.6)


def code_chart(result: MeasureResult) -> str:
    """Draw the three code lengths of every order in bits per token."""
    return draw_svg("Code lengths by order in bits per token", _draw_codes, result)


def position_chart(result: MeasureResult) -> str:
    """Draw the neural model's mean loss by position in the document."""
    return draw_svg("Loss by position in the document", _draw_positions, result)


def thin_spectrum(spectrum: SpectrumRows, rows: int = SPECTRUM_ROWS) -> tuple[list[int], list[int]]:
    """Return the rows to draw: the first of each of ``rows`` equal steps of log r, and the last.

    >>> thin_spectrum(SpectrumRows((1, 2, 3, 999, 1000), (9, 5, 2, 1, 1)), rows=4)
    ([1, 999, 1000], [9, 1, 1])
    """
    pairs = list(zip(spectrum.multiplicity, spectrum.types, strict=True))
    if len(pairs) > rows:
        step = math.log(pairs[-1][0]) / (rows - 1)
        buckets: dict[int, tuple[int, int]] = {}
        for row in pairs:
            buckets.setdefault(int(math.log(row[0]) / step), row)
        pairs = sorted({*buckets.values(), pairs[-1]})
    return [r for r, _ in pairs], [phi for _, phi in pairs]


def _draw_entropy(axes: Axes, result: MeasureResult) -> None:
    low = _conditional(result, "bos_padded")
    high = {row.order: row.loss_bits_per_token for row in result.ladder if row.order}
    inner = _conditional(result, "prefix_marginal")
    if not low and not high:
        return
    both = sorted(low.keys() & high.keys())
    axes.fill_between(both, [low[n] for n in both], [high[n] for n in both], color=BAND, lw=0)
    axes.plot(*_points(high), "-o", ms=5, color=BLUE, label="held-out loss Lₙ")
    axes.plot(*_points(low), "-", color=ORANGE, label="plug-in hₙ, BOS-padded")
    axes.plot(*_points(inner), "--", color=MUTED, lw=1, label="plug-in hₙ, complete windows")
    _mark_gates(axes, result, low)
    _label(axes, high, 7)
    _label(axes, low, -14)
    axes.margins(x=0.06, y=0.14)
    _finish(axes, "order n", "bits per token", [*low, *high])
    legend(axes)


def _mark_gates(axes: Axes, result: MeasureResult, low: dict[int, float]) -> None:
    """Fill the markers of orders whose coverage suffices for h_n, and leave the others hollow."""
    gates = {row.order: row.gate for row in result.orders}
    for order, value in low.items():
        face = SURFACE if gates[order] == "lower bound" else ORANGE
        axes.plot([order], [value], "o", ms=5, color=ORANGE, mfc=face, zorder=3)


def _draw_ladder(axes: Axes, result: MeasureResult) -> None:
    ladder = [row for row in result.ladder if row.loss_bits_per_token is not None]
    losses = [row.loss_bits_per_token for row in ladder]
    names = [row.model for row in ladder]
    if not ladder:
        return
    _step(axes, 0, 0.0, losses[0], REST, format_fixed(losses[0], 2))
    for place, (before, after) in enumerate(itertools.pairwise(losses), 1):
        colour = BLUE if after <= before else ORANGE
        text = format_fixed(after - before, 2)
        _step(axes, place, after, before, colour, text if after <= before else f"+{text}")
        _link(axes, place, before)
    _step(axes, len(ladder), 0.0, losses[-1], REST, format_fixed(losses[-1], 2))
    _link(axes, len(ladder), losses[-1])
    axes.set_xticks(range(len(ladder) + 1), [f"{names[0]}\nlog₂ V", *names[1:], "left over\nL"])
    axes.margins(y=0.1)
    axes.set_ylabel("bits per token")


def _step(axes: Axes, place: int, one: float, other: float, colour: str, text: str) -> None:
    """Draw one bar of the waterfall with its figure above it."""
    bottom, top = sorted((one, other))
    axes.bar(place, top - bottom, 0.62, bottom=bottom, color=colour)
    axes.annotate(text, (place, top), (0, 4), textcoords="offset points", ha="center", color=INK)


def _link(axes: Axes, place: int, level: float) -> None:
    """Draw the thin line between two bars of the waterfall."""
    axes.plot([place - 0.69, place - 0.31], [level, level], color=MUTED, lw=0.8)


def _draw_spectra(axes: Axes, result: MeasureResult) -> None:
    for place, row in enumerate(result.orders):
        multiplicity, types = thin_spectrum(row.spectrum) if row.spectrum else ([], [])
        if multiplicity:
            name = f"{row.order}-token windows" if row.order > 1 else "single tokens"
            colour, marker = SERIES[place % len(SERIES)], _MARKERS[place % len(_MARKERS)]
            axes.plot(multiplicity, types, marker, color=colour, ms=3.4, mew=0, label=name)
    if axes.has_data():
        axes.set(xscale="log", yscale="log")
        axes.set_xlim(0.7, max(12.0, axes.get_xlim()[1]))
        axes.set_ylim(0.7, max(12.0, axes.get_ylim()[1]))
        plain_ticks(axes.xaxis, axes.yaxis)
        legend(axes, markerscale=1.8)
    axes.set_xlabel("multiplicity r (times seen)")
    axes.set_ylabel("φᵣ (types seen r times)")


def _draw_codes(axes: Axes, result: MeasureResult) -> None:
    """Draw A, and B and C of each order; the band is what the best family absorbs."""
    codes = result.code_lengths
    tokens, best = codes.tokens, codes.best
    orders = [row.order for row in codes.families[0].orders]
    for family, colour in zip(codes.families, (REST, BLUE), strict=True):
        b, c = (
            [getattr(row.lengths, f"{name}_bits") / tokens for row in family.orders]
            for name in ("online", "final")
        )
        axes.plot(orders, b, "-o", ms=5, color=colour, label=f"B {family.family}")
        if family.family == best.family:
            axes.fill_between(orders, c, b, color=BAND, lw=0, label="absorbed B − C")
            axes.plot(orders, c, "-s", ms=4.5, color=ORANGE, label="C final")
            shortest = best.online_bits / tokens
            axes.plot([best.order], [shortest], "o", ms=11, mfc="none", color=INK)
    baseline = codes.families[0].orders[0].lengths.baseline_bits / tokens
    axes.axhline(baseline, color=MUTED, lw=1.2, label="A baseline")
    axes.margins(x=0.06, y=0.1)
    _finish(axes, "order n", "bits per token", orders)
    legend(axes)


def _draw_positions(axes: Axes, result: MeasureResult) -> None:
    """Draw one step for each doubling of positions, beginning at 1."""
    score = None if result.neural is None else result.neural.score
    if score is None or score.neural is None or score.loss_bits_per_token is None:
        return
    means = ((row, row.loss_bits_per_token) for row in score.neural.by_position)
    rows = [(row, loss) for row, loss in means if loss is not None]
    if not rows:
        return
    edges = [row.first + 1 for row, _ in rows] + [rows[-1][0].last + 2]
    losses = [loss for _, loss in rows]
    axes.stairs(losses, edges, baseline=None, color=BLUE, lw=1.8)
    axes.axhline(score.loss_bits_per_token, color=MUTED, lw=1, ls="--", label="mean of all tokens")
    axes.set_xscale("log")
    axes.margins(y=0.14)
    plain_ticks(axes.xaxis)
    axes.set_xlabel("position in the document, from 1")
    axes.set_ylabel("bits per token")
    legend(axes)


def _conditional(result: MeasureResult, name: str) -> dict[int, float]:
    """Return the conditional entropies by order, without orders that have no windows."""
    rows = ((row.order, row.conditional_entropy_bits_per_token[name]) for row in result.orders)
    return {order: value for order, value in rows if value is not None}


def _points(series: dict[int, float]) -> tuple[list[int], list[float]]:
    return list(series), list(series.values())


def _label(axes: Axes, series: dict[int, float], offset: int) -> None:
    """Write each value next to its point, ``offset`` points above it."""
    for point in series.items():
        text = format_fixed(point[1], 2)
        axes.annotate(text, point, (0, offset), textcoords="offset points", ha="center", color=INK)


def _finish(axes: Axes, x: str, y: str, ticks: Iterable[int]) -> None:
    axes.set_xticks(sorted(set(ticks)))
    axes.set_xlabel(x)
    axes.set_ylabel(y)
