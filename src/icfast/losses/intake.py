"""Arrays as users have them to arrays as kernels take them, without copies.

numpy arrays (read-only and mapped ones too), whatever has a buffer, and tensors with DLPack, in the
host's memory or, for a queue of a CUDA device, in that device's.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import Format, Queue
from icfast.errors import BackendError, OptionError
from icfast.losses.dlpack import Device, DLPackError, Tensor, device_of, read

#: CUDA's default stream by its own name: in DLPack's protocol 0 would be ambiguous.
_LEGACY_STREAM = 1

_FORMATS = {"float32": Format.FP32, "float16": Format.FP16, "float64": Format.FP64}


class Numbers(NamedTuple):
    """Any axes, the last one contiguous: f32, f64, or the u16 bits of bf16 and fp16."""

    values: NDArray[Any]
    format: Format


def cuda_device(array: Any) -> Device | None:
    """The CUDA device an array lives on; None for one that doesn't, or can't say."""
    if isinstance(array, np.ndarray) or not hasattr(array, "__dlpack_device__"):
        return None
    try:
        device = device_of(array)
    except Exception:  # whatever its library raises; reading it will say what
        return None
    return device if device.is_cuda else None


def numbers(array: object, name: str, queue: Queue | None = None) -> Numbers:
    """A view of floating-point numbers.

    Args:
        name: what errors call the array.
        queue: where it will be read, for arrays on that CUDA device; None: by the host.

    Raises:
        OptionError: no array, no axis, not floats, or not laid out as kernels read.
        BackendError: it lives on another device.
    """
    values, is_bfloat16 = _view(array, name, queue)
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


def integers(array: object, name: str, queue: Queue | None = None) -> NDArray[Any]:
    """A view of whole numbers; arguments and errors as in :func:`numbers`."""
    values, is_bfloat16 = _view(array, name, queue)
    if is_bfloat16 or values.dtype.kind not in "iu":
        found = "bfloat16" if is_bfloat16 else _dtype(values)
        raise OptionError(
            f"{name} are {found}; expected ids of an integer dtype such as int64 or uint16"
        )
    return values


def _view(array: Any, name: str, queue: Queue | None) -> Tensor:
    if isinstance(array, np.ma.MaskedArray):
        raise OptionError(f"{name} are a masked array; fill it, and give ignore_index where masked")
    if isinstance(array, np.ndarray):
        return _known(array, name, queue)
    if hasattr(array, "__dlpack__"):
        return _read_tensor(array, name, queue)
    try:
        return _known(np.asarray(memoryview(array)), name, queue)
    except TypeError:
        raise OptionError(
            f"{name} are {type(array).__name__}; expected a numpy array, a tensor with DLPack or a "
            "buffer; numpy.asarray makes one"
        ) from None


def _known(array: NDArray[Any], name: str, queue: Queue | None) -> Tensor:
    if queue is not None:
        raise _elsewhere(name, "the CPU", queue)
    # numpy has no bfloat16 of its own; packages that add one agree on its name and bits.
    is_bfloat16 = array.dtype.name == "bfloat16"
    return Tensor(array.view(np.uint16) if is_bfloat16 else array, is_bfloat16)


def _read_tensor(array: Any, name: str, queue: Queue | None) -> Tensor:
    if getattr(array, "requires_grad", False) is True:
        raise OptionError(f"{name} require grad, and losses have none here; give .detach()")
    try:
        device = device_of(array)
        if queue is None and device.is_host:
            return read(array)
        if queue is not None and device.is_cuda and device.number == queue.device:
            return read(array, stream=queue.stream or _LEGACY_STREAM)
    except DLPackError as error:
        raise OptionError(f"{name} can't be read: {error}") from None
    except Exception as error:  # whatever its library raises
        raise OptionError(f"{name} can't be read through DLPack: {error}") from error
    raise _elsewhere(name, str(device), queue)


def _elsewhere(name: str, device: str, queue: Queue | None) -> BackendError:
    if queue is None:
        return BackendError(
            f"{name} live on {device}, and are read from the host's memory here; move them to the "
            "CPU, such as with .cpu()"
        )
    return BackendError(
        f"{name} live on {device}, expected cuda:{queue.device} as the first argument; move all of "
        "them to one device"
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
