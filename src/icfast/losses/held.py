"""Memory that queued work still reads: it is kept until the work is done.

A call that queues work on a device returns before the device has read its inputs. An array of
another library may be freed then, because that library does not know the stream of the work.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from contextlib import suppress
from queue import SimpleQueue
from typing import Any, Protocol


class DoneEvent(Protocol):
    """A point in a stream of work, as torch and CuPy have it."""

    def synchronize(self) -> None:
        """Wait on the host until the stream has reached this point."""


class Keeper:
    """Owners of memory, each kept until an event has passed. One thread waits for the events."""

    def __init__(self) -> None:
        self._waiting: SimpleQueue[tuple[DoneEvent, Sequence[Any]]] = SimpleQueue()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def keep(self, owners: Sequence[Any], until: DoneEvent) -> None:
        """Keep objects until an event has passed."""
        self._waiting.put((until, owners))
        with self._starting:
            if self._thread is None or not self._thread.is_alive():  # a fork has no threads
                self._thread = threading.Thread(target=self._run, name="held", daemon=True)
                self._thread.start()

    def _run(self) -> None:
        while True:
            event, owners = self._waiting.get()
            with suppress(Exception):  # a device that failed reads nothing any more
                event.synchronize()
            del event, owners


#: Keeper of this process.
KEEPER = Keeper()
