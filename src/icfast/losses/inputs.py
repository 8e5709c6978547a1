"""Users' arrays as views that the kernels read, without copies.

Accepted are NumPy arrays (also read-only and memory-mapped ones), objects with a buffer, and
tensors with DLPack in the memory of the host or of a CUDA device.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import Format, Matrix, Queue
from icfast.errors import BackendError, OptionError
from icfast.losses.dlpack import Device, DLPackError, Tensor, device_of, read

#: CUDA's legacy default stream in DLPack's protocol, where 0 would be ambiguous.
_LEGACY_STREAM = 1

_FORMATS = {"float32": Format.FP32, "float16": Format.FP16, "float64": Format.FP64}


class FloatArray(NamedTuple):
    """An array of any axes, the last one contiguous: f32, f64, or bf16 and fp16 as u16 bits."""

    values: NDArray[Any]
    format: Format


def cuda_device(array: Any) -> Device | None:
    """Return the CUDA device an array is on; None for other arrays and if the array cannot tell."""
    if isinstance(array, np.ndarray) or not hasattr(array, "__dlpack_device__"):
        return None
    try:
        device = device_of(array)
    except Exception:  # any exception of its library; reading the array reports the reason
        return None
    return device if device.is_cuda else None


def read_floats(array: object, name: str, queue: Queue | None = None) -> FloatArray:
    """Return a view of a floating-point array.

    Args:
        name: name of the array in error messages.
        queue: CUDA device and stream that will read the array; None: the host reads it.

    Raises:
        OptionError: the object is no array, has no axis, a wrong dtype or a wrong layout.
        BackendError: the array is on another device.
    """
    values, is_bfloat16 = _view(array, name, queue)
    found = "bfloat16" if is_bfloat16 else values.dtype.name
    if not is_bfloat16 and (found not in _FORMATS or not values.dtype.isnative):
        raise OptionError(
            f"{name} are {_dtype(values)}; expected float32, bfloat16, float16 or float64 in this "
            "machine's byte order. Convert the array"
        )
    if values.ndim == 0:
        raise OptionError(f"{name} have no axis; expected shape (..., columns)")
    _check_layout(values, name)
    if found == "float16":
        values = values.view(np.uint16)
    return FloatArray(values, Format.BF16 if is_bfloat16 else _FORMATS[found])


def read_integers(array: object, name: str, queue: Queue | None = None) -> NDArray[Any]:
    """Return a view of an integer array; arguments and errors as in :func:`read_floats`."""
    values, is_bfloat16 = _view(array, name, queue)
    if is_bfloat16 or values.dtype.kind not in "iu":
        found = "bfloat16" if is_bfloat16 else _dtype(values)
        raise OptionError(
            f"{name} are {found}; expected ids of an integer dtype such as int64 or uint16"
        )
    return values


def layer_matrices(
    weight: Any, bias: Any, width: int, queue: Queue | None = None
) -> tuple[Matrix, Matrix]:
    """Return an output layer's weights and biases as matrices.

    Args:
        weight: array of shape (V, width).
        bias: array of shape (V,), or None; the result then has no columns.
        width: width D of the hidden states.

    Raises:
        OptionError: a shape does not fit.
    """
    layer = Matrix(*read_floats(weight, "weights", queue))
    shape = layer.values.shape
    if len(shape) != 2 or shape[1] != width or width == 0:
        raise OptionError(
            f"weights have shape {shape}; expected (V, D) with the D of the hidden states "
            f"(..., D), which is {width} and must be at least 1"
        )
    if bias is None:
        return layer, Matrix(np.empty((1, 0), np.float32), Format.FP32)
    values, form = read_floats(bias, "biases", queue)
    if values.shape != shape[:1]:
        raise OptionError(
            f"biases have shape {values.shape}; expected ({shape[0]},), one for each row of weights"
        )
    return layer, Matrix(values[np.newaxis], form)


def _view(array: Any, name: str, queue: Queue | None) -> Tensor:
    if isinstance(array, np.ma.MaskedArray):
        raise OptionError(
            f"{name} are a masked array. Fill it, and set the targets of masked rows to "
            "ignore_index"
        )
    if isinstance(array, np.ndarray):
        return _numpy_view(array, name, queue)
    if hasattr(array, "__dlpack__"):
        return _read_tensor(array, name, queue)
    try:
        return _numpy_view(np.asarray(memoryview(array)), name, queue)
    except TypeError:
        raise OptionError(
            f"{name} are {type(array).__name__}; expected a NumPy array, a tensor with DLPack or a "
            "buffer. Convert the object with numpy.asarray"
        ) from None


def _numpy_view(array: NDArray[Any], name: str, queue: Queue | None) -> Tensor:
    if queue is not None:
        raise _wrong_device(name, "the CPU", queue)
    # NumPy has no bfloat16; the packages that add one agree on its name and its bits.
    is_bfloat16 = array.dtype.name == "bfloat16"
    return Tensor(array.view(np.uint16) if is_bfloat16 else array, is_bfloat16)


def _read_tensor(array: Any, name: str, queue: Queue | None) -> Tensor:
    if getattr(array, "requires_grad", False) is True:
        raise OptionError(
            f"{name} require grad, but icfast computes losses without gradients. Pass .detach()"
        )
    try:
        device = device_of(array)
        if queue is None and device.is_host:
            return read(array)
        if queue is not None and device.is_cuda and device.number == queue.device:
            return read(array, stream=queue.stream or _LEGACY_STREAM)
    except DLPackError as error:
        raise OptionError(f"{name} cannot be read: {error}") from None
    except Exception as error:  # any exception of the array's library
        raise OptionError(f"{name} cannot be read through DLPack: {error}") from error
    raise _wrong_device(name, str(device), queue)


def _wrong_device(name: str, device: str, queue: Queue | None) -> BackendError:
    if queue is None:
        return BackendError(
            f"{name} are on {device}, but this function reads the host's memory. Move them to the "
            "CPU, for example with .cpu()"
        )
    return BackendError(
        f"{name} are on {device}; expected cuda:{queue.device}, the device of the first argument. "
        "Move all arrays to one device"
    )


def _check_layout(values: NDArray[Any], name: str) -> None:
    size = values.itemsize
    if not values.flags.aligned:
        raise OptionError(
            f"{name} are not aligned: their strides are {values.strides}, their elements have "
            f"{size} bytes. Copy the array"
        )
    if values.size and values.shape[-1] > 1 and values.strides[-1] != size:
        raise OptionError(
            f"the last axis of {name} is not contiguous: its stride is {values.strides[-1]} bytes, "
            f"its elements have {size}. Pass .contiguous() or numpy.ascontiguousarray(...)"
        )


def _dtype(values: NDArray[Any]) -> str:
    return values.dtype.name if values.dtype.isnative else f"{values.dtype.name} byte-swapped"
