"""Commands that run the whole measurement: demo, measure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icfast.cli.energy import EnergyOptions
from icfast.cli.neural import NeuralOptions
from icfast.cli.options import (
    DEFAULT_ORDER,
    CorpusPaths,
    Json,
    Order,
    OutputFolder,
    TemperatureKelvin,
    WorkOptions,
    open_shards,
)
from icfast.cli.output import emit, exit_if_partial, print_facts, write_page
from icfast.corpus.options import CorpusOptions

if TYPE_CHECKING:
    from rich.console import Console

    from icfast.pipeline.records.measure import MeasureResult


def demo(
    work_options: WorkOptions,
    output: OutputFolder = Path("icfast-demo"),
    tokenizer: Annotated[
        str,
        typer.Option(metavar="bpe|bytes", help="bpe (trained by this command) or bytes."),
    ] = "bpe",
    order: Order = DEFAULT_ORDER,
    as_json: Json = False,
) -> None:
    """Measure the sources of Python's standard library; nothing is downloaded."""
    from icfast.pipeline.demo import demo as run_demo

    with work_options.start() as work:
        result = run_demo(output, tokenizer=tokenizer, order=order, work=work)
    _finish(result, output, as_json)


def measure(
    corpus: CorpusPaths,
    output: OutputFolder,
    options: CorpusOptions,
    neural_options: NeuralOptions,
    work_options: WorkOptions,
    energy_options: EnergyOptions,
    order: Order = DEFAULT_ORDER,
    heldout: Annotated[
        float, typer.Option(help="Share of documents held out, between 0 and 1.")
    ] = 0.1,
    temperature_kelvin: TemperatureKelvin = 300.0,
    model: Annotated[
        str | None,
        typer.Option(
            metavar="hf:DIR|gguf:FILE",
            help="Neural model to score on the same held-out tokens.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Measure entropy, held-out loss, capacity (IC-1) and energy floor (IC-2); write a report."""
    from icfast.neural.token_model import gpus_of
    from icfast.pipeline.measure import measure_corpus

    neural = neural_options.neural(model, work_options.backend)
    opened = open_shards(corpus, options)
    meter = energy_options.meter(() if neural is None else gpus_of(neural.model))
    with work_options.start() as work:
        result = measure_corpus(
            opened,
            output,
            order=order,
            heldout=heldout,
            temperature_kelvin=temperature_kelvin,
            neural=neural,
            meter=meter,
            work=work,
        )
    _finish(result, output, as_json)
    exit_if_partial(opened)


def _finish(result: MeasureResult, output: Path, as_json: bool) -> None:
    """Write the page and print the result."""
    from icfast.report.page import render_report
    from icfast.report.terminal import print_result

    page = write_page(lambda: render_report(result), output)

    def show(console: Console) -> None:
        print_result(result, console)
        print_facts(console, {"Written": str(page or output)})

    emit(result, as_json, show)
