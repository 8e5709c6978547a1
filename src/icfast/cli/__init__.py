"""The command line: options in, one call into the package, a table or one JSON object out.

Results go to stdout; progress, logs and errors go to stderr. Exit codes: 0 ok, 1 failure, 2 usage,
3 partial (some input was skipped, or inspect found problems), 128 + n after signal n. Commands are
imported when they run, so that shell completion is fast.
"""

from __future__ import annotations

from typing import Annotated

import typer

from icfast import __version__
from icfast.cli.groups import lazy_group

__all__ = ["app", "main"]

#: Commands in the order of `icfast --help`, and where their functions are.
COMMANDS = {
    "demo": "icfast.cli.jobs:demo",
    "measure": "icfast.cli.jobs:measure",
    "inspect": "icfast.cli.corpora:inspect",
    "tokenize": "icfast.cli.corpora:tokenize",
    "entropy": "icfast.cli.counts:entropy",
    "count": "icfast.cli.counts:count",
    "merge": "icfast.cli.counts:merge",
    "fit": "icfast.cli.models:fit",
    "score": "icfast.cli.score:score",
    "export": "icfast.cli.convert:export",
    "compress": "icfast.cli.convert:compress",
    "laws": "icfast.cli.laws:app",
}

app = typer.Typer(
    name="icfast",
    cls=lazy_group(COMMANDS),
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Measure token corpora: n-gram entropy, held-out loss and information capacity.",
    epilog="Exit codes: 0 ok, 1 failure, 2 usage, 3 partial, 128 + n after signal n.",
)


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
    """Accept the options that come before a command."""


def main() -> None:
    """Run the command line on ``sys.argv`` and exit with its exit code."""
    from icfast.cli.program import run_program

    run_program(app)
