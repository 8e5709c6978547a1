"""Commands that count n-grams: entropy, count, merge."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icfast.cli.options import (
    DEFAULT_ORDER,
    CorpusOrTable,
    CorpusPaths,
    Json,
    NewTable,
    Order,
    OrderOrTables,
    Overwrite,
    WorkOptions,
    open_shards,
    open_table,
)
from icfast.cli.output import (
    emit,
    exit_if_partial,
    print_facts,
    print_table,
    say_guess,
    say_warnings,
)
from icfast.corpus.options import CorpusOptions
from icfast.errors import OptionError

if TYPE_CHECKING:
    from rich.console import Console

    from icfast.pipeline.records.models import TableResult

MatchLength = Annotated[
    bool,
    typer.Option("--match-length", help="Also estimate the entropy rate from match lengths."),
]
MatchTokens = Annotated[
    int | None,
    typer.Option(min=1, metavar="N", help="Do so from the first N tokens of the corpus only."),
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
    """Count n-grams and estimate the entropies of every order, in bits; keep no table."""
    from icfast.pipeline.entropy import measure_entropy
    from icfast.pipeline.matches import measure_matches
    from icfast.report.terminal import print_entropy

    table = open_table(source, options, order)
    with_matches = match_length or match_tokens is not None
    if table is not None and with_matches:
        raise OptionError(
            f"--match-length needs a corpus, but {source[0]} is a count table, which does not hold "
            "the positions of n-grams; pass the corpus"
        )
    corpus = open_shards(source, options) if table is None else None
    with work_options.start() as work:
        if corpus is not None:
            # Matches need memory for every token, so they come first: a refusal loses no work.
            matches = measure_matches(corpus, work, match_tokens) if with_matches else None
            found = measure_entropy(corpus, order or DEFAULT_ORDER, work)
            result = replace(found, match_length=matches)
        elif table is not None:
            result = measure_entropy(table, None, work)
    say_guess(result.corpus.vocab_size, result.corpus.vocab_size_given)
    emit(result, as_json, lambda console: print_entropy(result, console))
    exit_if_partial(corpus)


def count(
    corpus: CorpusPaths,
    output: NewTable,
    options: CorpusOptions,
    work_options: WorkOptions,
    order: Order = DEFAULT_ORDER,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Write the count table of a corpus; tables of disjoint shards can be merged."""
    from icfast.corpus.documents import all_documents
    from icfast.ngrams.count import count_documents
    from icfast.pipeline.models import table_result

    opened = open_shards(corpus, options)
    with work_options.start() as work:
        table = count_documents(all_documents(opened), output, order, work, overwrite=overwrite)
    result = table_result(table, work.backend.name, opened)
    emit(result, as_json, lambda console: _show_table(console, result))
    exit_if_partial(opened)


def merge(
    tables: Annotated[list[Path], typer.Argument(metavar="TABLE", help="Folders of count tables.")],
    output: NewTable,
    work_options: WorkOptions,
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Add count tables of disjoint shards; the sum equals the table of all shards."""
    from icfast.ngrams.merge import merge_tables
    from icfast.ngrams.table import CountTable
    from icfast.pipeline.models import table_result

    with work_options.start() as work, work.pool() as pool:
        loaded = [CountTable.load(table) for table in tables]
        merged = merge_tables(loaded, output, work.backend.kernels, pool.map, overwrite)
    result = table_result(merged, work.backend.name, None)
    say_warnings(result.warnings)
    emit(result, as_json, lambda console: _show_table(console, result))


def _show_table(console: Console, result: TableResult) -> None:
    from icfast.units import format_count

    print_facts(
        console,
        {
            "Table": result.table,
            "Tokens": format_count(result.tokens),
            "Documents": format_count(result.documents),
            "Ids that occur": format_count(result.ids),
            "Backend": result.backend,
        },
    )
    by_order = zip(result.windows, result.distinct, strict=True)
    rows = [
        (str(n), format_count(windows), format_count(distinct))
        for n, (windows, distinct) in enumerate(by_order, start=1)
    ]
    print_table(console, ("order", "windows", "distinct"), rows)
