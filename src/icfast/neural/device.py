"""Devices of torch: the choice of a device, and losses computed and added up on it."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from icfast.backends.losses import LossCells
from icfast.backends.select import select_device
from icfast.errors import BackendError, MissingExtraError, OptionError, ResourceError, needs_extra
from icfast.losses.device_arrays import DeviceArrays, LossSums
from icfast.losses.dlpack import Device
from icfast.neural.loss_device import BatchLayout, DeviceSums, Event, Stream
from icfast.neural.token_model import CPU

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from icfast.neural.output_layer import TensorLosses

_CUDA = re.compile(r"cuda(?::(\d+))?")


def choose_device(name: str) -> str:
    """Return the full name of a device: "cpu" or "cuda:N".

    Args:
        name: cpu, cuda, cuda:N, or auto for the first CUDA device that the loss kernels run on,
            otherwise the CPU.

    Raises:
        OptionError: the name is unknown, or there is no such device.
        BackendError: torch or this build of icfast has no CUDA; the message gives the reason.
        MissingExtraError: torch is missing.
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
        raise OptionError(f"unknown device {name!r}; expected auto, cpu, cuda or cuda:N")
    return _cuda(int(match[1] or 0))


def _cuda(number: int) -> str:
    with needs_extra("neural", "a neural model"):
        import torch
    if torch.version.cuda is None:
        raise BackendError(
            f"torch {torch.__version__} was built without CUDA. Install a build with CUDA "
            "(https://pytorch.org/get-started), or pass --device cpu"
        )
    count = torch.cuda.device_count()
    if not count:
        raise BackendError(
            "torch finds no CUDA device: the driver is missing, or CUDA_VISIBLE_DEVICES hides the "
            "devices. Pass --device cpu"
        )
    if not number < count:
        raise OptionError(
            f"device cuda:{number} does not exist: torch finds {count} CUDA devices, numbered "
            "from 0"
        )
    select_device()
    return f"cuda:{number}"


def gpus(device: str) -> tuple[str, ...]:
    """Return the UUID of a device's GPU in NVML's spelling; nothing for the CPU.

    torch before 2.5 does not report UUIDs; the result is then empty too.
    """
    if device == CPU:
        return ()
    import torch

    uuid = getattr(torch.cuda.get_device_properties(device), "uuid", None)
    return () if uuid is None else (f"GPU-{uuid}",)


def out_of_memory_error() -> type[RuntimeError]:
    """Return the exception that torch raises if a device is out of memory."""
    import torch

    # Its name before torch 2.5 was torch.cuda.OutOfMemoryError.
    library = torch if hasattr(torch, "OutOfMemoryError") else torch.cuda
    found: type[RuntimeError] = library.OutOfMemoryError
    return found


def move_to(device: str, what: Any, name: str) -> Any:
    """Return a module or tensor of torch on a device.

    Args:
        name: name of the model in error messages.

    Raises:
        ResourceError: the device's memory is too small.
    """
    if device == CPU:
        return what  # packed models raise even if the device does not change
    try:
        return what.to(device)
    except out_of_memory_error() as error:
        raise ResourceError(
            f"{name} does not fit in the memory of {device}: {error}. Compute in 16 bits "
            "(--model-dtype), or pass --device cpu"
        ) from error


class _NoStream:
    """The stream of the CPU, where work is finished when a call returns."""

    def record_event(self) -> _NoStream:
        return self

    def wait_event(self, event: Event) -> None: ...

    def synchronize(self) -> None: ...


class _Staging:
    """A row of words that torch copies from, pinned for copies to a GPU."""

    def __init__(self, words: int, pinned: bool) -> None:
        import torch

        self.tensor = torch.empty(words, dtype=torch.int64, pin_memory=pinned)
        self.words: NDArray[np.int64] = self.tensor.numpy()


class TorchDevice:
    """A device of torch; a `LossDevice`.

    The stream of work is the current stream of the thread that creates the object.

    Args:
        device: cuda:N; or cpu, where work is finished at once and staging memory is not pinned.
        losses: function that computes the losses of tensors on that device.
        sums: function that allocates a number of cells there.
        memory_bytes: memory that batches may use there.
    """

    copies: Stream
    work: Stream

    def __init__(
        self,
        device: str,
        losses: TensorLosses,
        sums: Callable[[int], DeviceSums],
        memory_bytes: int,
    ) -> None:
        import torch

        self._device = torch.device(device)
        self._losses = losses
        self._sums = sums
        self.memory_bytes = memory_bytes
        self._on_cuda = self._device.type != CPU
        if self._on_cuda:
            self.work = torch.cuda.current_stream(self._device)
            self.copies = torch.cuda.Stream(self._device)
        else:
            self.work = self.copies = _NoStream()

    @classmethod
    def cuda(cls, device: str, losses: TensorLosses) -> TorchDevice:
        """Return a CUDA device; batches may use half of its free memory."""
        import torch

        kernels = select_device().kernels
        number = torch.device(device).index
        arrays = DeviceArrays.like(torch.empty(0, device=device), Device("cuda", number))
        free, _ = torch.cuda.mem_get_info(number)
        return cls(device, losses, lambda cells: LossSums(kernels, arrays, cells), free // 2)

    def staging(self, words: int) -> _Staging:
        """Return host memory to copy from."""
        return _Staging(words, pinned=self._on_cuda)

    def buffer(self, words: int) -> Any:
        """Return device memory to copy to."""
        import torch

        made = torch.empty(words, dtype=torch.int64, device=self._device)
        if self._on_cuda:
            made.record_stream(self.copies)  # its memory is not reused before the copies are over
        return made

    def copy(self, buffer: Any, staging: _Staging, words: int) -> None:
        """Queue a copy of the first words."""
        with self._in(self.copies):
            buffer[:words].copy_(staging.tensor[:words], non_blocking=True)

    def sums(self, cells: int) -> DeviceSums:
        """Queue cells of zeros."""
        with self._in(self.work):
            return self._sums(cells)

    def score(self, buffer: Any, layout: BatchLayout, documents: Any, bins: Any) -> None:
        """Queue the losses of the batch in a buffer and their addition to both sums."""
        with self._in(self.work):
            ids, indices, targets, document_cells, bin_cells = layout.parts(buffer)
            if layout.scored == layout.contexts * layout.positions:
                indices = None
            found = self._losses(ids, indices, targets, 1)
            documents.add(found.nll_nats, found.kinds, document_cells)
            bins.add(found.nll_nats, found.kinds, bin_cells)

    def fetch(self, sums: DeviceSums) -> Callable[[], LossCells]:
        """Queue a copy of sums to the host, on the stream of work."""
        with self._in(self.work):
            return sums.fetch()

    @contextmanager
    def _in(self, stream: Any) -> Iterator[None]:
        import torch

        with torch.inference_mode(), torch.cuda.stream(stream if self._on_cuda else None):
            yield

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Turn torch's errors into a ResourceError or BackendError."""
        try:
            yield
        except out_of_memory_error() as error:
            raise ResourceError(
                f"{self._device} is out of memory: {error}. Pass a smaller --batch or a shorter "
                "--window"
            ) from error
        except RuntimeError as error:  # torch's class for all other device errors
            raise BackendError(f"{self._device} failed: {error}") from error
