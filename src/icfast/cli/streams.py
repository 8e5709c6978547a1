"""Standard streams of the program: closed, full or broken ones never end in a traceback.

Python sets a stream to None if its descriptor is closed, and the next file that is opened gets that
descriptor. A full or broken stream fails when it is written to, also while Python exits.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from icfast.errors import ResourceError


class _Forgiving(io.FileIO):
    """Standard error: what cannot be written has nobody to read it."""

    def write(self, data: Any) -> int:
        try:
            return super().write(data) or 0
        except OSError:
            return len(data)


def prepare() -> bool:
    """Make both streams safe to write to. Return whether there is a stdout."""
    has_stdout = sys.stdout is not None
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # takes the lowest free descriptor: this one
    raw = io.BufferedWriter(_Forgiving(2, "w", closefd=False))
    encoding = "utf-8" if sys.stderr is None else sys.stderr.encoding
    sys.stderr = io.TextIOWrapper(raw, encoding, "backslashreplace", line_buffering=True)
    if not has_stdout:
        sys.stdout = open(1, "w", encoding="utf-8", closefd=False)  # noqa: SIM115
    elif isinstance(sys.stdout, io.TextIOWrapper):
        # A character that the terminal cannot show must not lose the result.
        sys.stdout.reconfigure(errors="backslashreplace")
    return has_stdout


@contextmanager
def writing_stdout() -> Iterator[None]:
    """Explain why stdout cannot be written.

    Raises:
        ResourceError: its disk or device is full.
        BrokenPipeError: its reader closed the pipe.
    """
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        discard_stdout()
        raise ResourceError(
            f"the result cannot be written to stdout: {error.strerror}. Free some space, or "
            "redirect it to another file."
        ) from error


def discard_stdout() -> None:
    """Send what is still buffered to nowhere. Python would fail to write it at exit."""
    try:
        descriptor = sys.stdout.fileno()
    except (OSError, ValueError):
        return  # a stream of a caller in the same process
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
    sys.stdout.flush()
