"""Commands that look at corpora and make them: inspect, tokenize."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icfast.cli.options import CorpusPaths, Json
from icfast.cli.output import PARTIAL, emit, print_facts, print_line, print_table, say
from icfast.corpus.options import CorpusOptions

if TYPE_CHECKING:
    from rich.console import Console

    from icfast.corpus import Inspection


def inspect(corpus: CorpusPaths, options: CorpusOptions, as_json: Json = False) -> None:
    """Show format, dtype, tokens, documents and largest id of each file, and every problem."""
    from icfast.corpus import inspect as inspect_corpus

    found = inspect_corpus(corpus, options=options)
    emit(found.as_json(), as_json, lambda console: _show_inspection(console, found))
    if not found.sound:
        problems = len(found.problems) + sum(len(shard.problems) for shard in found.shards)
        say(f"problems found: {problems}")
        raise typer.Exit(PARTIAL)


def _show_inspection(console: Console, found: Inspection) -> None:
    from icfast.report import numbers
    from icfast.units import format_bytes

    rows = [
        (
            shard.path,
            shard.format or numbers.DASH,
            shard.dtype or numbers.DASH,
            numbers.count(shard.tokens),
            numbers.count(shard.documents),
            numbers.count(shard.largest_id),
            numbers.DASH if shard.disk_bytes is None else format_bytes(shard.disk_bytes),
        )
        for shard in found.shards
    ]
    total = (
        "all",
        "",
        "",
        numbers.count(found.tokens),
        numbers.count(found.documents),
        numbers.count(found.largest_id),
        format_bytes(found.disk_bytes),
    )
    columns = ("file", "format", "dtype", "tokens", "documents", "largest id", "size")
    print_table(console, columns, [*rows, total])
    for problem in [*(p for shard in found.shards for p in shard.problems), *found.problems]:
        print_line(console, f"problem: {problem}")
    for warning in (w for shard in found.shards for w in shard.warnings):
        print_line(console, f"warning: {warning}")


def tokenize(
    texts: Annotated[
        list[Path],
        typer.Argument(
            metavar="TEXT",
            help="Text files, .jsonl files (a line's text is a document) and folders of them.",
        ),
    ],
    output: Annotated[
        Path, typer.Option(metavar="FILE.ds", help="File for the ids; sidecars go beside it.")
    ],
    tokenizer: Annotated[
        str,
        typer.Option(
            metavar="bytes|FILE|gguf:FILE",
            help="bytes, a tokenizer.json, or a GGUF model with its vocabulary.",
        ),
    ] = "bytes",
    eos_id: Annotated[
        int | None, typer.Option(metavar="ID", help="Id to append to each document.")
    ] = None,
    skip_bad: Annotated[
        bool,
        typer.Option(
            "--skip-bad", help="Skip undecodable documents, count them, and exit with code 3."
        ),
    ] = False,
    as_json: Json = False,
) -> None:
    """Write the documents of text files as token ids."""
    from icfast.corpus import tokenize as tokenize_texts
    from icfast.report import numbers

    written = tokenize_texts(texts, output, tokenizer=tokenizer, eos_id=eos_id, skip_bad=skip_bad)
    content = {**asdict(written), "output": str(written.output)}
    facts = {
        "Output": str(written.output),
        "Documents": numbers.count(written.documents),
        "Tokens": numbers.count(written.tokens),
        "Text bytes": numbers.count(written.text_bytes),
        "Skipped": f"{written.skipped_empty} empty, {written.skipped_undecodable} undecodable",
    }
    emit(content, as_json, lambda console: print_facts(console, facts))
    if written.skipped_undecodable:
        say(f"partial: {written.skipped_undecodable} undecodable documents were left out")
        raise typer.Exit(PARTIAL)
