"""The command line: options in, one call into the package, a table or one JSON object out.

Results go to stdout; progress, logs and errors to stderr. Exit codes: 0 ok, 1 failure, 2 usage,
3 partial (something of the input was left out, or inspect found problems), 130 interrupted.
Whatever is slow to import is imported inside the commands.
"""

from __future__ import annotations

import io
import signal
import sys
from collections.abc import Callable
from functools import partial
from types import FrameType
from typing import Annotated, NoReturn

import typer

from icfast import __version__
from icfast.cli.convert import compress, export
from icfast.cli.corpora import inspect, tokenize
from icfast.cli.counts import count, entropy, merge
from icfast.cli.jobs import demo, measure
from icfast.cli.laws import capacity, energy, quantise, size
from icfast.cli.models import fit
from icfast.cli.run import as_command
from icfast.cli.score import score
from icfast.cli.training import run, scaling

__all__ = ["app", "main"]

_group = partial(
    typer.Typer, no_args_is_help=True, pretty_exceptions_enable=False, add_completion=False
)

app = _group(
    name="icfast",
    help="Exact n-gram entropy, held-out cross-entropy and information capacity of token corpora.",
    epilog="Exit codes: 0 ok, 1 failure, 2 usage, 3 partial, 130 interrupted.",
)
laws = _group(name="laws", help="Formulas on numbers you have (IC-1, IC-2) and on training logs.")

_COMMANDS: tuple[Callable[..., None], ...] = (
    demo,
    measure,
    inspect,
    tokenize,
    entropy,
    count,
    merge,
    fit,
    score,
    export,
    compress,
)
_LAWS: tuple[Callable[..., None], ...] = (capacity, energy, size, quantise, run, scaling)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"icfast {__version__}")
        raise typer.Exit


@app.callback()
def _icfast(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Take the options that stand before a command; the help text is the app's."""


for _function in _COMMANDS:
    app.command()(as_command(_function))
for _function in _LAWS:
    laws.command()(as_command(_function))
app.add_typer(laws)


def main() -> None:
    """Run the command line on ``sys.argv`` and exit with its code."""
    for stream in (sys.stdout, sys.stderr):
        # A terminal that can't show a character must not cost a result.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    signal.signal(signal.SIGTERM, _terminate)
    app()


def _terminate(number: int, _: FrameType | None) -> NoReturn:
    """Unwind as for Ctrl-C, so that a scheduler's end leaves nothing half-written either."""
    raise SystemExit(128 + number)
