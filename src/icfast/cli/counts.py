"""Commands that count: entropy, count, merge."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from icfast.cli.options import (
    DEFAULT_ORDER,
    CorpusOrTable,
    CorpusPaths,
    Json,
    NewTable,
    Order,
    OrderOrTables,
    WorkOptions,
    open_shards,
    open_table,
)
from icfast.cli.output import emit, exit_if_partial, print_facts, print_table, skipped
from icfast.corpus.options import CorpusOptions
from icfast.errors import OptionError

if TYPE_CHECKING:
    from rich.console import Console

    from icfast.ngrams.table import CountTable

MatchLength = Annotated[
    bool,
    typer.Option("--match-length", help="Estimate the entropy rate from match lengths as well."),
]
MatchTokens = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="The same, from the first N tokens of the corpus only."),
]


def entropy(
    source: CorpusOrTable,
    options: CorpusOptions,
    work_options: WorkOptions,
    order: OrderOrTables = None,
    match_length: MatchLength = False,
    match_tokens: MatchTokens = None,
    as_json: Json = False,
) -> None:
    """Count spectra and estimate entropies of every order, in bits; no table is kept."""
    from icfast.pipeline import entropy_result, match_result
    from icfast.report import print_entropy

    table = open_table(source, options, order)
    with_matches = match_length or match_tokens is not None
    if table is not None and with_matches:
        raise OptionError(
            f"--match-length with a count table: {source[0]} does not tell where its n-grams "
            "stood; name the corpus"
        )
    corpus = open_shards(source, options) if table is None else None
    with work_options.start() as work:
        if corpus is not None:
            # First, since they need memory by the token: a refusal comes before other work.
            matches = (
                {"match_length": match_result(corpus, work, match_tokens)} if with_matches else {}
            )
            result = {**entropy_result(corpus, order or DEFAULT_ORDER, work), **matches}
        elif table is not None:
            result = entropy_result(table, None, work)
    emit(result, as_json, lambda console: print_entropy(result, console))
    exit_if_partial(corpus)


def count(
    corpus: CorpusPaths,
    output: NewTable,
    options: CorpusOptions,
    work_options: WorkOptions,
    order: Order = DEFAULT_ORDER,
    as_json: Json = False,
) -> None:
    """Write the table of all n-grams of a corpus; tables of disjoint shards can be merged."""
    from icfast.corpus.documents import all_documents
    from icfast.ngrams.count import count_documents

    opened = open_shards(corpus, options)
    with work_options.start() as work:
        table = count_documents(all_documents(opened), output, order, work)
    content = {**_describe(table, work.backend.name), **skipped(opened)}
    emit(content, as_json, lambda console: _show_table(console, content))
    exit_if_partial(opened)


def merge(
    tables: Annotated[list[Path], typer.Argument(metavar="TABLE", help="Folders of count tables.")],
    output: NewTable,
    work_options: WorkOptions,
    as_json: Json = False,
) -> None:
    """Add count tables of disjoint shards: exactly the table of all the shards together."""
    from icfast.ngrams.merge import merge_tables
    from icfast.ngrams.table import CountTable

    with work_options.start() as work, work.pool() as pool:
        loaded = [CountTable.load(table) for table in tables]
        merged = merge_tables(loaded, output, work.backend.kernels, pool.map)
    content = _describe(merged, work.backend.name)
    emit(content, as_json, lambda console: _show_table(console, content))


def _describe(table: CountTable, backend: str) -> dict[str, Any]:
    spectra = table.spectra()
    return {
        "table": str(table.directory),
        "order": table.order,
        "tokens": table.totals.tokens,
        "documents": table.totals.documents,
        "ids": len(table.ids),
        "windows": list(table.totals.windows),
        "distinct": [spectra[n].distinct for n in range(1, table.order + 1)],
        "backend": backend,
    }


def _show_table(console: Console, content: dict[str, Any]) -> None:
    from icfast.report import numbers

    print_facts(
        console,
        {
            "Table": content["table"],
            "Tokens": numbers.count(content["tokens"]),
            "Documents": numbers.count(content["documents"]),
            "Ids that occur": numbers.count(content["ids"]),
            "Backend": content["backend"],
        },
    )
    by_order = zip(content["windows"], content["distinct"], strict=True)
    rows = [
        (str(n), numbers.count(windows), numbers.count(distinct))
        for n, (windows, distinct) in enumerate(by_order, start=1)
    ]
    print_table(console, ("order", "windows", "distinct"), rows)
