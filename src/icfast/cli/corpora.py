"""Commands that check and write corpora: inspect, tokenize."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icfast.cli.options import CorpusPaths, Json, Overwrite
from icfast.cli.output import PARTIAL, emit, print_facts, print_line, print_table, say, say_warnings
from icfast.corpus.options import CorpusOptions

if TYPE_CHECKING:
    from rich.console import Console

    from icfast.corpus import Inspection


def inspect(corpus: CorpusPaths, options: CorpusOptions, as_json: Json = False) -> None:
    """Show format, dtype, tokens, documents and largest id of each file, and every problem."""
    from icfast.corpus import inspect as inspect_corpus

    found = inspect_corpus(corpus, options=options)
    emit(found, as_json, lambda console: _show_inspection(console, found))
    if not found.sound:
        say(f"problems found: {len(found.all_problems)}")
        raise typer.Exit(PARTIAL)


def _show_inspection(console: Console, found: Inspection) -> None:
    from icfast.units import DASH, format_bytes, format_count

    rows = [
        (
            shard.path,
            shard.format or DASH,
            shard.dtype or DASH,
            format_count(shard.tokens),
            format_count(shard.documents),
            format_count(shard.largest_id),
            format_bytes(shard.disk_bytes),
        )
        for shard in found.shards
    ]
    total = (
        "all",
        "",
        "",
        format_count(found.tokens),
        format_count(found.documents),
        format_count(found.largest_id),
        format_bytes(found.disk_bytes),
    )
    columns = ("file", "format", "dtype", "tokens", "documents", "largest id", "size")
    print_table(console, columns, [*rows, total])
    _show_edges(console, found)
    for problem in found.all_problems:
        print_line(console, f"problem: {problem}")
    for warning in found.all_warnings:
        print_line(console, f"warning: {warning}")


def _show_edges(console: Console, found: Inspection) -> None:
    """Print which ids documents begin and end with."""
    from icfast.units import format_percent

    for name, ids in (("first ids", found.first_ids), ("last ids", found.last_ids)):
        shares = ", ".join(f"{one.id} in {format_percent(one.share)}" for one in ids)
        if shares:
            print_line(console, f"{name} of documents: {shares}")
    if found.eos_id is not None and found.edges is not None:
        print_line(
            console, f"boundary {found.boundary or 'unknown'}: {found.edges.shown(found.eos_id)}"
        )


def tokenize(
    texts: Annotated[
        list[Path],
        typer.Argument(
            metavar="TEXT",
            help="Text files, JSON lines (one document per line), JSON arrays, folders or quoted "
            "patterns.",
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            metavar="FILE.ds", help="File for the ids; its sidecar files go into the same folder."
        ),
    ],
    tokenizer: Annotated[
        str,
        typer.Option(
            metavar="bytes|FILE|gguf:FILE",
            help="bytes, a tokenizer.json, or a GGUF file with a vocabulary.",
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
    overwrite: Overwrite = False,
    as_json: Json = False,
) -> None:
    """Tokenize text files into one file of token ids."""
    from icfast.corpus import tokenize as tokenize_texts
    from icfast.units import format_count

    written = tokenize_texts(
        texts,
        output,
        tokenizer=tokenizer,
        eos_id=eos_id,
        skip_bad=skip_bad,
        overwrite=overwrite,
    )
    say_warnings(written.warnings)
    facts = {
        "Output": str(written.output),
        "Documents": format_count(written.documents),
        "Tokens": format_count(written.tokens),
        "Text bytes": format_count(written.text_bytes),
        "Skipped": f"{written.skipped_empty} empty, {written.skipped_undecodable} undecodable",
    }
    if written.skipped_unencodable:
        facts["Skipped"] += f", {written.skipped_unencodable} refused by the tokenizer"
    emit(written, as_json, lambda console: print_facts(console, facts))
    left_out = written.skipped_undecodable + written.skipped_unencodable
    if left_out:
        say(f"partial: {left_out} undecodable documents were left out")
        raise typer.Exit(PARTIAL)
