"""DLPack capsules made by hand: every field a test wants, and a count of deleter calls."""

from __future__ import annotations

import ctypes
from typing import Any, ClassVar

import numpy as np

_new = ctypes.pythonapi.PyCapsule_New
_new.argtypes = [ctypes.c_void_p, ctypes.c_char_p, ctypes.c_void_p]
_new.restype = ctypes.py_object

DELETER = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
NAMES = {False: b"dltensor", True: b"dltensor_versioned"}


class Tensor(ctypes.Structure):
    _fields_ = [
        ("data", ctypes.c_void_p),
        ("device_type", ctypes.c_int32),
        ("device_id", ctypes.c_int32),
        ("ndim", ctypes.c_int32),
        ("code", ctypes.c_uint8),
        ("bits", ctypes.c_uint8),
        ("lanes", ctypes.c_uint16),
        ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p),
        ("byte_offset", ctypes.c_uint64),
    ]


class Managed(ctypes.Structure):
    _fields_ = [("tensor", Tensor), ("context", ctypes.c_void_p), ("deleter", ctypes.c_void_p)]


class ManagedVersioned(ctypes.Structure):
    _fields_ = [
        ("major", ctypes.c_uint32),
        ("minor", ctypes.c_uint32),
        ("context", ctypes.c_void_p),
        ("deleter", ctypes.c_void_p),
        ("flags", ctypes.c_uint64),
        ("tensor", Tensor),
    ]


class Producer:
    """Exporter of a NumPy array with any DLPack fields; `deleted` counts deleter calls."""

    #: Producers that exported; a view may outlive its producer and call its deleter.
    exported: ClassVar[list[Producer]] = []

    def __init__(
        self,
        array: np.ndarray,
        code: int,
        *,
        versioned: bool = True,
        flags: int = 0,
        major: int = 1,
        device: tuple[int, int] = (1, 0),
        bits: int | None = None,
        lanes: int = 1,
        byte_offset: int = 0,
        strides: bool = True,
        deleter: bool = True,
    ) -> None:
        self.deleted = 0
        self.device = device
        self.versioned = versioned
        self.asked: list[dict[str, Any]] = []
        self._deleter = DELETER(self._delete)
        self._shape = (ctypes.c_int64 * array.ndim)(*array.shape)
        steps = (ctypes.c_int64 * array.ndim)(*(s // array.itemsize for s in array.strides))
        self._array, self._strides = array, steps
        tensor = Tensor(
            array.ctypes.data - byte_offset,
            *device,
            array.ndim,
            code,
            array.itemsize * 8 if bits is None else bits,
            lanes,
            ctypes.addressof(self._shape),
            ctypes.addressof(steps) if strides else None,
            byte_offset,
        )
        freed = ctypes.cast(self._deleter, ctypes.c_void_p) if deleter else None
        self._managed = (
            ManagedVersioned(major, 3, None, freed, flags, tensor)
            if versioned
            else Managed(tensor, None, freed)
        )

    def _delete(self, address: int) -> None:
        assert address == ctypes.addressof(self._managed)
        self.deleted += 1

    def __dlpack_device__(self) -> tuple[int, int]:
        return self.device

    def __dlpack__(self, **options: Any) -> object:
        self.asked.append(options)
        self.exported.append(self)
        if not self.versioned and options:
            raise TypeError("__dlpack__() got an unexpected keyword argument 'max_version'")
        self.capsule = _new(ctypes.addressof(self._managed), NAMES[self.versioned], None)
        return self.capsule
