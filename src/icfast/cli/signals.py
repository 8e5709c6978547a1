"""Signals that end the program: it removes what it has begun, prints one line, and exits."""

from __future__ import annotations

import signal
from types import FrameType
from typing import NoReturn

#: Signals that end a command in good order. SIGINT has its own exception in Python.
_ENDING = ("SIGTERM", "SIGHUP", "SIGQUIT")


class Ended(SystemExit):
    """End of the program by a signal. The exit code is 128 plus the number of the signal."""

    def __init__(self, number: int) -> None:
        super().__init__(128 + number)
        self.number = number

    @property
    def name(self) -> str:
        """Name of the signal, such as SIGTERM."""
        return signal.Signals(self.number).name


def end_in_good_order() -> None:
    """Turn SIGTERM, SIGHUP and SIGQUIT into exceptions.

    A signal that is ignored stays ignored, so that nohup works.
    """
    for name in _ENDING:
        number = getattr(signal, name, None)
        if number is not None and signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)


def _end(number: int, _: FrameType | None) -> NoReturn:
    # A second signal must not interrupt the removal of unfinished files.
    for name in _ENDING:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    raise Ended(number)
