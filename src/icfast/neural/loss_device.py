"""Losses of batches, added up on the host or on a device.

On a device all work is queued. A batch is written to one of a few staging buffers, copied to a
device buffer on one stream, and scored and added up on another. So the host reads the corpus and
copies while the device computes. The host waits before it reuses a staging buffer, and for the sums
of a chunk after it has queued the next chunk. A buffer is overwritten only after its last reader:

    host     fill 0 . fill 1 . (0 copied?) fill 0 . (1 copied?) fill 1 . ...
    copies          copy 0 . copy 1 . (0 scored?) copy 0 . (1 scored?) copy 1 ...
    work            (0 copied?) score 0 . (1 copied?) score 1 . ...
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeGuard

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import LossCells
from icfast.errors import IcfastError, SelfCheckError, check
from icfast.neural.checkpoint import ChunkSums
from icfast.neural.contexts import Batch
from icfast.neural.token_model import CPU, IGNORE_INDEX, TokenModel, device_of
from icfast.parallel.threads import Work
from icfast.sums.kinds import Kind

# Protocols of a device ----------------------------------------------------------------------


class Event(Protocol):
    """A point in a stream."""

    def synchronize(self) -> None:
        """Wait on the host until the stream has reached this point."""


class Stream(Protocol):
    """A queue of a device's work, such as a CUDA stream of torch."""

    def record_event(self) -> Event:
        """Return a point after all work queued so far."""

    def wait_event(self, event: Event) -> None:
        """Make work that is queued later wait for a point of another stream."""


class Staging(Protocol):
    """Host memory that a device copies from while the host continues.

    Attributes:
        words: i64[words], the memory as the host writes it.
    """

    words: NDArray[np.int64]


class DeviceSums(Protocol):
    """Sums of losses by cell, on a device."""

    def fetch(self) -> Callable[[], LossCells]:
        """Queue a copy to the host; the returned function waits for it."""


class BatchLayout(NamedTuple):
    """Layout of a batch in one row of i64 words: the ids, then four rows for the scored positions.

    Attributes:
        contexts, positions: shape of the ids.
        scored: number of scored positions.
    """

    contexts: int
    positions: int
    scored: int

    @property
    def words(self) -> int:
        """Total number of words."""
        return self.contexts * self.positions + 4 * self.scored

    def parts(self, words: Any) -> tuple[Any, Any, Any, Any, Any]:
        """Return views of the words.

        They are the ids (contexts, positions), then for each scored position: its index among all
        positions of the batch, its target, the cell of its document and the cell of its position.

        >>> BatchLayout(1, 2, 1).parts(np.array([7, 8, 1, 9, 0, 5]))[0].tolist()
        [[7, 8]]
        """
        fed, scored = self.contexts * self.positions, self.scored
        ids = words[:fed].reshape(self.contexts, self.positions)
        indices, targets, documents, bins = (
            words[fed + row * scored : fed + (row + 1) * scored] for row in range(4)
        )
        return ids, indices, targets, documents, bins


class LossDevice(Protocol):
    """A device that computes a model and adds up its losses.

    Attributes:
        copies: stream of the copies from staging memory to device buffers.
        work: stream of all other work.
        memory_bytes: memory that batches may use there.
    """

    copies: Stream
    work: Stream
    memory_bytes: int

    def staging(self, words: int) -> Staging:
        """Return host memory to copy from."""

    def buffer(self, words: int) -> Any:
        """Return device memory to copy to; `work` may still use what was there before."""

    def copy(self, buffer: Any, staging: Staging, words: int) -> None:
        """Queue a copy of the first words, on the stream of copies."""

    def sums(self, cells: int) -> DeviceSums:
        """Queue cells of zeros, on the stream of work."""

    def score(
        self, buffer: Any, layout: BatchLayout, documents: DeviceSums, bins: DeviceSums
    ) -> None:
        """Queue the losses of the batch in a buffer and their addition to both sums."""

    def fetch(self, sums: DeviceSums) -> Callable[[], LossCells]:
        """Queue a copy of sums to the host, on the stream of work."""

    def guard(self) -> AbstractContextManager[None]:
        """Turn errors of the device's library into a ResourceError or BackendError."""


class DeviceModel(TokenModel, Protocol):
    """A token model on a GPU, which computes batches while the host prepares the next ones.

    Attributes:
        device: name of the device, such as cuda:0.
        gpus: UUIDs of the GPUs that compute the model.
    """

    device: str
    gpus: tuple[str, ...]

    def loss_device(self) -> LossDevice:
        """Return the device that computes and sums the losses."""


def on_device(model: TokenModel) -> TypeGuard[DeviceModel]:
    """Return whether a model computes on a device other than the CPU."""
    return device_of(model) != CPU


# Batches to sums ----------------------------------------------------------------------------

#: A function that waits for the sums of a chunk and returns them.
PendingSums: TypeAlias = Callable[[], ChunkSums]


class ChunkBatches(NamedTuple):
    """The batches of one chunk.

    Attributes:
        batches: the batches in order.
        documents: number of cells of the sums by document.
        bins: number of cells of the sums by position.
        where: name of the chunk in error messages.
    """

    batches: Iterable[Batch]
    documents: int
    bins: int
    where: str

    def batch_errors(self, number: int) -> AbstractContextManager[None]:
        """Return a context manager that adds the batch's name to errors."""
        return _errors_name(f"batch {number} of {self.where}")


@contextmanager
def _errors_name(where: str) -> Iterator[None]:
    try:
        yield
    except IcfastError as error:
        raise type(error)(f"{error} ({where})") from error


class BatchScorer(Protocol):
    """A scorer of batches.

    Attributes:
        ahead: number of chunks that may be unfinished while the next one is queued.
    """

    ahead: int

    def sums(self, chunk: ChunkBatches) -> PendingSums:
        """Score the batches of a chunk, or queue the work.

        Raises:
            SelfCheckError: the model left out targets; the returned function raises it.
            IcfastError: the model or its device failed.
        """


class HostScorer:
    """Scorer for models that return losses to the host; batches run one after another."""

    ahead = 0

    def __init__(self, model: TokenModel, work: Work) -> None:
        self._model, self._work = model, work

    def sums(self, chunk: ChunkBatches) -> PendingSums:
        """Score the batches of a chunk."""
        kernels = self._work.backend.kernels
        documents, positions = zero_cells(chunk.documents), zero_cells(chunk.bins)
        for number, batch in enumerate(chunk.batches):
            with chunk.batch_errors(number):
                nats, kinds = self._losses(batch)
                check(kernels.add_losses(nats, kinds, batch.documents.reshape(-1), documents))
                check(kernels.add_losses(nats, kinds, batch.positions.reshape(-1), positions))
        found = ChunkSums(documents, positions)
        return lambda: found

    def _losses(self, batch: Batch) -> tuple[NDArray[np.float64], NDArray[np.uint8]]:
        """Return the losses and kinds of all positions, after a check that none is missing."""
        out = self._model.losses(batch.ids, batch.targets, self._work.threads)
        nats = np.ascontiguousarray(out.nll_nats, np.float64).reshape(-1)
        kinds = np.ascontiguousarray(out.kinds, np.uint8).reshape(-1)
        asked = batch.targets.reshape(-1) != IGNORE_INDEX
        if not len(nats) == len(kinds) == len(asked):
            raise SelfCheckError(
                f"{self._model.name} returned {len(nats)} losses for {len(asked)} positions"
            )
        if (kinds[asked] == Kind.IGNORED).any():
            raise SelfCheckError(f"{self._model.name} ignored targets that it had to score")
        return nats, kinds


class DeviceScorer:
    """Scorer for models on a device; the host queues batches ahead of the device.

    Args:
        device: device of the model.
        name: name of the model in error messages.
        positions: maximum number of positions in a batch.
        slots: number of staging buffers, each with a buffer of the device.
    """

    ahead = 1

    def __init__(self, device: LossDevice, name: str, positions: int, slots: int = 2) -> None:
        self._device, self._name = device, name
        words = BatchLayout(1, positions, positions).words
        with device.guard():
            self._slots = deque(_Slot(device, words) for _ in range(slots))

    def sums(self, chunk: ChunkBatches) -> PendingSums:
        """Queue the batches of a chunk."""
        device, asked = self._device, 0
        with device.guard():
            documents, bins = device.sums(chunk.documents), device.sums(chunk.bins)
        for number, batch in enumerate(chunk.batches):
            with chunk.batch_errors(number), device.guard():
                slot = self._slots[0]
                self._slots.rotate(-1)
                layout = slot.send(batch)
                device.work.wait_event(slot.copied)
                device.score(slot.buffer, layout, documents, bins)
                slot.scored = device.work.record_event()
                asked += layout.scored
        with device.guard():
            fetched = device.fetch(documents), device.fetch(bins)

        def wait() -> ChunkSums:
            with _errors_name(chunk.where), device.guard():
                found = ChunkSums(fetched[0](), fetched[1]())
                self._check(found, asked)
                return found

        return wait

    def _check(self, found: ChunkSums, asked: int) -> None:
        for cells in found:
            scored = int(cells.counts.sum()) - int(cells.counts[:, Kind.IGNORED].sum())
            if scored != asked:
                raise SelfCheckError(f"{self._name} returned {scored} losses for {asked} targets")


class _Slot:
    """A staging buffer, its device buffer, and the last events of both."""

    def __init__(self, device: LossDevice, words: int) -> None:
        self._device = device
        self._staging: Staging = device.staging(words)
        self.buffer: Any = device.buffer(words)
        self.scored: Event = device.work.record_event()
        self.copied: Event = device.copies.record_event()

    def send(self, batch: Batch) -> BatchLayout:
        """Write a batch to the staging buffer and queue its copy, once both buffers are free."""
        device = self._device
        self.copied.synchronize()
        layout = _write_batch(batch, self._staging.words)
        device.copies.wait_event(self.scored)
        device.copy(self.buffer, self._staging, layout.words)
        self.copied = device.copies.record_event()
        return layout


def _write_batch(batch: Batch, words: NDArray[np.int64]) -> BatchLayout:
    """Write a batch into words; only scored positions have a target and cells there."""
    targets = batch.targets.reshape(-1)
    scored = np.flatnonzero(targets != IGNORE_INDEX)
    contexts, positions = batch.ids.shape
    layout = BatchLayout(contexts, positions, len(scored))
    ids, indices, asked, documents, bins = layout.parts(words)
    ids[...] = batch.ids
    indices[...] = scored
    for to, row in ((asked, targets), (documents, batch.documents), (bins, batch.positions)):
        np.take(row.reshape(-1), scored, out=to)
    return layout


def zero_cells(cells: int) -> LossCells:
    """Return empty sums."""
    low, high = np.zeros((2, cells), np.uint64)
    return LossCells(low, high, np.zeros((cells, len(Kind)), np.uint64))
