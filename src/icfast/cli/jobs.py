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
    Overwrite,
    TemperatureKelvin,
    WorkOptions,
    open_shards,
)
from icfast.cli.output import (
    drawn_page,
    emit,
    exit_if_partial,
    print_facts,
    say_guess,
    written_page,
)
from icfast.corpus.options import CorpusOptions

if TYPE_CHECKING:
    from rich.console import Console

    from icfast.pipeline.records.measure import MeasureResult
    from icfast.pipeline.results import Page


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

    page = _page(output)
    with work_options.start() as work:
        result = run_demo(output, tokenizer=tokenizer, order=order, page=page, work=work)
    _show(result, output, as_json)


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
    overwrite: Overwrite = False,
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
            overwrite=overwrite,
            page=_page(output),
            meter=meter,
            work=work,
        )
    say_guess(result.corpus.vocab_size, result.corpus.vocab_size_given)
    _show(result, output, as_json)
    exit_if_partial(opened)


def _page(output: Path) -> Page:
    from icfast.report import page

    return drawn_page(lambda result: page.render_report(result), output)


def _show(result: MeasureResult, output: Path, as_json: bool) -> None:
    """Print the result."""
    from icfast.report.terminal import print_result

    def show(console: Console) -> None:
        print_result(result, console)
        print_facts(console, {"Written": str(written_page(output))})

    emit(result, as_json, show)
