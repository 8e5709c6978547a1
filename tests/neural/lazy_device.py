"""A device that works as late or as early as it may, and overwrites data that is read too early.

A device may run its two streams in any order that their events allow. If sums depend on the order,
a wait is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from tests.neural.hash_model import HashModel

from icfast.backends.losses import LossCells
from icfast.backends.select import select
from icfast.errors import BackendError
from icfast.neural.loss_device import BatchLayout
from icfast.neural.token_model import IGNORE_INDEX
from icfast.sums.kinds import Kind

SPOILT = -77


class DeviceError(Exception):
    """Exception of the device's library."""


@dataclass
class LazyEvent:
    stream: LazyStream
    place: int

    @property
    def is_over(self) -> bool:
        return self.stream.done >= self.place

    def synchronize(self) -> None:
        self.stream.device.log.append("wait")
        self.stream.work_to(self.place)


class LazyStream:
    """A stream; an eager stream runs its work as soon as the events that it waits for are over."""

    def __init__(self, device: LazyDevice, eager: bool) -> None:
        self.device, self.eager = device, eager
        self.queued: list[Callable[[], None] | LazyEvent] = []
        self.done = 0

    def push(self, work: Callable[[], None] | LazyEvent) -> None:
        self.queued.append(work)
        self.device.go_on()

    def record_event(self) -> LazyEvent:
        return LazyEvent(self, len(self.queued))

    def wait_event(self, event: LazyEvent) -> None:
        self.push(event)

    def work_to(self, place: int) -> None:
        """Run the work up to a place and the work that it waits for."""
        while self.done < place:
            self._next()

    def _next(self) -> None:
        work = self.queued[self.done]
        self.done += 1
        if isinstance(work, LazyEvent):
            work.stream.work_to(work.place)
        else:
            work()

    def go_on(self) -> bool:
        """Run work that waits for nothing; return whether there was any."""
        before = self.done
        while self.done < len(self.queued):
            work = self.queued[self.done]
            if isinstance(work, LazyEvent) and not work.is_over:
                break
            self._next()
        return self.done > before


class LazySums:
    def __init__(self, device: LazyDevice, cells: int) -> None:
        self._device = device
        low, high = np.zeros((2, cells), np.uint64)
        self.cells = LossCells(low, high, np.zeros((cells, len(Kind)), np.uint64))

    def fetch(self) -> Callable[[], LossCells]:
        copies: list[LossCells] = []
        self._device.work.push(lambda: copies.append(LossCells(*(p.copy() for p in self.cells))))
        event = self._device.work.record_event()

        def wait() -> LossCells:
            self._device.log.append("fetched")
            event.synchronize()
            return copies[0]

        return wait


class Staging:
    def __init__(self, words: int) -> None:
        self.words = np.full(words, SPOILT, np.int64)


class LazyDevice:
    """A LossDevice of a model that computes when its stream reaches the work."""

    def __init__(self, model: LazyModel) -> None:
        self._model = model
        self.memory_bytes = model.memory_bytes
        self.log = model.log
        self.copies = LazyStream(self, "copies" in model.eager)
        self.work = LazyStream(self, "work" in model.eager)

    def go_on(self) -> None:
        streams = [stream for stream in (self.copies, self.work) if stream.eager]
        while any(stream.go_on() for stream in streams):
            pass

    def staging(self, words: int) -> Staging:
        self.log.append("staging")
        return Staging(words)

    def buffer(self, words: int) -> Any:
        made = np.zeros(words, np.int64)
        # Its previous owner may still write to the memory.
        self.work.push(lambda: made.fill(SPOILT))
        return made

    def copy(self, buffer: Any, staging: Staging, words: int) -> None:
        def copied() -> None:
            buffer[:words] = staging.words[:words]
            buffer[words:] = SPOILT

        self.copies.push(copied)

    def sums(self, cells: int) -> LazySums:
        return LazySums(self, cells)

    def fetch(self, sums: LazySums) -> Callable[[], LossCells]:
        return sums.fetch()

    def score(self, buffer: Any, layout: BatchLayout, documents: LazySums, bins: LazySums) -> None:
        model = self._model
        model.queued += 1
        if model.queued == model.refused_at:
            raise BackendError("the device refused work")
        self.log.append("score")

        def scored() -> None:
            model.computed += 1
            if model.computed == model.fails_at:
                raise DeviceError("an illegal address")
            ids, places, asked, of_documents, of_bins = layout.parts(buffer)
            assert places.min() >= 0 <= asked.min(), "what is read was not copied yet"
            targets = np.full(ids.size, IGNORE_INDEX, np.int64)
            targets[places] = asked
            out = model.losses(ids.copy(), targets.reshape(ids.shape), 1)
            losses = out.nll_nats[places], out.kinds[places]
            kernels = select().kernels
            for sums, cells in ((documents, of_documents), (bins, of_bins)):
                assert kernels.add_losses(*losses, cells.copy(), sums.cells) == (0, 0, 0)

        self.work.push(scored)
        model.ahead = max(model.ahead, model.queued - model.computed)

    @contextmanager
    def guard(self) -> Iterator[None]:
        try:
            yield
        except DeviceError as error:
            raise BackendError(f"lazy:0 failed: {error}") from error


@dataclass
class LazyModel(HashModel):
    """The hash model on such a device.

    `eager` names the eager streams: "copies", "work", both or none. `ahead` is the maximum
    number of batches that were queued and not finished.
    """

    eager: str = ""
    memory_bytes: int = 1 << 30
    device: str = "lazy:0"
    gpus: tuple[str, ...] = ("GPU-lazy",)
    refused_at: int | None = None
    fails_at: int | None = None
    queued: int = 0
    computed: int = 0
    ahead: int = 0
    log: list[str] = field(default_factory=list)

    def loss_device(self) -> LazyDevice:
        return LazyDevice(self)
