"""Commands that make another file of a model: export, compress."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icfast.cli.options import Json, WorkOptions, open_shards, typed
from icfast.cli.output import emit, exit_if_partial, print_facts, skipped
from icfast.corpus.options import CorpusOptions
from icfast.errors import OptionError

if TYPE_CHECKING:
    from rich.console import Console

WholeModel = Annotated[
    Path, typer.Argument(metavar="MODEL", help="A model file that `icfast fit` wrote.")
]


def export(
    model: WholeModel,
    output: Annotated[Path, typer.Option(metavar="FILE", help="File for the ARPA text.")],
    work_options: WorkOptions,
    as_json: Json = False,
) -> None:
    """Write a model as ARPA text, which KenLM and SRILM read; words are ids in decimal."""
    from icfast.files import atomic_path
    from icfast.kneser_ney.arpa import export_arpa
    from icfast.kneser_ney.model import NgramModel
    from icfast.report import numbers

    loaded = NgramModel.load(model)
    with atomic_path(output) as text, work_options.start() as work:
        export_arpa(loaded, text, work)
    content: dict[str, Any] = {
        "model": str(model),
        "arpa": str(output),
        "order": loaded.order,
        "ngrams": sum(loaded.ngrams),
        "bytes": output.stat().st_size,
        "backend": work.backend.name,
    }
    facts = {
        "ARPA text": f"{output} ({numbers.count(content['bytes'])} bytes)",
        "n-grams": numbers.count(content["ngrams"]),
        "Backend": work.backend.name,
    }
    emit(content, as_json, lambda console: print_facts(console, facts))


def compress(
    model: WholeModel,
    output: Annotated[Path, typer.Option(metavar="FILE", help="File for the small model.")],
    options: CorpusOptions,
    work_options: WorkOptions,
    bits: Annotated[
        int, typer.Option(min=1, max=16, help="Bits of each probability and each backoff.")
    ] = 8,
    prune: Annotated[
        float,
        typer.Option(
            metavar="SHARE",
            help="Leave out n-grams that raise the perplexity by less than this share each, "
            "such as 1e-9; 0 keeps all.",
        ),
    ] = 0.0,
    corpus: Annotated[
        list[Path] | None,
        typer.Option(metavar="HELDOUT", help="Token shards to measure what is lost on."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Make a model several times smaller, for `icfast score`; say what that costs."""
    from icfast.files import atomic_path
    from icfast.kneser_ney.compact import CompactModel
    from icfast.kneser_ney.compression.compress import compress_to
    from icfast.kneser_ney.model import NgramModel

    if corpus is None and options.given:
        raise OptionError(f"{typed(options)} without --corpus, which it is about")
    whole = NgramModel.load(model)
    heldout = open_shards(corpus, options) if corpus else None
    with atomic_path(output) as file, work_options.start() as work:
        compress_to(file, whole, work, bits, prune, heldout)
    small = CompactModel.load(output)
    content = {
        "model": str(output),
        "bytes": output.stat().st_size,
        "bits": bits,
        "prune": prune,
        "ngrams": list(small.ngrams),
        "whole": str(model),
        "whole_bytes": small.about["whole_bytes"],
        "whole_ngrams": small.about["whole_ngrams"],
        "mean_log2_mass": small.about["mean_log2_mass"],
        "heldout": small.about["heldout"],
        "backend": work.backend.name,
        **skipped(heldout),
    }
    emit(content, as_json, lambda console: _show_small(console, content))
    exit_if_partial(heldout)


def _show_small(console: Console, content: dict[str, Any]) -> None:
    from icfast.report import numbers
    from icfast.units import format_bytes

    ngrams, whole = sum(content["ngrams"]), sum(content["whole_ngrams"])
    facts = {
        "Model": f"{content['model']} ({format_bytes(content['bytes'])}; "
        f"whole: {format_bytes(content['whole_bytes'])})",
        "n-grams": f"{numbers.count(ngrams)} of {numbers.count(whole)}",
        "Bits a number": str(content["bits"]),
        "Mean log2 mass": numbers.per_token(content["mean_log2_mass"], 6),
        "Backend": content["backend"],
    }
    if (found := content["heldout"]) is not None:
        facts["Held out"] = f"{numbers.count(found['predicted_tokens'])} tokens"
        facts["Loss, whole"] = f"{numbers.per_token(found['whole_bits_per_token'])} bits/token"
        facts["Loss, small"] = f"{numbers.per_token(found['bits_per_token'])} bits/token"
        excess = numbers.per_token(found["excess_bits_per_token"], 6)
        facts["Difference"] = f"{excess} bits/token"
    print_facts(console, facts)
