"""The way onto a device and back: two queues, and memory that both sides see. Pure protocols.

Nothing here waits but `Event.synchronize` and the call that a `Sums.fetch` returns. A queue works
through what it was given in order, and whenever it likes.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import LossCells


class Event(Protocol):
    """A point in a queue."""

    def synchronize(self) -> None:
        """Wait, on the host, until the queue has come to it."""


class Stream(Protocol):
    """A queue, as torch's streams are."""

    def record_event(self) -> Event:
        """A point behind all that was queued so far."""

    def wait_event(self, event: Event) -> None:
        """Let what is queued from now on wait for a point of another queue."""


class Staging(Protocol):
    """Memory of the host that the device copies from while the host goes on.

    Attributes:
        words: i64[words], for the host.
    """

    words: NDArray[np.int64]


class Sums(Protocol):
    """Sums of losses by cell, on the device."""

    def fetch(self) -> Callable[[], LossCells]:
        """Queue their copy to the host; the result waits for it."""


class Layout(NamedTuple):
    """How a batch lies in one row of i64 words: ids, then four rows of what is scored.

    Attributes:
        windows, positions: the shape of the ids.
        scored: positions that are scored.
    """

    windows: int
    positions: int
    scored: int

    @property
    def words(self) -> int:
        """All of them."""
        return self.windows * self.positions + 4 * self.scored

    def parts(self, words: Any) -> tuple[Any, Any, Any, Any, Any]:
        """Views: ids (windows, positions); of each scored position its place among all positions
        of the batch, its target, the document and the bin its loss goes to.

        >>> Layout(1, 2, 1).parts(np.array([7, 8, 1, 9, 0, 5]))[0].tolist()
        [[7, 8]]
        """
        fed, scored = self.windows * self.positions, self.scored
        ids = words[:fed].reshape(self.windows, self.positions)
        places, targets, documents, bins = (
            words[fed + row * scored : fed + (row + 1) * scored] for row in range(4)
        )
        return ids, places, targets, documents, bins


class Lane(Protocol):
    """A device that a model is on.

    Attributes:
        copies: the queue of copies from staging memory to buffers.
        work: the queue of all else.
        memory_bytes: what batches may take there.
    """

    copies: Stream
    work: Stream
    memory_bytes: int

    def staging(self, words: int) -> Staging:
        """Memory to copy from."""

    def buffer(self, words: int) -> Any:
        """Memory of the device to copy to; `work` may still be busy with whose it was before."""

    def copy(self, buffer: Any, staging: Staging, words: int) -> None:
        """Queue, among copies, that of the first words."""

    def sums(self, cells: int) -> Sums:
        """Queue, among the work, cells of zeros."""

    def score(self, buffer: Any, layout: Layout, documents: Sums, bins: Sums) -> None:
        """Queue, among the work, the losses of the batch in a buffer, added to both sums."""

    def guard(self) -> AbstractContextManager[None]:
        """Turns errors of the device's own library into a ResourceError or BackendError."""
