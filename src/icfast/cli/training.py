"""Commands on files of training runs: laws run, laws scaling."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icfast.cli.energy import SpentOptions
from icfast.cli.options import Json, Overwrite, RunFolder
from icfast.cli.output import drawn_page, emit, print_facts, written_page
from icfast.laws import RunFacts
from icfast.logs import LogOptions, ScalingColumns

if TYPE_CHECKING:
    from icfast.laws.annealing import Annealing
    from icfast.laws.bootstrap import Interval
    from icfast.laws.saturation import Saturation
    from icfast.laws.scaling import ScalingFit
    from icfast.laws.training_result import TrainingRun
    from icfast.pipeline.records.base import Result
    from icfast.pipeline.results import ResultFolder


def run(
    log: Annotated[
        Path,
        typer.Argument(
            metavar="LOG", help="Training log (see --format), or a folder of TensorBoard files."
        ),
    ],
    log_options: LogOptions,
    run_facts: RunFacts,
    spent_options: SpentOptions,
    output: RunFolder = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Compute what a training run learned: code lengths, absorbed bits and eta, from its log."""
    from icfast import laws
    from icfast.logs import log_files, read_training_log
    from icfast.pipeline.training import training_result
    from icfast.report import run_page

    folder = _folder(output, log_files(log), overwrite)
    found = laws.training_run(
        read_training_log(log, log_options), run_facts, spent=spent_options.joules()
    )
    result = training_result(found, log, run_facts.temperature_kelvin)
    facts = {
        **_code_facts(found),
        **_model_facts(found),
        **_fit_facts(found.saturation),
        **_annealing_facts(found.annealing),
    }
    for index, flag in enumerate(found.flags):
        facts["Note" if index == 0 else " " * index] = flag
    if folder is not None:
        facts["Written"] = _write(result, folder, lambda drawn: run_page.render_run_report(drawn))
    emit(result, as_json, lambda console: print_facts(console, facts))


def _folder(output: Path | None, inputs: Sequence[Path], overwrite: bool) -> ResultFolder | None:
    """Return the folder of results, which is checked before the work; None if none is asked for."""
    from icfast.pipeline.results import ResultFolder

    if output is None:
        return None
    folder = ResultFolder(output, tuple(inputs), overwrite, with_page=True)
    folder.check()
    return folder


def _write(result: Result, output: ResultFolder, render: Callable[[Any], str]) -> str:
    """Write the result and the page, and return the path to look at."""
    from icfast.pipeline.training import write_result

    write_result(result, output, drawn_page(render, output.folder))
    return str(written_page(output.folder))


def _code_facts(found: TrainingRun) -> dict[str, str]:
    from icfast.units import DASH, format_bits, format_count, format_fixed, format_short_count

    loss = format_fixed(found.final_loss_bits_per_token)
    lengths = found.lengths
    return {
        "Log": f"{found.format}, {found.curve}",
        "D": f"{format_count(found.unique_tokens)} unique tokens of "
        f"{format_count(found.tokens_seen)} seen, {found.epochs:.4g} epochs "
        f"(worth {format_short_count(round(found.effective_tokens))} fresh ones)",
        "A, baseline": DASH
        if lengths is None
        else f"{format_bits(lengths.baseline_bits)} ({found.baseline or 'H given'})",
        "B, online": _between(
            found.online_bits, found.online_bits_right, found.online_bits_left, found.online_reason
        ),
        "C, final": f"{DASH} ({found.final_reason})"
        if found.final_bits is None
        else f"{format_bits(found.final_bits)} at {loss} bits/token ({found.final_loss_source})",
        "B − C, absorbed": _between(
            found.absorbed_bits,
            found.absorbed_bits_right,
            found.absorbed_bits_left,
            found.online_reason or found.final_reason,
        ),
        "A − B, compressed": format_bits(None if lengths is None else lengths.compression_bits),
        "A − C, gross savings": format_bits(
            None if lengths is None else lengths.gross_savings_bits
        ),
    }


def _between(bits: float | None, low: float | None, high: float | None, reason: str | None) -> str:
    """Write an amount of information and its bounds, or a dash and the reason."""
    from icfast.units import DASH, format_bits

    if bits is None:
        return f"{DASH} ({reason})"
    return f"{format_bits(bits)}, between {format_bits(low)} and {format_bits(high)}"


def _model_facts(found: TrainingRun) -> dict[str, str]:
    from icfast.units import format_joules, format_ratio

    facts = {
        "Absorbed bits/param": format_ratio(found.absorbed_bits_per_param),
        "eta, absorbed": f"{format_ratio(found.eta_absorbed)} bits/bit",
        "eta, gross": f"{format_ratio(found.eta)} bits/bit, "
        f"{format_ratio(found.eta_tokens_seen)} over tokens seen",
        "eta grows as": "not known"
        if found.eta_growth_exponent is None
        else f"D^{format_ratio(found.eta_growth_exponent)} over the last doubling",
    }
    for known in found.compared:
        facts[f"Against {known.known_bits_per_param:g}"] = (
            f"{format_ratio(known.ratio)} times ({known.name}: {known.source})"
        )
    if found.energy is not None:
        floor = format_joules(found.energy.energy_joules)
        facts["Landauer floor"] = f"{floor} of the absorbed bits"
    for energy, name in ((found.energy, "Spent"), (found.estimated_energy, "Estimated")):
        if energy is None or energy.spent_joules is None:
            continue
        facts[name] = f"{format_joules(energy.spent_joules)} ({energy.spent_source})"
        if energy.spent_log10_ratio is not None:
            facts[f"{name}/floor"] = f"10^{energy.spent_log10_ratio:.2f}"
    return facts


def _fit_facts(found: Saturation) -> dict[str, str]:
    from icfast.report.phrases import interval

    facts = {
        "More tokens": f"{found.verdict}: twice as many would gain "
        f"{interval(found.doubling_gain_nats)} nats/token "
        f"(threshold {found.threshold_nats:g})",
        "Fit E + A D^-alpha": f"E = {interval(found.floor_nats)} nats, "
        f"alpha = {interval(found.exponent)}, "
        f"above E {interval(found.reducible_nats)} nats",
    }
    if found.flags:
        facts["Note on the fit"] = "; ".join(found.flags)
    return facts


def _annealing_facts(found: Annealing | None) -> dict[str, str]:
    from icfast.report.phrases import interval

    if found is None:
        return {}
    facts = {
        "With learning rates": f"{found.verdict}: twice the area S1 would gain "
        f"{interval(found.doubling_gain_nats)} nats/token",
        "L0 + A S1^-alpha - C S2": f"L0 = {interval(found.floor_nats)} nats, "
        f"alpha = {interval(found.exponent)}, "
        f"C S2 = {interval(found.annealed_nats)} nats",
    }
    if found.flags:
        facts["Note on the law"] = "; ".join(found.flags)
    return facts


def scaling(
    table: Annotated[
        Path,
        typer.Argument(
            metavar="TABLE",
            help="CSV or JSON lines of runs with params, tokens and loss in nats per token.",
        ),
    ],
    columns: ScalingColumns,
    bootstraps: Annotated[
        int, typer.Option(help="Number of resamples for the intervals, at least 20.")
    ] = 100,
    seed: Annotated[int, typer.Option(help="Seed of the resamples.")] = 0,
    output: RunFolder = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Fit two scaling laws (Chinchilla, Kaplan) to runs with different P and D."""
    from icfast import laws
    from icfast.logs import read_scaling_points
    from icfast.pipeline.scaling import scaling_result
    from icfast.report import scaling_page

    folder = _folder(output, [table], overwrite)
    points = read_scaling_points(table, columns)
    chinchilla, kaplan = (
        fit(points.params, points.tokens, points.loss_nats, bootstraps=bootstraps, seed=seed)
        for fit in (laws.chinchilla_fit, laws.kaplan_fit)
    )
    result = scaling_result(points, chinchilla, kaplan, table, bootstraps=bootstraps, seed=seed)
    facts = {**_scaling_facts(chinchilla), **_scaling_facts(kaplan)}
    if folder is not None:
        facts["Written"] = _write(
            result, folder, lambda drawn: scaling_page.render_scaling_report(drawn)
        )
    emit(result, as_json, lambda console: print_facts(console, facts))


def _scaling_facts(found: ScalingFit) -> dict[str, str]:
    def written(value: Interval) -> str:
        return f"{value.estimate:.5g} [{value.low:.5g}, {value.high:.5g}]"

    form = found.form
    constants = (f"{name} = {written(value)}" for name, value in found.constants.items())
    facts = {
        f"{form}": "; ".join(constants),
        f"{form}, error": f"{found.rms_log_error:.3g} of ln L, {found.points} points",
    }
    if found.params_exponent is not None:
        facts[f"{form}, optimum"] = f"P ~ C^{written(found.params_exponent)}"
    if found.flags:
        facts[f"{form}, note"] = "; ".join(found.flags)
    return facts
