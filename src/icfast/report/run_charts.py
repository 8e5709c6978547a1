"""The charts of a training run: result dictionary in, ``<svg>`` text out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from icfast.report import numbers
from icfast.report.axes import legend, plain_ticks, ratio_ticks
from icfast.report.svg import BAND, BLUE, INK, MUTED, ORANGE, SERIES, Result, draw_svg
from icfast.units import nats_to_bits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Left and right sums closer than this share of B are one line.
_SAME = 1e-3

#: The first tokens, as a share of D, and how far above the rest they must be to be left out.
_START, _FAR = 2e-3, 1.5

#: From this share of where a fit begins, the curve is drawn beside it.
_BEFORE_FIT = 0.2


def loss_chart(result: Result) -> str:
    """Draw L(D) in bits per token on straight axes: the area above the final loss is B - C."""
    return draw_svg("Loss by tokens seen, absorbed bits shaded", _draw_losses, result, height=4.2)


def fit_chart(result: Result) -> str:
    """Draw L(D) against ln D with the fit E + A D^-alpha, its interval, and D extrapolated."""
    return draw_svg("Loss by tokens seen and its fit", _draw_fit, result, height=4.2)


def annealing_chart(result: Result) -> str:
    """Draw the loss by step beside the annealing law, with and without its annealing term."""
    return draw_svg("Loss by step and the annealing law", _draw_annealing, result, height=4.2)


def eta_chart(result: Result) -> str:
    """Draw eta(D), gross and absorbed, on logarithmic axes beside linear growth."""
    return draw_svg("Capacity used by tokens seen", _draw_eta, result)


def absorbed_chart(result: Result) -> str:
    """Draw absorbed bits by parameter as D grows, beside published capacities."""
    return draw_svg("Absorbed bits by tokens seen", _draw_absorbed, result)


def energy_run_chart(result: Result) -> str:
    """Draw joules spent up to each D and Landauer's floor of the bits absorbed by then."""
    return draw_svg("Energy by tokens seen", _draw_energies, result)


def _draw_losses(axes: Axes, result: Result) -> None:
    tokens, final = result["unique_tokens"], result["final_loss_bits_per_token"]
    edges, left, right = _steps(result, 0.0, tokens)
    mean = [(one + other) / 2 for one, other in zip(left, right, strict=True)]
    steps = list(zip(edges[1:], mean, strict=True))
    absorbed = f"B − C, absorbed: {numbers.bits(result['absorbed_bits'])}"
    axes.stairs(mean, edges, baseline=final, fill=True, color=BAND, lw=0, label=absorbed)
    sums = result["online_bits_left"], result["online_bits_right"]
    if abs(sums[0] - sums[1]) > _SAME * result["online_bits"]:
        for place, bound in enumerate((left, right)):
            name = None if place else "its left and right bound"
            axes.stairs(bound, edges, baseline=None, color=MUTED, lw=0.7, label=name)
    axes.stairs(mean, edges, baseline=None, color=BLUE, lw=1.3, label="online loss L(D)")
    axes.plot([0, tokens], [final, final], color=ORANGE, label="final loss, C = D·L")
    if result["tokens_seen"] > tokens:
        edges, left, _ = _steps(result, tokens, result["tokens_seen"])
        axes.stairs(left, edges, baseline=None, color=MUTED, lw=1, label="later epochs")
    _draw_evaluations(axes, result, 0.0)
    axes.set_xlim(0, 1.01 * edges[-1])
    axes.margins(y=0.05)
    # The lowest is said: before 3.9 matplotlib's stairs reach down to 0.
    low = min(final, *left, *right, *(row["loss_bits_per_token"] for row in result["evaluations"]))
    axes.set_ylim(bottom=low - 0.05 * (axes.get_ylim()[1] - low))
    _leave_out_start(axes, tokens, steps)
    _count_ticks(axes, "tokens D")
    axes.set_ylabel("bits per token")
    legend(axes)


def _leave_out_start(axes: Axes, tokens: float, steps: list[tuple[float, float]]) -> None:
    """Where the first tokens are far above all others, the drawing ends below them and says so."""
    first = steps[0][1]
    later = max((loss for end, loss in steps if end > _START * tokens), default=first)
    bottom = axes.get_ylim()[0]
    if first - bottom > _FAR * (later - bottom):
        axes.set_ylim(bottom, later + 0.06 * (later - bottom))
        text = f"↑ from {numbers.per_token(first, 2)}"
        axes.annotate(
            text,
            (0.005, 0.99),
            (4, -2),
            xycoords="axes fraction",
            textcoords="offset points",
            va="top",
            color=MUTED,
        )


def _draw_fit(axes: Axes, result: Result) -> None:
    fit = result["saturation"]
    if not fit["fitted"]:
        return
    begin = _BEFORE_FIT * fit["fitted_from_tokens"]
    edges, left, right = _steps(result, begin, result["unique_tokens"])
    mean = [(one + other) / 2 for one, other in zip(left, right, strict=True)]
    axes.stairs(mean, edges, baseline=None, color=BLUE, lw=1.2, label="online loss L(D)")
    _draw_evaluations(axes, result, begin)
    tokens = [point["tokens"] for point in fit["fitted"]]
    low, loss, high = (
        [nats_to_bits(point[f"{name}_nats"]) for point in fit["fitted"]]
        for name in ("low", "loss", "high")
    )
    axes.fill_between(tokens, low, high, color=ORANGE, alpha=0.2, lw=0, label="95 % interval")
    axes.plot(tokens, loss, color=ORANGE, lw=1.5, label="fit E + A·D⁻ᵅ")
    axes.axvline(result["unique_tokens"], color=MUTED, lw=0.8, ls=":")
    floor, ends = nats_to_bits(fit["floor_nats"]["estimate"]), (min(low), max([*mean, *high]))
    if floor > ends[0] - (ends[1] - ends[0]):
        axes.axhline(floor, color=MUTED, lw=1, ls="--", label="E")
        ends = min(floor, ends[0]), ends[1]
    axes.set_xscale("log")
    axes.set_xlim(edges[0], tokens[-1])
    room = 0.06 * (ends[1] - ends[0]) or 0.1
    axes.set_ylim(ends[0] - room, ends[1] + room)
    plain_ticks(axes.xaxis)
    axes.set_xlabel("tokens D; dotted: where the run ends")
    axes.set_ylabel("bits per token")
    legend(axes)


def _draw_annealing(axes: Axes, result: Result) -> None:
    fit = result["annealing"]
    if fit is None or not fit["fitted"]:
        return
    steps, rates = ([row[name] for row in fit["fitted"]] for name in ("step", "learning_rate"))
    loss, fitted, stable = (
        [nats_to_bits(row[f"{name}_nats"]) for row in fit["fitted"]]
        for name in ("loss", "fitted", "stable")
    )
    schedule = axes.twinx()
    schedule.fill_between(steps, rates, color=BAND, lw=0)
    schedule.set_ylim(0, 3 * max(rates))
    schedule.set_axis_off()
    axes.set_zorder(schedule.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.plot(steps, loss, color=BLUE, lw=1.2, label="online loss")
    if fit["annealing_nats"] is not None:
        axes.plot(steps, stable, color=MUTED, lw=1.2, ls="--", label="L₀ + A·S₁⁻ᵅ")
    axes.plot(steps, fitted, color=ORANGE, lw=1.5, label="L₀ + A·S₁⁻ᵅ − C·S₂")
    axes.fill_between([], [], color=BAND, label="learning rate, from 0")
    _count_ticks(axes, "steps")
    axes.set_ylabel("bits per token")
    legend(axes)


def _draw_eta(axes: Axes, result: Result) -> None:
    lines = (("eta", BLUE, "gross, D·(H − L)/N"), ("eta_absorbed", ORANGE, "absorbed, (B − C)/N"))
    for name, colour, label in lines:
        tokens, values = _positive(result, name)
        if values:
            axes.plot(tokens, values, "-o", ms=3, color=colour, label=label)
            guide = [values[-1] * place / tokens[-1] for place in tokens]
            kept = [(t, g) for t, g in zip(tokens, guide, strict=True) if g >= min(values)]
            note = "linear growth" if name == "eta" or not _positive(result, "eta")[1] else None
            axes.plot(*zip(*kept, strict=True), color=MUTED, lw=0.9, ls=":", label=note)
    _logarithmic(axes, "η, bits per bit")


def _draw_absorbed(axes: Axes, result: Result) -> None:
    per_param = result["params"] is not None
    tokens, values = _positive(result, "absorbed_bits_per_param" if per_param else "absorbed_bits")
    if not values:
        return
    axes.plot(tokens, values, "-o", ms=3, color=BLUE, label="B − C")
    for known, colour in zip(result["compared"], SERIES[2:], strict=False):
        level, name = known["known_bits_per_param"], known["name"]
        axes.axhline(level, color=colour, lw=1.2, ls="--", label=f"{level:g}, {name}")
    _logarithmic(axes, "bits per parameter" if per_param else "bits")


def _draw_energies(axes: Axes, result: Result) -> None:
    lines = (
        ("energy_joules", ORANGE, "spent"),
        ("floor_joules", BLUE, "Landauer’s floor of the absorbed bits"),
    )
    for name, colour, label in lines:
        tokens, values = _positive(result, name)
        if values:
            axes.plot(tokens, values, "-o", ms=3, color=colour, label=label)
    _logarithmic(axes, "joules")


def _steps(
    result: Result, begin: float, end: float
) -> tuple[list[float], list[float], list[float]]:
    """Edges of the steps that end in (begin, end], and their left and right losses."""
    ends = [0.0, *(step["end_tokens"] for step in result["losses"])]
    kept = [i for i in range(1, len(ends)) if begin < ends[i] <= end]
    losses = [result["losses"][i - 1] for i in kept]
    # On a logarithmic axis a first step from 0 on has no beginning.
    first = max(ends[kept[0] - 1], min(begin, ends[kept[0]] / 2))
    edges = [first, *(ends[i] for i in kept)]
    left, right = ([row[f"{side}_bits_per_token"] for row in losses] for side in ("left", "right"))
    return edges, left, right


def _positive(result: Result, name: str) -> tuple[list[float], list[float]]:
    """D and a figure of the trajectory, where it has a logarithm."""
    rows = [(row["tokens"], row[name]) for row in result["trajectory"] if row[name]]
    kept = [(tokens, value) for tokens, value in rows if value > 0]
    return [tokens for tokens, _ in kept], [value for _, value in kept]


def _draw_evaluations(axes: Axes, result: Result, begin: float) -> None:
    rows = [row for row in result["evaluations"] if row["tokens"] >= begin]
    if rows and result["curve"] == "training":
        points = ([row[name] for row in rows] for name in ("tokens", "loss_bits_per_token"))
        axes.plot(*points, "o", ms=4, color=INK, label="evaluations", zorder=3)


def _logarithmic(axes: Axes, y: str) -> None:
    if not axes.has_data():
        return
    axes.set(xscale="log", yscale="log", xlabel="tokens D", ylabel=y)
    plain_ticks(axes.xaxis)
    ratio_ticks(axes.yaxis)
    legend(axes)


def _count_ticks(axes: Axes, name: str) -> None:
    from matplotlib.ticker import FuncFormatter

    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: numbers.short_count(value)))
    axes.set_xlabel(name)
