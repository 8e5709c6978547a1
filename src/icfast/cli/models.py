"""The command that makes a model: fit."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icfast.cli.options import (
    DEFAULT_ORDER,
    CorpusOrTable,
    Json,
    OrderOrTables,
    WorkOptions,
    open_shards,
    open_table,
)
from icfast.cli.output import emit, exit_if_partial, print_facts, print_table, skipped
from icfast.corpus.options import CorpusOptions

if TYPE_CHECKING:
    from rich.console import Console

    from icfast.kneser_ney.model import NgramModel


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
            help="tokens (an end id is a token) or kenlm (it becomes </s>); "
            "tokens for a corpus, a table has its own.",
        ),
    ] = None,
    arpa: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="File for the model as ARPA text too, for other tools."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Fit a modified Kneser-Ney model of every order up to the longest, in one file."""
    from icfast.corpus.documents import all_documents
    from icfast.files import atomic_path
    from icfast.kneser_ney.arpa import export_arpa
    from icfast.kneser_ney.fit import fit_documents, fit_table

    table = open_table(source, options, order, convention)
    corpus = open_shards(source, options) if table is None else None
    with ExitStack() as stack:
        # Whatever keeps the text from being written is met before the work.
        text = stack.enter_context(atomic_path(arpa)) if arpa is not None else None
        work = stack.enter_context(work_options.start())
        if corpus is not None:
            documents = all_documents(corpus, convention or "tokens")
            model = fit_documents(documents, order or DEFAULT_ORDER, work, output)
        elif table is not None:
            model = fit_table(table, work, output)
        if text is not None:
            export_arpa(model, text, work)
    content = {
        **_describe(model),
        "arpa": None if arpa is None else str(arpa),
        "backend": work.backend.name,
        **skipped(corpus),
    }
    emit(content, as_json, lambda console: _show_model(console, content))
    exit_if_partial(corpus)


def _describe(model: NgramModel) -> dict[str, Any]:
    from icfast.pipeline.measure import discounts_record

    return {
        "model": str(model.path),
        "order": model.order,
        "convention": model.convention,
        "ngram_counts": list(model.ngram_counts),
        "discounts": [discounts_record(entry) for entry in model.discounts],
        "model_bits": model.size_bits,
        "params": model.parameters,
        "tokens": model.tokens,
        "documents": model.documents,
    }


def _show_model(console: Console, content: dict[str, Any]) -> None:
    from icfast.report import numbers
    from icfast.units import format_bytes

    def triple(values: list[float] | None, fallback: bool | None) -> str:
        if values is None:
            return numbers.DASH
        return " ".join(map(numbers.ratio, values)) + (" (fallback)" if fallback else "")

    print_facts(
        console,
        {
            "Model": f"{content['model']} ({format_bytes(content['model_bits'] // 8)})",
            "Fitted on": f"{numbers.count(content['tokens'])} tokens, "
            f"{numbers.count(content['documents'])} documents, "
            f"convention {content['convention']}",
            "Parameters": numbers.count(content["params"]),
            "Backend": content["backend"],
            **({"ARPA text": content["arpa"]} if content["arpa"] else {}),
        },
    )
    by_order = zip(content["ngram_counts"], content["discounts"], strict=True)
    rows = [
        (
            str(entry["order"]),
            numbers.count(ngrams),
            triple(entry["top"], entry["top_fallback"]),
            triple(entry["lower"], entry["lower_fallback"]),
        )
        for ngrams, entry in by_order
    ]
    print_table(console, ("order", "n-grams", "D1 D2 D3+ as top", "D1 D2 D3+ below"), rows)
