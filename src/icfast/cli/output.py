"""Output of the program: one JSON object or short tables on stdout, everything else on stderr."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from icfast.cli.streams import writing_stdout
from icfast.errors import IcfastError, MissingExtraError
from icfast.parallel.progress import Progress, silent
from icfast.units import printable

if TYPE_CHECKING:
    from rich.console import Console

    from icfast.corpus import Corpus
    from icfast.parallel.cost import Cost

#: Exit code if some input was skipped, or problems were found.
PARTIAL = 3

#: Number of windows below which a count is too short to be announced.
_LONG_WINDOWS = 1_000_000

_PAGE = "report.html"

#: Width of tables in files and pipes.
_FILE_COLUMNS = 200


def say(text: str) -> None:
    """Write one line on stderr. Control characters, such as those of a file name, are escaped."""
    print(printable(text.replace("\n", " ")), file=sys.stderr, flush=True)


def say_warnings(warnings: Iterable[str], said: Collection[str] = ()) -> None:
    """Write warnings on stderr, one line each, without those that were said before."""
    for text in warnings:
        if text not in said:
            say(f"warning: {text}")


class _Saying(logging.Handler):
    """Handler that prints the warnings of the package as lines of the program."""

    def emit(self, record: logging.LogRecord) -> None:
        """Print one record."""
        say(record.getMessage())


@contextmanager
def saying_warnings() -> Iterator[None]:
    """Print on stderr what the package logs, such as files of a killed run that it removed."""
    log, handler = logging.getLogger("icfast"), _Saying(logging.WARNING)
    log.addHandler(handler)
    try:
        yield
    finally:
        log.removeHandler(handler)


def say_guess(vocab_size: int | None, given: bool | None) -> None:
    """Write on stderr that a vocabulary was guessed."""
    from icfast.corpus.warnings import guessed_vocabulary

    if vocab_size is not None and not given:
        say(f"note: {guessed_vocabulary(vocab_size)}")


def say_cost(cost: Cost) -> None:
    """Write on stderr the cost of a long count."""
    from icfast.units import format_bytes, format_count

    if cost.windows < _LONG_WINDOWS:
        return
    say(
        f"plan: {format_count(cost.windows)} windows of {cost.order}, "
        f"{cost.passes} {'pass' if cost.passes == 1 else 'passes'}, "
        f"{format_bytes(cost.memory_bytes)} memory, "
        f"{format_bytes(cost.temporary_bytes)} temporary"
    )


def emit(result: Any, as_json: bool, show: Callable[[Console], None]) -> None:
    """Print a result on stdout: its record as JSON, or what `show` draws.

    Raises:
        IcfastError: a number is NaN or infinite, which JSON cannot express.
    """
    if as_json:
        from icfast.pipeline.records.base import to_json

        content = to_json(result.to_json() if hasattr(result, "to_json") else result)
        try:
            text = json.dumps(content, indent=2, allow_nan=False)
        except ValueError as error:
            raise IcfastError(f"the result cannot be written as JSON: {error}") from error
        with writing_stdout():
            print(text)
    else:
        with writing_stdout():
            show(_console())


def _console() -> Console:
    """Return stdout as a console of rich that treats names from files as text, never as markup."""
    from rich.console import Console

    # Lines that go into a file or a pipe are not folded.
    known = sys.stdout.isatty() or "COLUMNS" in os.environ
    width = None if known else _FILE_COLUMNS
    return Console(file=sys.stdout, markup=False, highlight=False, emoji=False, width=width)


def print_line(console: Console, text: str) -> None:
    """Print one line without folding it."""
    console.print(printable(text), soft_wrap=True)


def print_facts(console: Console, facts: Mapping[str, str]) -> None:
    """Print names and values in two columns."""
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(padding=(0, 2))
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in facts.items():
        grid.add_row(Text(printable(name), "bold"), Text(printable(value)))
    console.print(grid)


def print_table(console: Console, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table whose first column holds names and whose other columns hold numbers."""
    from icfast.report.terminal import table

    console.print(table(None, columns, rows))


def drawn_page(render: Callable[[Any], str], folder: Path) -> Callable[[Any], str | None]:
    """Return a function that draws the report of a result.

    If the packages of the report are missing, it prints one line and returns None.
    """

    def page(result: Any) -> str | None:
        try:
            return render(result)
        except MissingExtraError as error:
            say(f"{folder / _PAGE} was not written: {error}")
            return None

    return page


def written_page(folder: Path) -> Path:
    """Return the report of a folder of results, or the folder if it has none."""
    page = folder / _PAGE
    return page if page.exists() else folder


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


def exit_if_partial(corpus: Corpus | None) -> None:
    """Exit with code 3 if --skip-bad skipped something of a corpus.

    Raises:
        typer.Exit: it did.
    """
    if corpus is None or not (corpus.skipped_files or corpus.skipped_documents):
        return
    say(
        f"partial: {len(corpus.skipped_files)} empty files and "
        f"{corpus.skipped_documents} empty documents were left out (--skip-bad)"
    )
    raise typer.Exit(PARTIAL)
