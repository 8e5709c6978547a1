"""Arrays on a CUDA device: where their library queues work, and addresses for kernels.

Results are arrays of the library the input came with, torch's or CuPy's; what has DLPack alone gets
CuPy's. Work is queued on that library's current stream, as its own functions would.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import (
    ID_DTYPES,
    DeviceIds,
    DeviceKernels,
    DeviceLossCells,
    DeviceMatrix,
    LossCells,
    Queue,
)
from icfast.errors import OptionError, check, needs_extra
from icfast.losses.dlpack import Device
from icfast.losses.intake import integers
from icfast.sums.kinds import Kind


class DeviceArrays(ABC):
    """The arrays of one library on one device."""

    queue: Queue

    def __init__(self) -> None:
        self._held: list[Any] = []  # copies that queued work still reads

    @staticmethod
    def beside(array: Any, device: Device) -> DeviceArrays:
        """For results where an array lives.

        Raises:
            MissingExtraError: it is no torch tensor, and there is no CuPy.
        """
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(array, torch.Tensor):
            return _Torch(device, torch)
        with needs_extra("cuda", f"what is no torch tensor on {device}"):
            import cupy
        return _CuPy(device, cupy)

    @abstractmethod
    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        """An array that holds anything."""

    @abstractmethod
    def full(self, size: int, value: int) -> Any:
        """A row of int64."""

    @abstractmethod
    def contiguous(self, array: Any) -> Any:
        """The array, or a copy row by row."""

    @abstractmethod
    def fetch(self, arrays: Sequence[Any]) -> Callable[[], list[NDArray[Any]]]:
        """Copies on the host: queued now, there when the result is called, which waits."""

    @abstractmethod
    def _start(self, array: Any) -> int: ...

    def address(self, array: Any, element: int = 0) -> int:
        """Where an element lies; 0 for no array."""
        if array is None:
            return 0
        return self._start(array) + element * int(array.dtype.itemsize)

    def ids(self, array: Any, shape: tuple[int, ...], name: str) -> DeviceIds:
        """Ids as kernels read them, one for each row.

        Raises:
            OptionError, BackendError: of another shape or dtype, or not on this device.
        """
        values = integers(array, name, self.queue)
        if values.shape != shape:
            raise OptionError(
                f"{name} have shape {values.shape}, expected {shape}: one for each row of logits"
            )
        if not values.flags.c_contiguous:
            self._held.append(copy := self.contiguous(array))
            values = integers(copy, name, self.queue)
        if values.dtype.name not in ID_DTYPES or not values.dtype.isnative:
            raise OptionError(f"{name} are {values.dtype}, expected one of {', '.join(ID_DTYPES)}")
        return DeviceIds(_start(values), ID_DTYPES.index(values.dtype.name))

    @staticmethod
    def id_bytes(ids: DeviceIds) -> int:
        """Bytes of one id."""
        return np.dtype(ID_DTYPES[ids.type]).itemsize

    @staticmethod
    def matrix(run: NDArray[Any], form: int) -> DeviceMatrix:
        """A view of a device's memory as kernels take it."""
        rows, columns = run.shape
        stride = run.strides[0] // run.itemsize if rows > 1 else columns
        return DeviceMatrix(_start(run), form, rows, columns, stride)


def _start(view: NDArray[Any]) -> int:
    return int(view.__array_interface__["data"][0])


class _Torch(DeviceArrays):
    def __init__(self, device: Device, torch: Any) -> None:
        super().__init__()
        self._torch = torch
        self._device = torch.device("cuda", device.number)
        self.queue = Queue(device.number, torch.cuda.current_stream(self._device).cuda_stream)

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        return self._torch.empty(shape, dtype=getattr(self._torch, dtype), device=self._device)

    def full(self, size: int, value: int) -> Any:
        return self._torch.full((size,), value, dtype=self._torch.int64, device=self._device)

    def contiguous(self, array: Any) -> Any:
        if isinstance(array, self._torch.Tensor):
            return array.contiguous()
        return self._torch.from_dlpack(array).contiguous()

    def fetch(self, arrays: Sequence[Any]) -> Callable[[], list[NDArray[Any]]]:
        torch = self._torch
        copies = [torch.empty(a.shape, dtype=a.dtype, pin_memory=True) for a in arrays]
        for copy, array in zip(copies, arrays, strict=True):
            copy.copy_(array, non_blocking=True)
        done = torch.cuda.current_stream(self._device).record_event()

        def wait() -> list[NDArray[Any]]:
            done.synchronize()
            return [copy.numpy() for copy in copies]

        return wait

    def _start(self, array: Any) -> int:
        return int(array.data_ptr())


class _CuPy(DeviceArrays):
    def __init__(self, device: Device, cupy: Any) -> None:
        super().__init__()
        self._cupy = cupy
        self._device = cupy.cuda.Device(device.number)
        with self._device:
            self.queue = Queue(device.number, int(cupy.cuda.get_current_stream().ptr))

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        with self._device:
            return self._cupy.empty(shape, dtype)

    def full(self, size: int, value: int) -> Any:
        with self._device:
            return self._cupy.full((size,), value, "int64")

    def contiguous(self, array: Any) -> Any:
        with self._device:
            own = isinstance(array, self._cupy.ndarray)
            return self._cupy.ascontiguousarray(array if own else self._cupy.from_dlpack(array))

    def fetch(self, arrays: Sequence[Any]) -> Callable[[], list[NDArray[Any]]]:
        with self._device:
            copies = [np.asarray(self._cupy.asnumpy(array)) for array in arrays]
        return lambda: copies

    def _start(self, array: Any) -> int:
        return int(array.data.ptr)


class LossSums:
    """Sums of losses by cell on a device: the integers the CPU would find, in any order.

    Args:
        kernels: of the device's backend.
        here: where the losses live.
        cells: how many.
    """

    def __init__(self, kernels: DeviceKernels, here: DeviceArrays, cells: int) -> None:
        self._kernels, self._here, self._cells = kernels, here, cells
        self._low, self._high = here.full(cells, 0), here.full(cells, 0)
        self._counts = here.full(cells * len(Kind), 0)
        self._first_bad = here.full(1, -1)  # all bits set: the largest number

    def add(self, nll_nats: Any, kinds: Any, cells: Any) -> None:
        """Add each row to its cell; arrays of this device: float64, uint8, int64, contiguous.

        Raises:
            OptionError: sizes or dtypes that do not fit.
            BackendError: the device refused.
        """
        arrays = (("losses", nll_nats, "float64"), ("kinds", kinds, "uint8"))
        for name, array, dtype in (*arrays, ("cells", cells, "int64")):
            found = str(array.dtype).removeprefix("torch.")
            if found != dtype or array.shape != nll_nats.shape:
                raise OptionError(
                    f"{name} are {found} {tuple(array.shape)}, expected {dtype} "
                    f"{tuple(nll_nats.shape)}"
                )
        here = self._here
        held = [here.contiguous(array) for array in (nll_nats, kinds, cells)]
        sums = DeviceLossCells(
            here.address(self._low),
            here.address(self._high),
            here.address(self._counts),
            here.address(self._first_bad),
            self._cells,
        )
        nats, kind, cell = map(here.address, held)
        rows = int(np.prod(nll_nats.shape, dtype=np.int64))
        status = self._kernels.add_losses(nats, kind, cell, rows, sums, here.queue)
        check(status, "losses on a device")

    def read(self) -> LossCells:
        """The sums on the host; waits for the device.

        Raises:
            OptionError: a row's cell or kind was none.
        """
        return self.fetch()()

    def fetch(self) -> Callable[[], LossCells]:
        """The same later: copies are queued now, and who calls the result waits for them."""
        wait = self._here.fetch([self._low, self._high, self._counts, self._first_bad])

        def read() -> LossCells:
            low, high, counts, first_bad = (array.view(np.uint64) for array in wait())
            if (bad := int(first_bad[0])) != 2**64 - 1:
                raise OptionError(
                    f"row {bad} of a batch has a cell outside 0..{self._cells - 1}, or no kind"
                )
            return LossCells(low, high, counts.reshape(self._cells, len(Kind)))

        return read
