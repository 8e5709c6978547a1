"""Arguments and options that several commands take, and how their paths are opened."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from icfast import parallel
from icfast.cli.output import progress_bar, say_cost, say_warnings
from icfast.corpus.options import CorpusOptions
from icfast.errors import OptionError

if TYPE_CHECKING:
    from icfast.corpus import Corpus
    from icfast.ngrams.table import CountTable
    from icfast.parallel.threads import Work

#: Default order of the longest n-grams.
DEFAULT_ORDER = 5

CorpusPaths = Annotated[
    list[Path],
    typer.Argument(metavar="CORPUS", help="Token shards: files, folders or quoted patterns."),
]
CorpusOrTable = Annotated[
    list[Path],
    typer.Argument(metavar="CORPUS|TABLE", help="Token shards, or the folder of one count table."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON object on stdout.")]
Order = Annotated[int, typer.Option(min=1, help="Tokens in the longest n-grams.")]
OrderOrTables = Annotated[
    int | None,
    typer.Option(
        min=1,
        help=f"Tokens in the longest n-grams. Default: {DEFAULT_ORDER} for a corpus, its own for "
        "a table.",
    ),
]
OutputFolder = Annotated[Path, typer.Option(help="Folder for the results.")]
TemperatureKelvin = Annotated[float, typer.Option(help="Temperature for IC-2, in kelvin.")]
RunFolder = Annotated[Path | None, typer.Option(help="Folder for result.json and report.html.")]
NewTable = Annotated[Path, typer.Option(help="Folder for the count table.")]
Overwrite = Annotated[
    bool, typer.Option("--overwrite", help="Replace an existing output, if icfast wrote it.")
]


@dataclass(frozen=True)
class WorkOptions(parallel.WorkOptions):
    """Work options of a command."""

    @contextmanager
    def start(self) -> Iterator[Work]:
        """Print the plan of the work, and draw a progress bar while it runs."""
        with progress_bar() as progress:
            yield self.resolve(progress, say_cost)


def is_table(path: Path) -> bool:
    """Tell whether a path is the folder of a count table."""
    return (path / "table.json").is_file()


def open_shards(paths: Iterable[Path], options: CorpusOptions) -> Corpus:
    """Open a corpus from the paths on a command line, and print its warnings.

    Raises:
        OptionError: a path is a count table.
    """
    from icfast.corpus import open_corpus

    paths = list(paths)
    for path in paths:
        if is_table(path):
            raise OptionError(
                f"{path} is a count table, not a corpus. A command that reads tables takes one "
                "table alone: use `icfast merge` to combine several"
            )
    corpus = open_corpus(paths, options=options)
    say_warnings(corpus.warnings)
    return corpus


def typed(options: CorpusOptions) -> str:
    """Return the options that differ from their defaults, with their dashes."""
    return ", ".join("--" + name.replace("_", "-") for name in options.given)


def open_table(
    paths: list[Path], corpus: CorpusOptions, order: int | None, convention: str | None = None
) -> CountTable | None:
    """Open the count table if the only path is one, and print its warnings; None for a corpus.

    Raises:
        OptionError: an option contradicts the table, or has a meaning for a corpus only.
    """
    from icfast.ngrams.table import CountTable

    if len(paths) != 1 or not is_table(paths[0]):
        return None
    if corpus.given:
        raise OptionError(
            f"{typed(corpus)} cannot change the count table {paths[0]}, which has its own "
            "conventions; leave the option out, or pass the corpus"
        )
    table = CountTable.load(paths[0])
    for name, given, own in (
        ("order", order, table.order),
        ("convention", convention, table.source.convention),
    ):
        if given is not None and given != own:
            raise OptionError(
                f"--{name} {given}, but {paths[0]} was counted with {name} {own}; "
                "leave the option out, or count the corpus again"
            )
    say_warnings(table.warnings)
    return table
