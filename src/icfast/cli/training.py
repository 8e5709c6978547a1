"""Commands on files of training runs: laws run, scaling."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icfast.cli.options import Json, RunFolder, SpentOptions
from icfast.cli.output import emit, print_facts, write_page
from icfast.laws import RunFacts
from icfast.logs import LogOptions

if TYPE_CHECKING:
    from icfast.laws.bootstrap import Interval
    from icfast.laws.scaling import ScalingFit
    from icfast.laws.training_result import TrainingRun


def run(
    log: Annotated[
        Path,
        typer.Argument(
            metavar="LOG", help="A training log, see --format; or a folder of event files."
        ),
    ],
    log_options: LogOptions,
    run_facts: RunFacts,
    spent_options: SpentOptions,
    output: RunFolder = None,
    as_json: Json = False,
) -> None:
    """Compute L(D), code lengths A, B, C, absorbed bits B - C and eta(D) of a training log."""
    from icfast import laws
    from icfast.logs import read_training_log
    from icfast.pipeline import training_result, write_result
    from icfast.report import write_run_report

    found = laws.training_run(
        read_training_log(log, log_options), run_facts, spent=spent_options.joules()
    )
    result = training_result(found, log, run_facts.temperature_kelvin)
    facts = {
        **_code_facts(found),
        **_model_facts(found),
        **_fit_facts(result["saturation"]),
        **_annealing_facts(result["annealing"]),
    }
    for index, flag in enumerate(found.flags):
        facts["Note" if index == 0 else " " * index] = flag
    if output is not None:
        write_result(result, output)
        facts["Written"] = str(write_page(write_run_report, result, output) or output)
    emit(result, as_json, lambda console: print_facts(console, facts))


def _code_facts(found: TrainingRun) -> dict[str, str]:
    from icfast.report import numbers

    loss = numbers.per_token(found.final_loss_bits_per_token)
    lengths = found.lengths
    return {
        "Log": f"{found.format}, {found.curve}",
        "D": f"{numbers.count(found.unique_tokens)} unique tokens of "
        f"{numbers.count(found.tokens_seen)} seen, {found.epochs:.4g} epochs "
        f"(worth {numbers.short_count(round(found.effective_tokens))} fresh ones)",
        "A, baseline": numbers.DASH
        if lengths is None
        else f"{numbers.bits(lengths.baseline_bits)} ({found.baseline or 'H given'})",
        "B, online": f"{numbers.bits(found.online_bits)}, between "
        f"{numbers.bits(found.online_bits_right)} and {numbers.bits(found.online_bits_left)}",
        "C, final": f"{numbers.bits(found.final_bits)} at {loss} bits/token "
        f"({found.final_loss_source})",
        "B − C, absorbed": f"{numbers.bits(found.absorbed_bits)}, between "
        f"{numbers.bits(found.absorbed_bits_right)} and {numbers.bits(found.absorbed_bits_left)}",
        "A − B, compressed": numbers.bits(None if lengths is None else lengths.compression_bits),
        "A − C, gross savings": numbers.bits(
            None if lengths is None else lengths.gross_savings_bits
        ),
    }


def _model_facts(found: TrainingRun) -> dict[str, str]:
    from icfast.report import numbers

    facts = {
        "Absorbed bits/param": numbers.ratio(found.absorbed_bits_per_param),
        "eta, absorbed": f"{numbers.ratio(found.eta_absorbed)} bits/bit",
        "eta, gross": f"{numbers.ratio(found.eta)} bits/bit, "
        f"{numbers.ratio(found.eta_tokens_seen)} over tokens seen",
        "eta grows as": "not known"
        if found.eta_growth_exponent is None
        else f"D^{numbers.ratio(found.eta_growth_exponent)} over the last doubling",
    }
    for known in found.compared:
        facts[f"Against {known.known_bits_per_param:g}"] = (
            f"{numbers.ratio(known.ratio)} times ({known.name}: {known.source})"
        )
    if found.energy is not None:
        floor = numbers.joules(found.energy.energy_joules)
        facts["Landauer floor"] = f"{floor} of the absorbed bits"
    for energy, name in ((found.energy, "Spent"), (found.estimated_energy, "Estimated")):
        if energy is None or energy.spent_joules is None:
            continue
        facts[name] = f"{numbers.joules(energy.spent_joules)} ({energy.spent_source})"
        if energy.spent_log10_ratio is not None:
            facts[f"{name}/floor"] = f"10^{energy.spent_log10_ratio:.2f}"
    return facts


def _fit_facts(found: dict[str, Any]) -> dict[str, str]:
    from icfast.report import numbers

    facts = {
        "More tokens": f"{found['verdict']}: twice as many would gain "
        f"{numbers.interval(found['doubling_gain_nats'])} nats/token "
        f"(counts from {found['threshold_nats']:g})",
        "Fit E + A D^-alpha": f"E = {numbers.interval(found['floor_nats'])} nats, "
        f"alpha = {numbers.interval(found['exponent'])}, "
        f"above E {numbers.interval(found['reducible_nats'])} nats",
    }
    if found["flags"]:
        facts["Fit's note"] = "; ".join(found["flags"])
    return facts


def _annealing_facts(found: dict[str, Any] | None) -> dict[str, str]:
    from icfast.report import numbers

    if found is None:
        return {}
    facts = {
        "Under its rates": f"{found['verdict']}: twice the area S1 would gain "
        f"{numbers.interval(found['doubling_gain_nats'])} nats/token",
        "L0 + A S1^-alpha - C S2": f"L0 = {numbers.interval(found['floor_nats'])} nats, "
        f"alpha = {numbers.interval(found['exponent'])}, "
        f"C S2 = {numbers.interval(found['annealed_nats'])} nats",
    }
    if found["flags"]:
        facts["Law's note"] = "; ".join(found["flags"])
    return facts


def scaling(
    table: Annotated[
        Path,
        typer.Argument(metavar="TABLE", help="CSV of runs: params, tokens, loss in nats."),
    ],
    bootstraps: Annotated[int, typer.Option(help="Resamples for the intervals.")] = 100,
    seed: Annotated[int, typer.Option(help="Of the resamples.")] = 0,
    output: RunFolder = None,
    as_json: Json = False,
) -> None:
    """Fit L = E + A P^-alpha + B D^-beta and Kaplan's form to runs of several P and D."""
    from icfast import laws
    from icfast.logs import read_scaling_points
    from icfast.pipeline import scaling_result, write_result
    from icfast.report import write_scaling_report

    points = read_scaling_points(table)
    chinchilla, kaplan = (
        fit(points.params, points.tokens, points.loss_nats, bootstraps=bootstraps, seed=seed)
        for fit in (laws.chinchilla_fit, laws.kaplan_fit)
    )
    result = scaling_result(points, chinchilla, kaplan, table, bootstraps=bootstraps, seed=seed)
    facts = {**_scaling_facts(chinchilla), **_scaling_facts(kaplan)}
    if output is not None:
        write_result(result, output)
        facts["Written"] = str(write_page(write_scaling_report, result, output) or output)
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
