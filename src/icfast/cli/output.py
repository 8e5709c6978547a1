"""What leaves the program: one JSON object or short tables on stdout, the rest on stderr."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from icfast.errors import IcfastError, MissingExtraError
from icfast.parallel.progress import Progress, silent

if TYPE_CHECKING:
    from rich.console import Console

    from icfast.corpus import Corpus
    from icfast.parallel.cost import Cost

#: Something of the input was left out, or problems were found.
PARTIAL = 3

#: Counting fewer takes no time that anyone plans for.
_LONG_WINDOWS = 1_000_000

_PAGE = "report.html"

#: Width of tables in files and pipes.
_FILE_COLUMNS = 200


def say(text: str) -> None:
    """Write one line on stderr."""
    print(text.replace("\n", " "), file=sys.stderr, flush=True)


def say_cost(cost: Cost) -> None:
    """Write on stderr what a count will take, where it is worth waiting for."""
    from icfast.report import numbers
    from icfast.units import format_bytes

    if cost.windows < _LONG_WINDOWS:
        return
    say(
        f"plan: {numbers.count(cost.windows)} windows of {cost.order}, "
        f"{cost.passes} {'pass' if cost.passes == 1 else 'passes'}, "
        f"{format_bytes(cost.memory_bytes)} memory, "
        f"{format_bytes(cost.temporary_bytes)} temporary"
    )


def emit(content: Mapping[str, Any], as_json: bool, show: Callable[[Console], None]) -> None:
    """Print a result on stdout: as JSON, or as `show` draws it.

    Raises:
        IcfastError: a number is NaN or infinite, which JSON can't say.
    """
    if as_json:
        try:
            text = json.dumps(content, indent=2, allow_nan=False)
        except ValueError as error:
            raise IcfastError(f"the result can't be written as JSON: {error}") from error
        print(text, flush=True)
    else:
        show(_console())
        sys.stdout.flush()


def _console() -> Console:
    """Stdout as rich sees it; names from files are text there, never markup."""
    from rich.console import Console

    # Nothing is folded where nobody looks at a window.
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    width = None if known else _FILE_COLUMNS
    return Console(file=sys.stdout, markup=False, highlight=False, emoji=False, width=width)


def print_line(console: Console, text: str) -> None:
    """Print one line, however long."""
    console.print(text, soft_wrap=True)


def print_facts(console: Console, facts: Mapping[str, str]) -> None:
    """Print names and values in two columns."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        grid.add_row(Text(name, "bold"), Text(value))
    console.print(grid)


def print_table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table: the first column is a name, the others are numbers."""
    from icfast.report.terminal import table

    console.print(table(None, columns, rows))


def write_page(
    write: Callable[[dict[str, Any], Path], None], result: dict[str, Any], folder: Path
) -> Path | None:
    """Write report.html; None, and a line on stderr, where its packages are missing."""
    from icfast.files import atomic_path

    page = folder / _PAGE
    try:
        with atomic_path(page) as temporary:
            write(result, temporary)
    except MissingExtraError as error:
        # A page of an earlier run would contradict the new result.
        page.unlink(missing_ok=True)
        say(f"{page} was not written: {error}")
        return None
    return page


@contextmanager
def progress_bar() -> Iterator[Progress]:
    """Yield a Progress that draws a bar if stderr is a terminal, else ignores its reports."""
    if not sys.stderr.isatty():
        yield silent
        return
    from rich.console import Console

    from icfast.cli.progress import new_bar, report_to

    with new_bar(Console(stderr=True)) as bar:
        yield report_to(bar)


def skipped(corpus: Corpus | None) -> dict[str, int | None]:
    """What --skip-bad left out of a corpus, for a result; None where a table was read."""
    if corpus is None:
        return {"skipped_files": None, "skipped_documents": None}
    return {
        "skipped_files": len(corpus.skipped_files),
        "skipped_documents": corpus.skipped_documents,
    }


def exit_if_partial(corpus: Corpus | None) -> None:
    """Exit with code 3 where --skip-bad left something out of a corpus.

    Raises:
        typer.Exit: it did.
    """
    left_out = skipped(corpus)
    if any(left_out.values()):
        say(
            f"partial: {left_out['skipped_files']} empty files and "
            f"{left_out['skipped_documents']} empty documents were left out (--skip-bad)"
        )
        raise typer.Exit(PARTIAL)
