"""Batches of windows into a model, and their losses into sums: on the host, or on a device.

On a device all of it is queued. A batch is laid out in one of a few staging buffers, copied from it
to a buffer of the device in a queue of its own, and scored and added up in another; so reading the
corpus and copying go on while the device computes. The host waits where it needs a staging buffer
again whose copy is not over, and for the sums of a unit after the next one is queued. A buffer is
written again only behind what reads it:

    host     fill 0 . fill 1 . (0 copied?) fill 0 . (1 copied?) fill 1 . ...
    copies          copy 0 . copy 1 . (0 scored?) copy 0 . (1 scored?) copy 1 ...
    work            (0 copied?) score 0 . (1 copied?) score 1 . ...
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import LossCells
from icfast.errors import IcfastError, SelfCheckError, check
from icfast.neural.checkpoint import UnitSums
from icfast.neural.contexts import Batch
from icfast.neural.lane import Event, Lane, Layout, Staging
from icfast.neural.token_model import IGNORE_INDEX, TokenModel
from icfast.parallel.threads import Work
from icfast.sums.kinds import Kind

#: The sums of a unit; the call waits for them.
Pending: TypeAlias = Callable[[], UnitSums]


class UnitBatches(NamedTuple):
    """The batches of one unit of work.

    Attributes:
        batches: in order.
        documents: cells of the sums by document.
        bins: cells of the sums by position.
        where: the unit, for errors.
    """

    batches: Iterable[Batch]
    documents: int
    bins: int
    where: str

    def place(self, number: int) -> AbstractContextManager[None]:
        """Errors inside say which batch they are about."""
        return _placed(f"batch {number} of {self.where}")


@contextmanager
def _placed(where: str) -> Iterator[None]:
    try:
        yield
    except IcfastError as error:
        raise type(error)(f"{error} ({where})") from error


class Feed(Protocol):
    """Turns batches into sums.

    Attributes:
        ahead: units whose sums may be waited for while the next one is queued.
    """

    ahead: int

    def sums(self, unit: UnitBatches) -> Pending:
        """Score the batches of a unit, or queue that.

        Raises:
            SelfCheckError: (the result) the model left out targets it was asked for.
            IcfastError: whatever the model or its device refuses, with its place.
        """


class HostFeed:
    """A model that answers when it is asked; each batch is done before the next is made."""

    ahead = 0

    def __init__(self, model: TokenModel, work: Work) -> None:
        self._model, self._work = model, work

    def sums(self, unit: UnitBatches) -> Pending:
        """As in `Feed`."""
        kernels = self._work.backend.kernels
        documents, positions = zero_cells(unit.documents), zero_cells(unit.bins)
        for number, batch in enumerate(unit.batches):
            with unit.place(number):
                nats, kinds = self._losses(batch)
                check(kernels.add_losses(nats, kinds, batch.documents.reshape(-1), documents))
                check(kernels.add_losses(nats, kinds, batch.positions.reshape(-1), positions))
        found = UnitSums(documents, positions)
        return lambda: found

    def _losses(self, batch: Batch) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Losses and kinds in one row, of every target that was asked for."""
        out = self._model.losses(batch.ids, batch.targets, self._work.threads)
        nats = np.ascontiguousarray(out.nll_nats, np.float64).reshape(-1)
        kinds = np.ascontiguousarray(out.kinds, np.uint8).reshape(-1)
        asked = batch.targets.reshape(-1) != IGNORE_INDEX
        if not len(nats) == len(kinds) == len(asked):
            raise SelfCheckError(
                f"{self._model.name} gave {len(nats)} losses of {len(asked)} positions"
            )
        if (kinds[asked] == Kind.IGNORED).any():
            raise SelfCheckError(f"{self._model.name} ignored targets it was asked for")
        return nats, kinds


class DeviceFeed:
    """A model on a device, which is given batches ahead of what it has done.

    Args:
        positions: of a batch, at most.
        slots: staging buffers, each with a buffer of the device.
    """

    ahead = 1

    def __init__(self, lane: Lane, name: str, positions: int, slots: int = 2) -> None:
        self._lane, self._name = lane, name
        words = Layout(1, positions, positions).words
        with lane.guard():
            self._slots = deque(_Slot(lane, words) for _ in range(slots))

    def sums(self, unit: UnitBatches) -> Pending:
        """As in `Feed`."""
        lane, asked = self._lane, 0
        with lane.guard():
            documents, bins = lane.sums(unit.documents), lane.sums(unit.bins)
        for number, batch in enumerate(unit.batches):
            with unit.place(number), lane.guard():
                slot = self._slots[0]
                self._slots.rotate(-1)
                layout = slot.send(batch)
                lane.work.wait_event(slot.copied)
                lane.score(slot.buffer, layout, documents, bins)
                slot.scored = lane.work.record_event()
                asked += layout.scored
        with lane.guard():
            fetched = documents.fetch(), bins.fetch()

        def wait() -> UnitSums:
            with _placed(unit.where), lane.guard():
                found = UnitSums(fetched[0](), fetched[1]())
                self._check(found, asked)
                return found

        return wait

    def _check(self, found: UnitSums, asked: int) -> None:
        for cells in found:
            scored = int(cells.counts.sum()) - int(cells.counts[:, Kind.IGNORED].sum())
            if scored != asked:
                raise SelfCheckError(f"{self._name} gave {scored} losses of {asked} targets")


class _Slot:
    """A staging buffer, the buffer of the device it is copied to, and how far each is."""

    def __init__(self, lane: Lane, words: int) -> None:
        self._lane = lane
        self._staging: Staging = lane.staging(words)
        self.buffer: Any = lane.buffer(words)
        self.scored: Event = lane.work.record_event()
        self.copied: Event = lane.copies.record_event()

    def send(self, batch: Batch) -> Layout:
        """Lay a batch out and queue its copy, when what is there may go."""
        lane = self._lane
        self.copied.synchronize()
        layout = _lay_out(batch, self._staging.words)
        lane.copies.wait_event(self.scored)
        lane.copy(self.buffer, self._staging, layout.words)
        self.copied = lane.copies.record_event()
        return layout


def _lay_out(batch: Batch, words: NDArray[np.int64]) -> Layout:
    """Write a batch into words; only what is scored has a target and cells there."""
    targets = batch.targets.reshape(-1)
    scored = np.flatnonzero(targets != IGNORE_INDEX)
    windows, positions = batch.ids.shape
    layout = Layout(windows, positions, len(scored))
    ids, places, asked, documents, bins = layout.parts(words)
    ids[...] = batch.ids
    places[...] = scored
    for to, row in ((asked, targets), (documents, batch.documents), (bins, batch.positions)):
        np.take(row.reshape(-1), scored, out=to)
    return layout


def zero_cells(cells: int) -> LossCells:
    """Nothing added up yet."""
    low, high = np.zeros((2, cells), np.uint64)
    return LossCells(low, high, np.zeros((cells, len(Kind)), np.uint64))
