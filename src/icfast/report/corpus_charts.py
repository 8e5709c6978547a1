"""Charts of the corpus laws, as ``<svg>`` text."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING

from icfast.pipeline.records.measure import MeasureResult
from icfast.report.axes import legend, plain_ticks
from icfast.report.charts import thin_spectrum
from icfast.report.svg import BAND, BLUE, MUTED, ORANGE, draw_svg
from icfast.units import format_ratio

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def heaps_chart(result: MeasureResult) -> str:
    """Draw distinct types against tokens, for the text and for shuffled text."""
    return draw_svg("Types by tokens, observed and shuffled", _draw_heaps, result)


def zipf_chart(result: MeasureResult) -> str:
    """Draw counts by rank, and the fitted tail."""
    return draw_svg("Counts of single tokens by rank", _draw_zipf, result)


def constancy_chart(result: MeasureResult) -> str:
    """Draw the n-gram model's mean loss by position in the document."""
    return draw_svg("Held-out loss by position in the document", _draw_constancy, result)


def _draw_heaps(axes: Axes, result: MeasureResult) -> None:
    law = result.corpus_laws.heaps.found
    if law is None:
        return
    tokens, observed, shuffled = law.tokens, law.observed_types, law.shuffled_types
    axes.fill_between(tokens, observed, shuffled, color=BAND, lw=0)
    axes.plot(tokens, shuffled, "-", color=MUTED, lw=1.2, label="shuffled, exact mean")
    axes.plot(tokens, observed, "-", color=BLUE, label="in the text")
    fit = law.observed_fit
    ends = (tokens[-1] / 1000, tokens[-1])
    axes.plot(
        ends,
        [fit.k * n**fit.beta for n in ends],
        "--",
        color=ORANGE,
        lw=1.2,
        label=f"k nᵝ, β = {format_ratio(fit.beta)}",
    )
    _logarithmic(axes, "tokens read, n", "distinct types, V(n)")


def _draw_zipf(axes: Axes, result: MeasureResult) -> None:
    law = result.corpus_laws.zipf.found
    if law is None:
        return
    spectrum = result.orders[0].spectrum
    if spectrum is None:
        return
    counts = list(reversed(spectrum.multiplicity))
    ranks = itertools.accumulate(reversed(spectrum.types))
    drawn = set(thin_spectrum(spectrum)[0])
    points = [(rank, r) for rank, r in zip(ranks, counts, strict=True) if r in drawn]
    axes.plot(*_columns(points), "o", ms=3.4, mew=0, color=BLUE, label="count of each rank")
    tail = law.best
    ends = (1, tail.types)
    fitted = [tail.minimum_count * (rank / tail.types) ** -tail.rank_exponent for rank in ends]
    label = f"tail, s = {format_ratio(tail.rank_exponent)}"
    axes.plot(ends, fitted, "-", color=ORANGE, lw=1.4, label=label)
    _logarithmic(axes, "rank", "count")


def _draw_constancy(axes: Axes, result: MeasureResult) -> None:
    law = result.corpus_laws.constancy.found
    rows = () if law is None else law.rows
    if not rows:
        return
    edges = [row.first + 1 for row in rows] + [rows[-1].last + 2]
    losses = [row.loss_bits_per_token or 0.0 for row in rows]
    axes.stairs(losses, edges, baseline=None, color=BLUE, lw=1.8, label="mean loss")
    tokens = [row.predicted_tokens for row in rows]
    mean = sum(n * bits for n, bits in zip(tokens, losses, strict=True)) / sum(tokens)
    axes.axhline(mean, color=MUTED, lw=1, ls="--", label="mean of all tokens")
    axes.set_xscale("log")
    axes.margins(y=0.14)
    plain_ticks(axes.xaxis)
    axes.set_xlabel("position in the document, from 1")
    axes.set_ylabel("bits per token")
    legend(axes)


def _columns(points: Sequence[tuple[int, int]]) -> tuple[list[int], list[int]]:
    return [x for x, _ in points], [y for _, y in points]


def _logarithmic(axes: Axes, x: str, y: str) -> None:
    axes.set(xscale="log", yscale="log")
    plain_ticks(axes.xaxis, axes.yaxis)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    legend(axes)
