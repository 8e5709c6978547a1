"""Arrays on a CUDA device for the kernels, through torch or CuPy.

Results are arrays of the input's library: torch or CuPy. Inputs of other libraries give CuPy
arrays. Kernels are queued on that library's current stream, as its own functions are.
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
from icfast.losses.inputs import read_integers
from icfast.sums.kinds import Kind


class DeviceArrays(ABC):
    """Allocation, addresses and copies of one library's arrays on one device.

    Attributes:
        queue: device and stream that kernels are queued on.
    """

    queue: Queue

    def __init__(self) -> None:
        self._held: list[Any] = []  # copies that queued kernels still read

    @staticmethod
    def like(array: Any, device: Device) -> DeviceArrays:
        """Return the library of an array's results.

        Raises:
            MissingExtraError: the array is no torch tensor, and CuPy is missing.
        """
        torch = sys.modules.get("torch")
        if torch is not None and isinstance(array, torch.Tensor):
            return _Torch(device, torch)
        what = f"an array on {device} that is no torch tensor (icfast[cuda12] serves CUDA 12)"
        with needs_extra("cuda13", what):
            import cupy
        return _CuPy(device, cupy)

    @abstractmethod
    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        """Return an uninitialised array."""

    @abstractmethod
    def full(self, size: int, value: int) -> Any:
        """Return a 1-D int64 array filled with a value."""

    @abstractmethod
    def contiguous(self, array: Any) -> Any:
        """Return the array if it is C-contiguous, otherwise a contiguous copy."""

    @abstractmethod
    def fetch(self, arrays: Sequence[Any]) -> Callable[[], list[NDArray[Any]]]:
        """Queue copies to the host; the returned function waits for them and returns them."""

    @abstractmethod
    def _start(self, array: Any) -> int: ...

    def address(self, array: Any, element: int = 0) -> int:
        """Return the address of an element; 0 if the array is None."""
        if array is None:
            return 0
        return self._start(array) + element * int(array.dtype.itemsize)

    def ids(self, array: Any, shape: tuple[int, ...], name: str) -> DeviceIds:
        """Return integer ids for the kernels, one for each row.

        Raises:
            OptionError: the shape or dtype does not fit.
            BackendError: the array is on another device.
        """
        values = read_integers(array, name, self.queue)
        if values.shape != shape:
            raise OptionError(
                f"{name} have shape {values.shape}; expected {shape}, one for each row of logits"
            )
        if not values.flags.c_contiguous:
            self._held.append(copy := self.contiguous(array))
            values = read_integers(copy, name, self.queue)
        if values.dtype.name not in ID_DTYPES or not values.dtype.isnative:
            raise OptionError(f"{name} are {values.dtype}; expected one of {', '.join(ID_DTYPES)}")
        return DeviceIds(_start(values), ID_DTYPES.index(values.dtype.name))

    @staticmethod
    def id_bytes(ids: DeviceIds) -> int:
        """Return the size of one id in bytes."""
        return np.dtype(ID_DTYPES[ids.type]).itemsize

    @staticmethod
    def matrix(values: NDArray[Any], form: int) -> DeviceMatrix:
        """Return a view of device memory for the kernels."""
        rows, columns = values.shape
        stride = values.strides[0] // values.itemsize if rows > 1 else columns
        return DeviceMatrix(_start(values), form, rows, columns, stride)


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
    """Sums of losses on a device, by cell: the same integers as on the CPU, in any order.

    Args:
        kernels: kernels of the device's backend.
        arrays: library and device of the losses.
        cells: number of cells.
    """

    def __init__(self, kernels: DeviceKernels, arrays: DeviceArrays, cells: int) -> None:
        self._kernels, self._arrays, self._cells = kernels, arrays, cells
        self._low, self._high = arrays.full(cells, 0), arrays.full(cells, 0)
        self._counts = arrays.full(cells * len(Kind), 0)
        self._first_bad = arrays.full(1, -1)  # all bits set: the largest u64

    def add(self, nll_nats: Any, kinds: Any, cells: Any) -> None:
        """Queue the addition of each row to its cell.

        Args:
            nll_nats: float64[rows] on this device.
            kinds: uint8[rows] on this device.
            cells: int64[rows] on this device.

        Raises:
            OptionError: a shape or dtype does not fit.
            BackendError: the device refused the kernel.
        """
        expected = (("losses", nll_nats, "float64"), ("kinds", kinds, "uint8"))
        for name, array, dtype in (*expected, ("cells", cells, "int64")):
            found = str(array.dtype).removeprefix("torch.")
            if found != dtype or array.shape != nll_nats.shape:
                raise OptionError(
                    f"{name} are {found} {tuple(array.shape)}; expected {dtype} "
                    f"{tuple(nll_nats.shape)}"
                )
        arrays = self._arrays
        held = [arrays.contiguous(array) for array in (nll_nats, kinds, cells)]
        sums = DeviceLossCells(
            arrays.address(self._low),
            arrays.address(self._high),
            arrays.address(self._counts),
            arrays.address(self._first_bad),
            self._cells,
        )
        nats, kind, cell = map(arrays.address, held)
        rows = int(np.prod(nll_nats.shape, dtype=np.int64))
        status = self._kernels.add_losses(nats, kind, cell, rows, sums, arrays.queue)
        check(status, "losses on a device")

    def read(self) -> LossCells:
        """Wait for the device and return the sums.

        Raises:
            OptionError: a row has an invalid cell or kind.
        """
        return self.fetch()()

    def fetch(self) -> Callable[[], LossCells]:
        """Queue a copy of the sums to the host; the returned function waits for it."""
        wait = self._arrays.fetch([self._low, self._high, self._counts, self._first_bad])

        def read() -> LossCells:
            low, high, counts, first_bad = (array.view(np.uint64) for array in wait())
            if (bad := int(first_bad[0])) != 2**64 - 1:
                raise OptionError(
                    f"row {bad} of a batch has an invalid kind or a cell outside "
                    f"0..{self._cells - 1}"
                )
            return LossCells(low, high, counts.reshape(self._cells, len(Kind)))

        return read
