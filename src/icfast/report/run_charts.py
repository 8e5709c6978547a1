"""Charts of a training run, as ``<svg>`` text."""

from __future__ import annotations

from typing import TYPE_CHECKING

from icfast.laws.annealing import Annealing
from icfast.laws.training_result import TrainingRun
from icfast.report.axes import legend, plain_ticks, ratio_ticks
from icfast.report.svg import BAND, BLUE, INK, MUTED, ORANGE, SERIES, draw_svg
from icfast.units import format_bits, format_fixed, format_short_count, nats_to_bits

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: Left and right sums that differ by less than this share of B are drawn as one line.
_SAME = 1e-3

#: Share of D that counts as the first tokens, and the height above the rest that cuts them off.
_START, _FAR = 2e-3, 1.5

#: The curve is drawn from this share of the tokens where its fit begins.
_BEFORE_FIT = 0.2


def loss_chart(run: TrainingRun) -> str:
    """Draw L(D) in bits per token on linear axes: the area above the final loss is B - C."""
    return draw_svg("Loss by tokens seen, absorbed bits shaded", _draw_losses, run, height=4.2)


def fit_chart(run: TrainingRun) -> str:
    """Draw L(D) against ln D with the fit E + A D^-alpha, its interval, and D extrapolated."""
    return draw_svg("Loss by tokens seen and its fit", _draw_fit, run, height=4.2)


def annealing_chart(fit: Annealing) -> str:
    """Draw the loss by step and the annealing law, with and without its annealing term."""
    return draw_svg("Loss by step and the annealing law", _draw_annealing, fit, height=4.2)


def eta_chart(run: TrainingRun) -> str:
    """Draw eta(D), gross and absorbed, and linear growth, on logarithmic axes."""
    return draw_svg("Capacity used by tokens seen", _draw_eta, run)


def absorbed_chart(run: TrainingRun) -> str:
    """Draw absorbed bits per parameter against D, and published capacities."""
    return draw_svg("Absorbed bits by tokens seen", _draw_absorbed, run)


def energy_run_chart(run: TrainingRun) -> str:
    """Draw the joules spent up to D, and Landauer's floor of the bits absorbed by then."""
    return draw_svg("Energy by tokens seen", _draw_energies, run)


def _draw_losses(axes: Axes, run: TrainingRun) -> None:
    tokens, final = run.unique_tokens, run.final_loss_bits_per_token
    if final is None or not run.losses:
        return
    edges, left, right = _steps(run, 0.0, tokens)
    mean = [(one + other) / 2 for one, other in zip(left, right, strict=True)]
    steps = list(zip(edges[1:], mean, strict=True))
    absorbed = f"B − C, absorbed: {format_bits(run.absorbed_bits)}"
    axes.stairs(mean, edges, baseline=final, fill=True, color=BAND, lw=0, label=absorbed)
    sums = run.online_bits_left or 0.0, run.online_bits_right or 0.0
    if abs(sums[0] - sums[1]) > _SAME * (run.online_bits or 0.0):
        for place, bound in enumerate((left, right)):
            name = None if place else "its left and right bound"
            axes.stairs(bound, edges, baseline=None, color=MUTED, lw=0.7, label=name)
    axes.stairs(mean, edges, baseline=None, color=BLUE, lw=1.3, label="online loss L(D)")
    axes.plot([0, tokens], [final, final], color=ORANGE, label="final loss, C = D·L")
    if run.tokens_seen > tokens:
        edges, left, _ = _steps(run, tokens, run.tokens_seen)
        axes.stairs(left, edges, baseline=None, color=MUTED, lw=1, label="later epochs")
    _draw_evaluations(axes, run, 0.0)
    axes.set_xlim(0, 1.01 * edges[-1])
    axes.margins(y=0.05)
    # Set the lower end: before version 3.9 matplotlib's stairs reach down to 0.
    low = min(final, *left, *right, *(row.loss_bits_per_token for row in run.evaluations))
    axes.set_ylim(bottom=low - 0.05 * (axes.get_ylim()[1] - low))
    _leave_out_start(axes, tokens, steps)
    _count_ticks(axes, "tokens D")
    axes.set_ylabel("bits per token")
    legend(axes)


def _leave_out_start(axes: Axes, tokens: float, steps: list[tuple[float, float]]) -> None:
    """Cut the drawing off below the first tokens if their loss is far above all others."""
    first = steps[0][1]
    later = max((loss for end, loss in steps if end > _START * tokens), default=first)
    bottom = axes.get_ylim()[0]
    if first - bottom > _FAR * (later - bottom):
        axes.set_ylim(bottom, later + 0.06 * (later - bottom))
        text = f"↑ from {format_fixed(first, 2)}"
        axes.annotate(
            text,
            (0.005, 0.99),
            (4, -2),
            xycoords="axes fraction",
            textcoords="offset points",
            va="top",
            color=MUTED,
        )


def _draw_fit(axes: Axes, run: TrainingRun) -> None:
    fit = run.saturation
    if not fit.fitted:
        return
    begin = _BEFORE_FIT * fit.fitted_from_tokens
    edges, mean = [fit.fitted_from_tokens], []
    if run.losses:
        edges, left, right = _steps(run, begin, run.unique_tokens)
        mean = [(one + other) / 2 for one, other in zip(left, right, strict=True)]
        axes.stairs(mean, edges, baseline=None, color=BLUE, lw=1.2, label="online loss L(D)")
    _draw_evaluations(axes, run, begin)
    tokens = [point.tokens for point in fit.fitted]
    low, loss, high = (
        [nats_to_bits(getattr(point, f"{name}_nats")) for point in fit.fitted]
        for name in ("low", "loss", "high")
    )
    axes.fill_between(tokens, low, high, color=ORANGE, alpha=0.2, lw=0, label="95 % interval")
    axes.plot(tokens, loss, color=ORANGE, lw=1.5, label="fit E + A·D⁻ᵅ")
    axes.axvline(run.unique_tokens, color=MUTED, lw=0.8, ls=":")
    ends = min(low), max([*mean, *high])
    floor = None if fit.floor_nats is None else nats_to_bits(fit.floor_nats.estimate)
    if floor is not None and floor > ends[0] - (ends[1] - ends[0]):
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


def _draw_annealing(axes: Axes, fit: Annealing) -> None:
    if not fit.fitted:
        return
    steps, rates = (
        [getattr(row, name) for row in fit.fitted] for name in ("step", "learning_rate")
    )
    loss, fitted, stable = (
        [nats_to_bits(getattr(row, f"{name}_nats")) for row in fit.fitted]
        for name in ("loss", "fitted", "stable")
    )
    schedule = axes.twinx()
    schedule.fill_between(steps, rates, color=BAND, lw=0)
    schedule.set_ylim(0, 3 * max(rates))
    schedule.set_axis_off()
    axes.set_zorder(schedule.get_zorder() + 1)
    axes.patch.set_visible(False)
    axes.plot(steps, loss, color=BLUE, lw=1.2, label="online loss")
    if fit.annealing_nats is not None:
        axes.plot(steps, stable, color=MUTED, lw=1.2, ls="--", label="L₀ + A·S₁⁻ᵅ")
    axes.plot(steps, fitted, color=ORANGE, lw=1.5, label="L₀ + A·S₁⁻ᵅ − C·S₂")
    axes.fill_between([], [], color=BAND, label="learning rate, from 0")
    _count_ticks(axes, "steps")
    axes.set_ylabel("bits per token")
    legend(axes)


def _draw_eta(axes: Axes, run: TrainingRun) -> None:
    lines = (("eta", BLUE, "gross, D·(H − L)/N"), ("eta_absorbed", ORANGE, "absorbed, (B − C)/N"))
    for name, colour, label in lines:
        tokens, values = _positive(run, name)
        if values:
            axes.plot(tokens, values, "-o", ms=3, color=colour, label=label)
            guide = [values[-1] * place / tokens[-1] for place in tokens]
            kept = [(t, g) for t, g in zip(tokens, guide, strict=True) if g >= min(values)]
            note = "linear growth" if name == "eta" or not _positive(run, "eta")[1] else None
            axes.plot(*zip(*kept, strict=True), color=MUTED, lw=0.9, ls=":", label=note)
    _logarithmic(axes, "η, bits per bit")


def _draw_absorbed(axes: Axes, run: TrainingRun) -> None:
    per_param = run.params is not None
    tokens, values = _positive(run, "absorbed_bits_per_param" if per_param else "absorbed_bits")
    if not values:
        return
    axes.plot(tokens, values, "-o", ms=3, color=BLUE, label="B − C")
    for known, colour in zip(run.compared, SERIES[2:], strict=False):
        level, name = known.known_bits_per_param, known.name
        axes.axhline(level, color=colour, lw=1.2, ls="--", label=f"{level:g}, {name}")
    _logarithmic(axes, "bits per parameter" if per_param else "bits")


def _draw_energies(axes: Axes, run: TrainingRun) -> None:
    lines = (
        ("energy_joules", ORANGE, "spent"),
        ("floor_joules", BLUE, "Landauer’s floor of the absorbed bits"),
    )
    for name, colour, label in lines:
        tokens, values = _positive(run, name)
        if values:
            axes.plot(tokens, values, "-o", ms=3, color=colour, label=label)
    _logarithmic(axes, "joules")


def _steps(
    run: TrainingRun, begin: float, end: float
) -> tuple[list[float], list[float], list[float]]:
    """Return the edges of the steps that end in (begin, end], and their left and right losses."""
    ends = [0.0, *(step.end_tokens for step in run.losses)]
    kept = [i for i in range(1, len(ends)) if begin < ends[i] <= end]
    losses = [run.losses[i - 1] for i in kept]
    # A logarithmic axis has no 0, where the first step would begin.
    first = max(ends[kept[0] - 1], min(begin, ends[kept[0]] / 2))
    edges = [first, *(ends[i] for i in kept)]
    left, right = (
        [getattr(row, f"{side}_bits_per_token") for row in losses] for side in ("left", "right")
    )
    return edges, left, right


def _positive(run: TrainingRun, name: str) -> tuple[list[float], list[float]]:
    """Return D and a figure of the trajectory, where the figure is positive."""
    rows = [(point.tokens, getattr(point, name)) for point in run.trajectory]
    kept = [(tokens, value) for tokens, value in rows if value and value > 0]
    return [tokens for tokens, _ in kept], [value for _, value in kept]


def _draw_evaluations(axes: Axes, run: TrainingRun, begin: float) -> None:
    rows = [row for row in run.evaluations if row.tokens >= begin]
    if rows and run.curve == "training":
        points = (
            [getattr(row, name) for row in rows] for name in ("tokens", "loss_bits_per_token")
        )
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

    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: format_short_count(value)))
    axes.set_xlabel(name)
