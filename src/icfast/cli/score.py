"""Command that scores a corpus under a model: score."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icfast.cli.energy import EnergyOptions
from icfast.cli.neural import NeuralOptions
from icfast.cli.options import (
    CorpusPaths,
    Json,
    TemperatureKelvin,
    WorkOptions,
    open_shards,
)
from icfast.cli.output import emit, exit_if_partial, print_facts, say
from icfast.corpus.options import CorpusOptions
from icfast.errors import OptionError, needs_extra

if TYPE_CHECKING:
    from rich.console import Console

    from icfast.corpus import Corpus
    from icfast.kneser_ney.compact import CompactModel
    from icfast.kneser_ney.model import NgramModel
    from icfast.neural.token_model import TokenModel
    from icfast.parallel.threads import Work
    from icfast.pipeline.records.score import InitialLoss, NeuralScore, Score, ScoreResult


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
    as_json: Json = False,
) -> None:
    """Compute the loss of a corpus under a model, in bits per token."""
    from icfast.files import atomic_path
    from icfast.laws.landauer import energy
    from icfast.neural.token_model import gpus_of
    from icfast.pipeline.energy import Spending
    from icfast.pipeline.records.score import ScoreResult
    from icfast.pipeline.score import floor_joules, score_record
    from icfast.quality.score import score_model

    energy(bits=0, temperature_kelvin=temperature_kelvin)  # refuses a wrong T before the work
    loaded = neural_options.load(model, work_options.backend)
    opened = open_shards(corpus, options)
    meter = energy_options.meter(gpus_of(loaded))
    with ExitStack() as stack:
        # Opened before the work, so that an output that cannot be written is refused at once.
        write = _parquet_writer() if output is not None else None
        target = stack.enter_context(atomic_path(output)) if output is not None else None
        with work_options.start() as work:
            with Spending(meter, "scoring") as spending:
                scores = score_model(opened, loaded, neural_options.given, work)
            initial = _initial(opened, loaded, neural_options, work)
        if write is not None and target is not None:
            write(scores.to_arrow(), target)
    found = score_record(scores, temperature_kelvin)
    result = ScoreResult(
        score=found,
        spent=spending.record(floor_joules(found)),
        initial_loss=initial,
        backend=work.backend.name,
        output=None if output is None else str(output),
        skipped_files=len(opened.skipped_files),
        skipped_documents=opened.skipped_documents,
    )
    for refused in () if found.neural is None else found.neural.refused_files:
        say(f"computed again: {refused}")
    emit(result, as_json, lambda console: _show(console, result))
    exit_if_partial(opened)


def _initial(
    corpus: Corpus,
    model: NgramModel | CompactModel | TokenModel,
    options: NeuralOptions,
    work: Work,
) -> InitialLoss | None:
    """Score the same architecture with fresh weights, if a seed is given."""
    from icfast.corpus.documents import all_documents
    from icfast.kneser_ney.compact import CompactModel
    from icfast.kneser_ney.model import NgramModel
    from icfast.ngrams.spectra import spectra_of
    from icfast.pipeline.neural import Neural, initial_loss

    seed = options.initial_seed
    if seed is None:
        return None
    if isinstance(model, NgramModel | CompactModel):
        raise OptionError(
            "--initial-seed needs a neural model; an n-gram model has no initial weights"
        )
    documents = all_documents(corpus)
    unigrams = spectra_of(documents, 1, work)[1]
    return initial_loss(documents, Neural(model, options.given, seed), unigrams, work)


def _parquet_writer() -> Callable[..., None]:
    with needs_extra("arrow", "--output writes Parquet, which"):
        from pyarrow import parquet
    writer: Callable[..., None] = parquet.write_table
    return writer


def _show(console: Console, result: ScoreResult) -> None:
    from icfast.report.phrases import initial_loss, spent
    from icfast.units import format_count, format_fixed, format_ratio

    score, error = result.score, result.score.standard_error
    spread = "" if error is None else f" ± {format_fixed(error.bits_per_token)} (1 SE)"
    facts = {
        "Loss": f"{format_fixed(score.loss_bits_per_token)}{spread} bits/token",
        "Perplexity": format_ratio(score.perplexity),
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
