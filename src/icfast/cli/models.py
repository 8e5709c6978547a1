"""Command that fits a model: fit."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icfast.cli.options import (
    DEFAULT_ORDER,
    CorpusOrTable,
    Json,
    OrderOrTables,
    Overwrite,
    WorkOptions,
    open_shards,
    open_table,
)
from icfast.cli.output import emit, exit_if_partial, print_facts, print_table, say_guess
from icfast.corpus.options import CorpusOptions

if TYPE_CHECKING:
    from rich.console import Console

    from icfast.corpus.documents import DocumentSet
    from icfast.ngrams.table import CountTable
    from icfast.pipeline.records.models import FitResult


def fit(
    source: CorpusOrTable,
    output: Annotated[Path, typer.Option(metavar="MODEL", help="File for the model.")],
    options: CorpusOptions,
    work_options: WorkOptions,
    order: OrderOrTables = None,
    convention: Annotated[
        str | None,
        typer.Option(
            metavar="tokens|kenlm",
            help="tokens (an end id is an ordinary token) or kenlm (it becomes </s>). "
            "Default: tokens for a corpus, the table's own for a table.",
        ),
    ] = None,
    arpa: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File for the model as ARPA text, for other tools."),
    ] = None,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Fit a modified Kneser-Ney model of all orders up to --order, in one file."""
    from icfast.corpus import Corpus
    from icfast.corpus.documents import all_documents
    from icfast.kneser_ney.fit import fit_into
    from icfast.pipeline.models import fit_result

    table = open_table(source, options, order, convention)
    fitted = open_shards(source, options) if table is None else table
    if isinstance(fitted, Corpus):
        counted: DocumentSet | CountTable = all_documents(fitted, convention or "tokens")
    else:
        counted = fitted
    with work_options.start() as work:
        model = fit_into(counted, order or DEFAULT_ORDER, work, output, arpa, overwrite)
    result = fit_result(model, arpa, work.backend.name, fitted)
    say_guess(result.vocab_size, result.vocab_size_given)
    emit(result, as_json, lambda console: _show(console, result))
    exit_if_partial(fitted if isinstance(fitted, Corpus) else None)


def _show(console: Console, result: FitResult) -> None:
    from icfast.units import format_bytes, format_count

    print_facts(
        console,
        {
            "Model": f"{result.model} ({format_bytes(result.model_bits // 8)})",
            "Fitted on": f"{format_count(result.tokens)} tokens, "
            f"{format_count(result.documents)} documents, convention {result.convention}",
            "Parameters": format_count(result.params),
            "Backend": result.backend,
            **({"ARPA text": result.arpa} if result.arpa else {}),
        },
    )
    by_order = zip(result.ngram_counts, result.discounts, strict=True)
    rows = [
        (
            str(entry.order),
            format_count(ngrams),
            _discounts(entry.top, entry.top_fallback),
            _discounts(entry.lower, entry.lower_fallback),
        )
        for ngrams, entry in by_order
    ]
    columns = ("order", "n-grams", "D1 D2 D3+ as longest order", "D1 D2 D3+ as lower order")
    print_table(console, columns, rows)


def _discounts(values: tuple[float, ...] | None, fallback: bool | None) -> str:
    from icfast.units import DASH, format_ratio

    if values is None:
        return DASH
    return " ".join(map(format_ratio, values)) + (" (fallback)" if fallback else "")
