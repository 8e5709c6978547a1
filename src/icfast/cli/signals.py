"""Signals that end the program: clean-up, one line, and exit code 128 + n within a second.

Python handles a signal between two instructions of the main thread. A call that takes long there
would delay it, so another thread ends the process if the main thread has not done so soon.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import NoReturn

#: Signals that end the program.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)

#: Seconds that clean-up may take before the process ends without it.
_GRACE_SECONDS = 0.7

#: The first signal that arrived, and whether its line was written.
_first: signal.Signals | None = None
_said = False


def install() -> None:
    """Handle the signals that end the program. Those that the caller ignores stay ignored."""
    handled = [number for number in ENDING if signal.getsignal(number) is not signal.SIG_IGN]
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    for number in handled:
        signal.signal(number, _handle)
    watch = threading.Thread(target=_watch, args=(reading, handled), daemon=True)
    watch.start()


def received() -> signal.Signals | None:
    """Return the first signal that was handled, or None."""
    return _first


def farewell(number: int) -> str | None:
    """Return the line about a signal, None if it was written already."""
    global _said
    if _first is not None and _said:
        return None
    _said = True
    what = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
    return f"{what}; no incomplete file was kept"


def _handle(number: int, _: FrameType | None) -> None:
    """Unwind the main thread at the first signal. Later ones do not disturb its clean-up."""
    global _first
    if _first is not None:
        return
    _first = signal.Signals(number)
    if number == signal.SIGINT:
        raise KeyboardInterrupt
    raise SystemExit(128 + number)


def _watch(reading: int, handled: list[signal.Signals]) -> None:
    """End the process a moment after the first of these signals."""
    while True:
        number = os.read(reading, 1)[0]
        if number in handled:
            time.sleep(_GRACE_SECONDS)
            _end(number)


def _end(number: int) -> NoReturn:
    line = farewell(number)
    if line is not None:
        line = line.partition(";")[0] + "; the next run removes its temporary files"
        os.write(2, f"{line}\n".encode())
    os._exit(128 + number)


def leave(code: int) -> NoReturn:
    """Exit, without waiting for a kernel that a signal has abandoned."""
    if _first is not None:
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        os._exit(code)
    sys.exit(code)
