"""The program around the commands: streams, signals, and what happens outside a command."""

from __future__ import annotations

from collections.abc import Callable
from typing import NoReturn

from icfast.cli import signals, streams
from icfast.cli.output import say
from icfast.cli.run import FAILURE, INTERRUPTED, exit_code_of


def run_program(program: Callable[[], object]) -> NoReturn:
    """Run a program, and exit with its exit code.

    A program that exits by itself has its exit code, 128 + n after signal n.
    """
    if not streams.prepare():
        say("error: stdout is closed. Redirect it to a file, or to /dev/null.")
        signals.leave(FAILURE)
    signals.install()
    code = _code(program)
    number = signals.received()
    if number is not None:
        code = 128 + number
        line = signals.farewell(number)
        if line is not None:
            say(line)
    signals.leave(code)


def _code(program: Callable[[], object]) -> int:
    """Return the exit code of a program, after everything that it printed was written."""
    code = 0
    try:
        with streams.writing_stdout():
            try:
                program()
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except KeyboardInterrupt:
        return INTERRUPTED
    except Exception as error:
        return code or exit_code_of(error)
    return code
