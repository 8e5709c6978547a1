"""NumPy views of other libraries' arrays through DLPack, without copies.

NumPy's own DLPack reader supports no bfloat16, and its versions refuse different inputs. This
reader accepts both forms of the capsule: before version 1.0, and 1.x with its read-only flag.
Layout: https://dmlc.github.io/dlpack/latest/c_api.html
"""

from __future__ import annotations

import ctypes
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

_DEVICES = {
    1: "cpu",
    2: "cuda",
    3: "cuda_host",
    4: "opencl",
    7: "vulkan",
    8: "metal",
    9: "vpi",
    10: "rocm",
    11: "rocm_host",
    12: "ext_dev",
    13: "cuda_managed",
    14: "oneapi",
    15: "webgpu",
    16: "hexagon",
    17: "maia",
    18: "trainium",
}

#: Kinds of memory that the CPU reads directly; pinned pages are among them.
_HOST = ("cpu", "cuda_host", "rocm_host")

#: Kinds of memory that kernels on a CUDA device read.
_CUDA = ("cuda", "cuda_managed")

#: DLPack type code -> its name and the letter of NumPy's dtype.
_KINDS = {
    0: ("int", "i"),
    1: ("uint", "u"),
    2: ("float", "f"),
    4: ("bfloat", "u"),
    5: ("complex", "c"),
    6: ("bool", "b"),
}
_BFLOAT = 4

_READ_ONLY = 1

#: Name of a fresh capsule, and of a consumed one. A capsule stores only the pointer to its name, so
#: these objects must stay alive.
_PLAIN = (b"dltensor", b"used_dltensor")
_VERSIONED = (b"dltensor_versioned", b"used_dltensor_versioned")


class Device(NamedTuple):
    """A device that holds arrays, such as cuda 0."""

    kind: str
    number: int

    @property
    def is_host(self) -> bool:
        """Whether the CPU reads this memory directly."""
        return self.kind in _HOST

    @property
    def is_cuda(self) -> bool:
        """Whether a CUDA device reads this memory directly."""
        return self.kind in _CUDA

    def __str__(self) -> str:
        return f"{self.kind}:{self.number}"


class Tensor(NamedTuple):
    """A view of another library's memory, which it keeps alive; bfloat16 appears as u16 bits.

    If the memory is on a device, only the view's address, shape and strides are usable: reading an
    element would crash.
    """

    values: NDArray[Any]
    is_bfloat16: bool


class DLPackError(Exception):
    """An unreadable capsule; the message gives the reason."""


class _DLDevice(ctypes.Structure):
    _fields_ = [("kind", ctypes.c_int32), ("index", ctypes.c_int32)]


class _DLDataType(ctypes.Structure):
    _fields_ = [("code", ctypes.c_uint8), ("bits", ctypes.c_uint8), ("lanes", ctypes.c_uint16)]


class _DLTensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device", _DLDevice),
        ("ndim", ctypes.c_int32),
        ("dtype", _DLDataType),
        ("shape", ctypes.POINTER(ctypes.c_int64)),
        ("strides", ctypes.POINTER(ctypes.c_int64)),
        ("byte_offset", ctypes.c_uint64),
    ]


# PYFUNCTYPE keeps the GIL: the producer's deleter may free Python objects.
_Deleter = ctypes.PYFUNCTYPE(None, ctypes.c_void_p)


class _Managed(ctypes.Structure):
    _fields_ = [("tensor", _DLTensor), ("context", ctypes.c_void_p), ("deleter", _Deleter)]


class _ManagedVersioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", _Deleter),
        ("flags", ctypes.c_uint64),
        ("tensor", _DLTensor),
    ]


_is_valid = ctypes.pythonapi.PyCapsule_IsValid
_is_valid.argtypes = [ctypes.py_object, ctypes.c_char_p]
_pointer = ctypes.pythonapi.PyCapsule_GetPointer
_pointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
_pointer.restype = ctypes.c_void_p
_rename = ctypes.pythonapi.PyCapsule_SetName
_rename.argtypes = [ctypes.py_object, ctypes.c_char_p]


class _Owner:
    """Owner of a capsule's tensor; calls the deleter when the last view is gone."""

    __array_interface__: dict[str, Any]

    def __init__(self, capsule: object) -> None:
        for (name, used), layout in ((_PLAIN, _Managed), (_VERSIONED, _ManagedVersioned)):
            if _is_valid(capsule, name):
                self._address = _pointer(capsule, name)
                self.managed: Any = layout.from_address(self._address)
                _rename(capsule, used)
                return
        raise DLPackError(f"expected a fresh DLPack capsule, found {capsule!r}")

    def __del__(self) -> None:
        managed = getattr(self, "managed", None)
        if managed is not None and managed.deleter:
            managed.deleter(self._address)


def device_of(array: Any) -> Device:
    """Return the device of an array with ``__dlpack_device__``."""
    kind, number = array.__dlpack_device__()
    return Device(_DEVICES.get(int(kind), f"device{int(kind)}"), int(number))


def read(array: Any, stream: int | None = None) -> Tensor:
    """Return a view of an array with ``__dlpack__``.

    Args:
        stream: address of the CUDA stream that will read the array, 1 for the legacy default
            stream. The array's library makes that stream wait for pending writes. None: the host
            will read it.

    Raises:
        DLPackError: the dtype is unsupported, or the DLPack version is newer than 1.x.
    """
    owner = _Owner(_capsule(array, {} if stream is None else {"stream": stream}))
    managed = owner.managed
    if getattr(managed, "major", 1) != 1:
        raise DLPackError(f"expected DLPack 1.x, found version {managed.major}.{managed.minor}")
    tensor: _DLTensor = managed.tensor
    dtype = _numpy_dtype(tensor.dtype)
    shape = tuple(tensor.shape[: tensor.ndim])
    is_bfloat16 = tensor.dtype.code == _BFLOAT
    if 0 in shape:
        return Tensor(np.empty(shape, dtype), is_bfloat16)
    strides = None  # C order
    if tensor.strides:
        strides = tuple(dtype.itemsize * step for step in tensor.strides[: tensor.ndim])
    read_only = bool(getattr(managed, "flags", 0) & _READ_ONLY)
    owner.__array_interface__ = {
        "version": 3,
        "shape": shape,
        "strides": strides,
        "typestr": dtype.str,
        "data": (tensor.data + tensor.byte_offset, read_only),
    }
    return Tensor(np.asarray(owner), is_bfloat16)


def _capsule(array: Any, options: dict[str, int]) -> object:
    try:
        return array.__dlpack__(max_version=(1, 0), **options)
    except TypeError:  # the producer implements a version before 1.0
        return array.__dlpack__(**options)


def _numpy_dtype(dtype: _DLDataType) -> np.dtype[Any]:
    name, letter = _KINDS.get(dtype.code, (f"kind {dtype.code} of", "none"))
    try:
        if dtype.lanes == 1 and (dtype.bits == 16 if dtype.code == _BFLOAT else not dtype.bits % 8):
            return np.dtype(f"{letter}{dtype.bits // 8}")
    except TypeError:
        pass
    raise DLPackError(
        f"elements of {name} {dtype.bits} bits in {dtype.lanes} lanes are unsupported"
    )
