"""Devices of torch: which one is meant, and the lane onto it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from icfast.backends.select import select_device
from icfast.errors import BackendError, MissingExtraError, OptionError, ResourceError, needs_extra
from icfast.losses.device_arrays import DeviceArrays, LossSums
from icfast.losses.dlpack import Device
from icfast.neural.lane import Event, Layout, Stream, Sums
from icfast.neural.token_model import CPU

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from icfast.neural.batch import Queue

_CUDA = re.compile(r"cuda(?::(\d+))?")


def choose_device(name: str) -> str:
    """The device a user means: "cpu", or "cuda:N".

    Args:
        name: cpu; cuda or cuda:N; auto, which is the first CUDA device where there is one that the
            kernels of losses run on, else the CPU.

    Raises:
        OptionError: another name, or a device that is not there.
        BackendError: this torch or this build has no CUDA; the message says why.
        MissingExtraError: torch is not installed.
    """
    if name == CPU:
        return CPU
    if name == "auto":
        try:
            return _cuda(0)
        except (BackendError, OptionError, MissingExtraError):
            return CPU
    match = _CUDA.fullmatch(name)
    if match is None:
        raise OptionError(f"device {name!r} is none of auto, cpu, cuda, cuda:N")
    return _cuda(int(match[1] or 0))


def _cuda(number: int) -> str:
    with needs_extra("neural", "a neural model"):
        import torch
    if torch.version.cuda is None:
        raise BackendError(
            f"torch {torch.__version__} was built without CUDA; install one with it "
            "(https://pytorch.org/get-started), or choose --device cpu"
        )
    count = torch.cuda.device_count()
    if not count:
        raise BackendError(
            "torch finds no CUDA device: there is no driver, or CUDA_VISIBLE_DEVICES hides them; "
            "choose --device cpu"
        )
    if not number < count:
        raise OptionError(f"device cuda:{number}: torch finds {count} CUDA devices, from 0")
    select_device()
    return f"cuda:{number}"


def gpus(device: str) -> tuple[str, ...]:
    """The UUID of a device's GPU, as NVML knows it; none of the CPU."""
    if device == CPU:
        return ()
    import torch

    return (f"GPU-{torch.cuda.get_device_properties(device).uuid}",)


def placed(what: Any, device: str, name: str) -> Any:
    """A module or tensor of torch on a device.

    Raises:
        ResourceError: the device's memory does not hold it.
    """
    if device == CPU:
        return what  # as it is: packed models refuse to be moved at all
    import torch

    try:
        return what.to(device)
    except torch.OutOfMemoryError as error:
        raise ResourceError(
            f"{name} does not fit in the memory of {device}: {error}; compute it in 16 bits "
            "(--model-dtype), or choose --device cpu"
        ) from error


class _InOrder:
    """The queue of a device that has done a thing when it is asked to: the CPU."""

    def record_event(self) -> _InOrder:
        return self

    def wait_event(self, event: Event) -> None: ...

    def synchronize(self) -> None: ...


class _Staging:
    """A row of words that torch copies from; pinned where a device copies on its own."""

    def __init__(self, words: int, pinned: bool) -> None:
        import torch

        self.tensor = torch.empty(words, dtype=torch.int64, pin_memory=pinned)
        self.words: NDArray[np.int64] = self.tensor.numpy()


class TorchLane:
    """The lane onto a device of torch; a `Lane`.

    The queue of work is the current stream of the thread that makes it.

    Args:
        device: cuda:N; or cpu, where everything is done at once and staging is plain memory.
        queue: computes and scores on that device.
        sums: makes cells there.
        memory_bytes: what batches may take there.
    """

    copies: Stream
    work: Stream

    def __init__(
        self, device: str, queue: Queue, sums: Callable[[int], Sums], memory_bytes: int
    ) -> None:
        import torch

        self._device = torch.device(device)
        self._queue = queue
        self._sums = sums
        self.memory_bytes = memory_bytes
        self._on_cuda = self._device.type != CPU
        if self._on_cuda:
            self.work = torch.cuda.current_stream(self._device)
            self.copies = torch.cuda.Stream(self._device)
        else:
            self.work = self.copies = _InOrder()

    @classmethod
    def on(cls, device: str, queue: Queue) -> TorchLane:
        """Onto a CUDA device, half of whose free memory batches may take."""
        import torch

        kernels = select_device().kernels
        number = torch.device(device).index
        here = DeviceArrays.like(torch.empty(0, device=device), Device("cuda", number))
        free, _ = torch.cuda.mem_get_info(number)
        return cls(device, queue, lambda cells: LossSums(kernels, here, cells), free // 2)

    def staging(self, words: int) -> _Staging:
        """As in `Lane`."""
        return _Staging(words, pinned=self._on_cuda)

    def buffer(self, words: int) -> Any:
        """As in `Lane`."""
        import torch

        made = torch.empty(words, dtype=torch.int64, device=self._device)
        if self._on_cuda:
            made.record_stream(self.copies)  # who gets its memory afterwards waits for them
        return made

    def copy(self, buffer: Any, staging: _Staging, words: int) -> None:
        """As in `Lane`."""
        with self._in(self.copies):
            buffer[:words].copy_(staging.tensor[:words], non_blocking=True)

    def sums(self, cells: int) -> Sums:
        """As in `Lane`."""
        with self._in(self.work):
            return self._sums(cells)

    def score(self, buffer: Any, layout: Layout, documents: Any, bins: Any) -> None:
        """As in `Lane`."""
        with self._in(self.work):
            ids, places, targets, of_documents, of_bins = layout.parts(buffer)
            if layout.scored == layout.windows * layout.positions:
                places = None
            found = self._queue(ids, places, targets, 1)
            documents.add(found.nll_nats, found.kinds, of_documents)
            bins.add(found.nll_nats, found.kinds, of_bins)

    @contextmanager
    def _in(self, stream: Any) -> Iterator[None]:
        import torch

        with torch.inference_mode(), torch.cuda.stream(stream if self._on_cuda else None):
            yield

    @contextmanager
    def guard(self) -> Iterator[None]:
        """As in `Lane`."""
        import torch

        try:
            yield
        except torch.OutOfMemoryError as error:
            raise ResourceError(
                f"{self._device} is out of memory: {error}; give smaller batches (--batch), or a "
                "shorter --window"
            ) from error
        except RuntimeError as error:  # what else torch raises for a device
            raise BackendError(f"{self._device} failed: {error}") from error
