"""Arrays as users have them to arrays as kernels take them, without copies.

numpy arrays (read-only and mapped ones too), whatever has a buffer, and tensors with DLPack.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.errors import BackendError, OptionError
from icfast.kernels.dlpack import DLPackError, Tensor, device_of, read
from icfast.kernels.losses import Format

_FORMATS = {"float32": Format.FP32, "float16": Format.FP16, "float64": Format.FP64}


class Numbers(NamedTuple):
    """Any axes, the last one contiguous: f32, f64, or the u16 bits of bf16 and fp16."""

    values: NDArray[Any]
    format: Format


def numbers(array: object, name: str) -> Numbers:
    """A view of floating-point numbers.

    Args:
        name: what errors call the array.

    Raises:
        OptionError: no array, no axis, not floats, or not laid out as kernels read.
        BackendError: it lives on another device.
    """
    values, is_bfloat16 = _view(array, name)
    found = "bfloat16" if is_bfloat16 else values.dtype.name
    if not is_bfloat16 and (found not in _FORMATS or not values.dtype.isnative):
        raise OptionError(
            f"{name} are {_dtype(values)}; expected float32, bfloat16, float16 or float64 of this "
            "machine's byte order; convert them"
        )
    if values.ndim == 0:
        raise OptionError(f"{name} have no axis; expected shape (..., columns)")
    _check_layout(values, name)
    if found == "float16":
        values = values.view(np.uint16)
    return Numbers(values, Format.BF16 if is_bfloat16 else _FORMATS[found])


def integers(array: object, name: str) -> NDArray[Any]:
    """A view of whole numbers; OptionError and BackendError as in :func:`numbers`."""
    values, is_bfloat16 = _view(array, name)
    if is_bfloat16 or values.dtype.kind not in "iu":
        found = "bfloat16" if is_bfloat16 else _dtype(values)
        raise OptionError(
            f"{name} are {found}; expected ids of an integer dtype such as int64 or uint16"
        )
    return values


def _view(array: Any, name: str) -> Tensor:
    if isinstance(array, np.ma.MaskedArray):
        raise OptionError(f"{name} are a masked array; fill it, and give ignore_index where masked")
    if isinstance(array, np.ndarray):
        return _known(array)
    if hasattr(array, "__dlpack__"):
        return _read_tensor(array, name)
    try:
        return _known(np.asarray(memoryview(array)))
    except TypeError:
        raise OptionError(
            f"{name} are {type(array).__name__}; expected a numpy array, a tensor with DLPack or a "
            "buffer; numpy.asarray makes one"
        ) from None


def _known(array: NDArray[Any]) -> Tensor:
    # numpy has no bfloat16 of its own; packages that add one agree on its name and bits.
    is_bfloat16 = array.dtype.name == "bfloat16"
    return Tensor(array.view(np.uint16) if is_bfloat16 else array, is_bfloat16)


def _read_tensor(array: Any, name: str) -> Tensor:
    if getattr(array, "requires_grad", False) is True:
        raise OptionError(f"{name} require grad, and losses have none here; give .detach()")
    try:
        device = device_of(array)
        if device.is_host:
            return read(array)
    except DLPackError as error:
        raise OptionError(f"{name} can't be read: {error}") from None
    except Exception as error:  # whatever its library raises
        raise OptionError(f"{name} can't be read through DLPack: {error}") from error
    raise BackendError(
        f"{name} live on {device}; this build has no CUDA part; move them to the CPU, such as "
        "with .cpu()"
    )


def _check_layout(values: NDArray[Any], name: str) -> None:
    size = values.itemsize
    if not values.flags.aligned:
        raise OptionError(
            f"{name} don't all lie at a multiple of their element size (strides {values.strides}, "
            f"elements of {size} bytes); copy them"
        )
    if values.size and values.shape[-1] > 1 and values.strides[-1] != size:
        raise OptionError(
            f"the last axis of {name} is not contiguous (stride {values.strides[-1]} bytes, "
            f"elements of {size}); give .contiguous(), or numpy.ascontiguousarray of them"
        )


def _dtype(values: NDArray[Any]) -> str:
    return values.dtype.name if values.dtype.isnative else f"{values.dtype.name} byte-swapped"
