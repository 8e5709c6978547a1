"""The command that scores a corpus under a model: score."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icfast.cli.options import (
    CorpusPaths,
    Device,
    EnergyOptions,
    InitialSeed,
    Json,
    ModelDtype,
    NeuralOptions,
    WorkOptions,
    open_shards,
)
from icfast.cli.output import emit, exit_if_partial, print_facts, say, skipped
from icfast.corpus.options import CorpusOptions
from icfast.errors import OptionError, needs_extra

if TYPE_CHECKING:
    from rich.console import Console

    from icfast.corpus import Corpus
    from icfast.kneser_ney.compact import CompactModel
    from icfast.kneser_ney.model import NgramModel
    from icfast.neural.token_model import TokenModel
    from icfast.parallel.threads import Work


def score(
    corpus: CorpusPaths,
    model: Annotated[
        str,
        typer.Option(
            metavar="MODEL|hf:DIR|gguf:FILE",
            help="A file `icfast fit` or `icfast compress` wrote, or a neural model.",
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
    temperature_kelvin: Annotated[
        float, typer.Option(help="Temperature of IC-2, in kelvin.")
    ] = 300.0,
    model_dtype: ModelDtype = None,
    device: Device = "cpu",
    initial_seed: InitialSeed = None,
    as_json: Json = False,
) -> None:
    """Score a corpus under a model: its loss in bits per token."""
    from icfast.files import atomic_path
    from icfast.laws.landauer import energy
    from icfast.neural.token_model import gpus_of
    from icfast.pipeline.energy import Spending
    from icfast.pipeline.score import floor_joules, score_record
    from icfast.quality.open_model import open_model
    from icfast.quality.score import score_model

    energy(bits=0, temperature_kelvin=temperature_kelvin)  # a wrong T is found before the work
    loaded = open_model(model, model_dtype=model_dtype, backend=work_options.backend, device=device)
    opened = open_shards(corpus, options)
    meter = energy_options.meter(gpus_of(loaded))
    with ExitStack() as stack:
        # Whatever keeps the output from being written is met before the work.
        write = _parquet_writer() if output is not None else None
        target = stack.enter_context(atomic_path(output)) if output is not None else None
        with work_options.start() as work:
            with Spending(meter, "scoring") as spending:
                scores = score_model(opened, loaded, neural_options.given, work)
            initial = _initial(opened, loaded, neural_options, initial_seed, work)
        if write is not None and target is not None:
            write(scores.to_arrow(), target)
    record = score_record(scores, temperature_kelvin)
    content = {
        **record,
        "spent": spending.record(floor_joules(record)),
        **({} if initial is None else {"initial_loss": initial}),
        "backend": work.backend.name,
        "output": None if output is None else str(output),
        **skipped(opened),
    }
    for refused in content.get("refused_files", ()):
        say(f"computed anew: {refused}")
    emit(content, as_json, lambda console: _show(console, content))
    exit_if_partial(opened)


def _initial(
    corpus: Corpus,
    model: NgramModel | CompactModel | TokenModel,
    options: NeuralOptions,
    seed: int | None,
    work: Work,
) -> dict[str, Any] | None:
    """The loss of the model's untrained twin, where its seed is given."""
    from icfast.corpus.documents import all_documents
    from icfast.kneser_ney.compact import CompactModel
    from icfast.kneser_ney.model import NgramModel
    from icfast.ngrams.spectra import spectra_of
    from icfast.pipeline.neural import Neural, initial_record

    if seed is None:
        return None
    if isinstance(model, NgramModel | CompactModel):
        raise OptionError("--initial-seed is for neural models; n-grams have no fresh weights")
    documents = all_documents(corpus)
    unigrams = spectra_of(documents, 1, work)[1]
    return initial_record(documents, Neural(model, options.given, seed), unigrams, work)


def _parquet_writer() -> Callable[..., None]:
    with needs_extra("arrow", "--output writes Parquet, which"):
        from pyarrow import parquet
    writer: Callable[..., None] = parquet.write_table
    return writer


def _show(console: Console, content: dict[str, Any]) -> None:
    from icfast.report import numbers

    error = content["standard_error"]
    spread = "" if error is None else f" ± {numbers.per_token(error['bits_per_token'])} (1 SE)"
    facts = {
        "Loss": f"{numbers.per_token(content['loss_bits_per_token'])}{spread} bits/token",
        "Perplexity": numbers.ratio(content["perplexity"]),
        "Bits per byte": numbers.per_token(content["bits_per_byte"]),
        "log10 probability": numbers.per_token(content["total_log10"], 2),
        "Predicted tokens": numbers.count(content["predicted_tokens"]),
        "Documents": numbers.count(content["documents"]),
        "Out of vocabulary": numbers.count(content["oov"]),
        "Probability 0": numbers.count(content["infinite"]),
        "Backend": content["backend"],
    }
    if "policy" in content:
        facts |= _neural_facts(content)
    if content["spent"] is not None:
        facts["Spent"] = numbers.spent(content["spent"])
    if "initial_loss" in content:
        facts["Untrained"] = numbers.initial_loss(content["initial_loss"])
    if content["reason"]:
        facts["Why no loss"] = content["reason"]
    if content["output"]:
        facts["Each document"] = content["output"]
    print_facts(console, facts)


def _neural_facts(content: dict[str, Any]) -> dict[str, str]:
    from icfast.report import numbers

    model, counts, normalised = content["model"], content["counts"], content["normalised"]
    facts = {
        "Model": f"{model['name']}, {numbers.count(model['params'])} parameters in "
        f"{numbers.bits(model['model_bits'])}, computed in "
        f"{model['compute_format'] or numbers.DASH} on {model['device']}, "
        f"losses from {model['logits_format']} logits",
        "Policy": content["policy"]["name"],
        "Windows": f"{numbers.count(counts['windows'])}, "
        f"{numbers.count(counts['context_tokens'])} tokens fed again as context",
        "Not predicted": f"{numbers.count(content['ignored'])} first tokens (no BOS)",
        "Not in the loss": f"{numbers.count(content['nan'])} NaN, "
        f"{numbers.count(content['out_of_range'])} without a logit, "
        f"{numbers.count(content['huge'])} of 2^31 nats or more",
    }
    if content["resumed_units"]:
        facts["From the checkpoint"] = f"{numbers.count(content['resumed_units'])} units of work"
    if normalised["per"] != "token":
        facts[f"Per {normalised['per']}"] = f"{numbers.per_token(normalised['bits'])} bits"
    for row in content["ic1"] or ():
        facts[f"eta against {row['baseline']}"] = (
            f"{numbers.ratio(row['eta'])}, {numbers.ratio(row['bits_per_param'])} bits/parameter"
        )
    return facts
