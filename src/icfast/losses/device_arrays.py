"""Arrays on a CUDA device for the kernels, through torch or CuPy.

Results are arrays of the input's library: torch or CuPy. Inputs of other libraries give CuPy
arrays. Kernels are queued on that library's current stream, as its own functions are. While icfast
works, that stream and its device are current: torch exports a tensor only from the current device.
"""

from __future__ import annotations

import sys
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
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
from icfast.losses.held import KEEPER, DoneEvent
from icfast.losses.inputs import read_integers
from icfast.sums.kinds import Kind


class DeviceArrays(ABC):
    """Allocation, addresses and copies of one library's arrays on one device.

    Attributes:
        queue: device and stream that kernels are queued on.
    """

    queue: Queue

    def __init__(self) -> None:
        self._copies: list[Any] = []  # read by work that is not queued yet
        self._foreign: list[Any] = []  # views of other libraries' arrays that queued work reads

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

    @contextmanager
    def working(self) -> Iterator[None]:
        """Make the device and the stream current, and keep what queued work reads until it is done.

        Arrays of the same library need no keeping: its allocator knows its streams. During the
        capture of a graph nothing is kept, because the caller keeps the inputs of a graph.
        """
        with self._current():
            try:
                yield
            finally:
                held, self._foreign, self._copies = self._foreign, [], []
                if held and not self._is_capturing():
                    KEEPER.keep(held, self._record())

    def hold(self, array: Any, view: Any) -> None:
        """Note that queued work reads the view of an array that a caller gave."""
        if self._is_own(array):
            self._use(array)
        else:
            self._foreign.append(view)

    @abstractmethod
    def _current(self) -> AbstractContextManager[Any]:
        """Make the device and the stream of the queue current."""

    @abstractmethod
    def _record(self) -> DoneEvent:
        """Return an event after all work that is queued on the stream."""

    @abstractmethod
    def _is_capturing(self) -> bool: ...

    @abstractmethod
    def _is_own(self, array: Any) -> bool: ...

    @abstractmethod
    def _use(self, array: Any) -> None:
        """Tell the library's allocator that the stream reads one of its arrays."""

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
        self.hold(array, values)
        if not values.flags.c_contiguous:
            self._copies.append(copy := self.contiguous(array))
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
        self._stream = torch.cuda.current_stream(self._device)
        self.queue = Queue(device.number, self._stream.cuda_stream)

    def _current(self) -> AbstractContextManager[Any]:
        current: AbstractContextManager[Any] = self._torch.cuda.stream(self._stream)
        return current

    def _record(self) -> DoneEvent:
        event: DoneEvent = self._stream.record_event()
        return event

    def _is_capturing(self) -> bool:
        return bool(self._torch.cuda.is_current_stream_capturing())

    def _is_own(self, array: Any) -> bool:
        return isinstance(array, self._torch.Tensor)

    def _use(self, array: Any) -> None:
        array.record_stream(self._stream)

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        with self._current():
            return self._torch.empty(shape, dtype=getattr(self._torch, dtype), device=self._device)

    def full(self, size: int, value: int) -> Any:
        with self._current():
            return self._torch.full((size,), value, dtype=self._torch.int64, device=self._device)

    def contiguous(self, array: Any) -> Any:
        with self._current():
            own = array if self._is_own(array) else self._torch.from_dlpack(array)
            return own.contiguous()

    def fetch(self, arrays: Sequence[Any]) -> Callable[[], list[NDArray[Any]]]:
        torch = self._torch
        copies = [torch.empty(a.shape, dtype=a.dtype, pin_memory=True) for a in arrays]
        with self._current():
            for copy, array in zip(copies, arrays, strict=True):
                copy.copy_(array, non_blocking=True)
            done = self._record()

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
            self._stream = cupy.cuda.get_current_stream()
            self.queue = Queue(device.number, int(self._stream.ptr))

    @contextmanager
    def _current(self) -> Iterator[None]:
        with self._device, self._stream:
            yield

    def _record(self) -> DoneEvent:
        event: DoneEvent = self._stream.record()
        return event

    def _is_capturing(self) -> bool:
        return bool(self._stream.is_capturing())

    def _is_own(self, array: Any) -> bool:
        return isinstance(array, self._cupy.ndarray)

    def _use(self, array: Any) -> None: ...  # CuPy leaves other streams to its callers

    def empty(self, shape: tuple[int, ...], dtype: str) -> Any:
        with self._current():
            return self._cupy.empty(shape, dtype)

    def full(self, size: int, value: int) -> Any:
        with self._current():
            return self._cupy.full((size,), value, "int64")

    def contiguous(self, array: Any) -> Any:
        with self._current():
            own = array if self._is_own(array) else self._cupy.from_dlpack(array)
            return self._cupy.ascontiguousarray(own)

    def fetch(self, arrays: Sequence[Any]) -> Callable[[], list[NDArray[Any]]]:
        with self._current():
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
