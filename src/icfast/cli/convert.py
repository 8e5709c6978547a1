"""Commands that write another form of a model: export, compress."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icfast.cli.options import Json, Overwrite, WorkOptions, open_shards, typed
from icfast.cli.output import emit, exit_if_partial, print_facts, say_warnings
from icfast.corpus.options import CorpusOptions
from icfast.errors import OptionError

if TYPE_CHECKING:
    from rich.console import Console

    from icfast.pipeline.records.models import CompressResult

WholeModel = Annotated[
    Path, typer.Argument(metavar="MODEL", help="Model file written by icfast fit.")
]


def export(
    model: WholeModel,
    output: Annotated[Path, typer.Option(metavar="FILE", help="File for the ARPA text.")],
    work_options: WorkOptions,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write a model as ARPA text for KenLM and SRILM; words are decimal ids."""
    from icfast.files import new_file
    from icfast.kneser_ney.arpa import arpa_output, export_arpa
    from icfast.kneser_ney.model import NgramModel
    from icfast.pipeline.models import export_result
    from icfast.units import format_count

    loaded = NgramModel.load(model)
    with (
        new_file(arpa_output(output), [model], overwrite) as text,
        work_options.start() as work,
    ):
        export_arpa(loaded, text, work)
    result = export_result(loaded, model, output, work.backend.name)
    facts = {
        "ARPA text": f"{output} ({format_count(result.bytes)} bytes)",
        "n-grams": format_count(result.ngrams),
        "Backend": result.backend,
    }
    emit(result, as_json, lambda console: print_facts(console, facts))


def compress(
    model: WholeModel,
    output: Annotated[Path, typer.Option(metavar="FILE", help="File for the compressed model.")],
    options: CorpusOptions,
    work_options: WorkOptions,
    bits: Annotated[
        int, typer.Option(min=1, max=16, help="Bits of each probability and each backoff.")
    ] = 8,
    prune: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="Drop n-grams that each raise the perplexity by less than this share, such as "
            "1e-9. 0 keeps all.",
        ),
    ] = 0.0,
    corpus: Annotated[
        list[Path] | None,
        typer.Option(metavar="HELDOUT", help="Token shards on which to measure the loss."),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Compress a model for icfast score, and report the increase in loss."""
    from icfast.kneser_ney.compression.compress import compress_to
    from icfast.kneser_ney.model import NgramModel
    from icfast.pipeline.models import compress_result

    if corpus is None and options.given:
        raise OptionError(
            f"{typed(options)} describes a corpus, and none was given; pass --corpus HELDOUT"
        )
    whole = NgramModel.load(model)
    heldout = open_shards(corpus, options) if corpus else None
    with work_options.start() as work:
        small = compress_to(output, whole, work, bits, prune, heldout, overwrite)
    result = compress_result(
        small,
        model,
        output,
        work.backend.name,
        bits=bits,
        prune=prune,
        heldout=heldout,
    )
    if heldout is not None:
        say_warnings(result.warnings, heldout.warnings)
    emit(result, as_json, lambda console: _show(console, result))
    exit_if_partial(heldout)


def _show(console: Console, result: CompressResult) -> None:
    from icfast.units import format_bytes, format_count, format_fixed

    facts = {
        "Model": f"{result.model} ({format_bytes(result.bytes)}; "
        f"before: {format_bytes(result.whole_bytes)})",
        "n-grams": f"{format_count(sum(result.ngrams))} of "
        f"{format_count(sum(result.whole_ngrams))}",
        "Bits per number": str(result.bits),
        "Mean log2 mass": format_fixed(result.mean_log2_mass, 6),
        "Backend": result.backend,
    }
    if (found := result.heldout) is not None:
        facts["Held out"] = f"{format_count(found.predicted_tokens)} tokens"
        facts["Loss before"] = f"{format_fixed(found.whole_bits_per_token)} bits/token"
        facts["Loss after"] = f"{format_fixed(found.bits_per_token)} bits/token"
        facts["Difference"] = f"{format_fixed(found.excess_bits_per_token, 6)} bits/token"
    print_facts(console, facts)
