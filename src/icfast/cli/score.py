"""Command that scores a corpus under a model: score."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icfast.cli.energy import EnergyOptions
from icfast.cli.neural import NeuralOptions
from icfast.cli.options import (
    CorpusPaths,
    Json,
    Overwrite,
    TemperatureKelvin,
    WorkOptions,
    open_shards,
)
from icfast.cli.output import emit, exit_if_partial, print_facts, say, say_guess, say_warnings
from icfast.corpus.options import CorpusOptions

if TYPE_CHECKING:
    from rich.console import Console

    from icfast.pipeline.records.score import NeuralScore, Score, ScoreResult


def score(
    corpus: CorpusPaths,
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL|hf:DIR|gguf:FILE",
            help="File written by icfast fit or icfast compress, or a neural model.",
        ),
    ],
    options: CorpusOptions,
    neural_options: NeuralOptions,
    work_options: WorkOptions,
    energy_options: EnergyOptions,
    output: Annotated[
        Path | None,
        typer.Option(metavar="FILE.parquet", help="File for the loss of each document, in nats."),
    ] = None,
    temperature_kelvin: TemperatureKelvin = 300.0,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Compute the loss of a corpus under a model, in bits per token."""
    from icfast.neural.token_model import gpus_of
    from icfast.pipeline.score_corpus import score_corpus
    from icfast.quality.open_model import named_file

    loaded = neural_options.load(model, work_options.backend)
    opened = open_shards(corpus, options)
    meter = energy_options.meter(gpus_of(loaded))
    with work_options.start() as work:
        result = score_corpus(
            opened,
            loaded,
            options=neural_options.given,
            output=output,
            inputs=[named_file(model) or Path(model)],
            overwrite=overwrite,
            initial_seed=neural_options.initial_seed,
            temperature_kelvin=temperature_kelvin,
            meter=meter,
            work=work,
        )
    neural = result.score.neural
    for refused in () if neural is None else neural.refused_files:
        say(f"computed again: {refused}")
    say_warnings(result.warnings, opened.warnings)
    say_guess(result.vocab_size, result.vocab_size_given)
    emit(result, as_json, lambda console: _show(console, result))
    exit_if_partial(opened)


def _show(console: Console, result: ScoreResult) -> None:
    from icfast.report.phrases import initial_loss, spent
    from icfast.units import format_count, format_fixed, format_perplexity

    score, error = result.score, result.score.standard_error
    spread = "" if error is None else f" ± {format_fixed(error.bits_per_token)} (1 SE)"
    facts = {
        "Loss": f"{format_fixed(score.loss_bits_per_token)}{spread} bits/token",
        "Perplexity": format_perplexity(score.perplexity, score.loss_nats_per_token),
        "Bits per byte": format_fixed(score.bits_per_byte),
        "log10 probability": format_fixed(score.total_log10, 2),
        "Predicted tokens": format_count(score.predicted_tokens),
        "Documents": format_count(score.documents),
        "Out of vocabulary": format_count(score.oov),
        "Probability 0": format_count(score.infinite),
        "Backend": result.backend,
    }
    if score.neural is not None:
        facts |= _neural_facts(score, score.neural)
    if result.spent is not None:
        facts["Spent"] = spent(result.spent)
    if result.initial_loss is not None:
        facts["Untrained"] = initial_loss(result.initial_loss)
    if score.reason:
        facts["Why no loss"] = score.reason
    if result.output:
        facts["Each document"] = result.output
    print_facts(console, facts)


def _neural_facts(score: Score, neural: NeuralScore) -> dict[str, str]:
    from icfast.units import DASH, format_bits, format_count, format_fixed, format_ratio

    model, counts, normalised = neural.model, neural.counts, neural.normalised
    facts = {
        "Model": f"{model.name}, {format_count(model.params)} parameters in "
        f"{format_bits(model.model_bits)}, computed in {model.compute_format or DASH} on "
        f"{model.device}, losses from {model.logits_format} logits",
        "Policy": neural.policy.name,
        "Contexts": f"{format_count(counts.windows)}, "
        f"{format_count(counts.context_tokens)} tokens fed again as context",
        "Not predicted": f"{format_count(score.ignored)} first tokens (no BOS)",
        "Not in the loss": f"{format_count(score.nan)} NaN, "
        f"{format_count(score.out_of_range)} without a logit, "
        f"{format_count(score.huge)} of 2^31 nats or more",
    }
    if neural.resumed_units:
        facts["From the checkpoint"] = f"{format_count(neural.resumed_units)} units of work"
    if normalised.per != "token":
        facts[f"Per {normalised.per}"] = f"{format_fixed(normalised.bits)} bits"
    for row in neural.ic1 or ():
        facts[f"eta against {row.baseline}"] = (
            f"{format_ratio(row.eta)}, {format_ratio(row.bits_per_param)} bits/parameter"
        )
    return facts
