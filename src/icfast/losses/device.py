"""Losses on a CUDA device: check the arrays and queue the kernels on the caller's stream."""

from __future__ import annotations

from itertools import islice
from typing import Any

from icfast.backends.losses import (
    LINEAR_TILE,
    DeviceScratch,
    Format,
    Matrix,
    Tile,
    TokenLosses,
)
from icfast.backends.select import select_device, select_products
from icfast.errors import OptionError, check
from icfast.losses.device_arrays import DeviceArrays
from icfast.losses.dlpack import Device
from icfast.losses.inputs import layer_matrices, read_floats
from icfast.losses.options import LossOptions
from icfast.losses.rows import Rows


def device_token_losses(
    logits: Any, targets: Any, options: LossOptions, device: Device
) -> TokenLosses:
    """Queue :func:`icfast.cross_entropy` on a CUDA device and return arrays of that device."""
    kernels = select_device(options.backend).kernels
    options.threads_for(1)
    arrays = DeviceArrays.like(logits, device)
    with arrays.working():
        values, form = read_floats(logits, "logits", arrays.queue)
        arrays.hold(logits, values)
        shape = values.shape[:-1]
        ids = arrays.ids(targets, shape, "targets")
        softmax = options.softmax(values.shape[-1], "logits")
        found = _allocate(arrays, shape, options)
        rows = Rows(values)
        for first, matrix in rows.matrices(0, rows.count):
            out = TokenLosses._make(arrays.address(array, first) for array in found)
            ids_here = ids._replace(address=ids.address + first * arrays.id_bytes(ids))
            status = kernels.cross_entropy(
                arrays.matrix(matrix, form), ids_here, softmax, out, arrays.queue
            )
            check(status, f"logits on {device}")
        return found


def device_linear_token_losses(
    hidden: Any,
    weight: Any,
    targets: Any,
    bias: Any,
    options: LossOptions,
    device: Device,
    tile: Tile = LINEAR_TILE,
) -> TokenLosses:
    """Queue :func:`icfast.linear_cross_entropy` on a CUDA device and return arrays of it."""
    kernels = select_products(options.backend).kernels
    options.threads_for(1)
    arrays = DeviceArrays.like(hidden, device)
    with arrays.working():
        values, form = read_floats(hidden, "hidden states", arrays.queue)
        layer, bias_row = layer_matrices(weight, bias, values.shape[-1], arrays.queue)
        given = ((hidden, values), (weight, layer.values), (bias, bias_row.values))
        for array, view in given:
            if array is not None:
                arrays.hold(array, view)
        _refuse_float64((form, layer.format, bias_row.format), device)
        shape = values.shape[:-1]
        ids = arrays.ids(targets, shape, "targets")
        softmax = options.softmax(layer.values.shape[0], "weights")
        found = _allocate(arrays, shape, options)
        states = _one_matrix(hidden, Matrix(values, form), arrays)
        if states is None:
            return found
        operands = (arrays.matrix(*states), arrays.matrix(*layer), arrays.matrix(*bias_row))
        size = kernels.linear_scratch_bytes(*operands, softmax, tile)
        scratch = arrays.empty((size,), "uint8")
        status = kernels.linear_cross_entropy(
            *operands,
            ids,
            softmax,
            tile,
            DeviceScratch(arrays.address(scratch), size),
            TokenLosses._make(map(arrays.address, found)),
            arrays.queue,
        )
        check(status, f"hidden states on {device}")
        return found


def _refuse_float64(formats: tuple[int, int, int], device: Device) -> None:
    names = ("hidden states", "weights", "biases")
    for name, form in zip(names, formats, strict=True):
        if form == Format.FP64:
            raise OptionError(
                f"{name} on {device} are float64, but matrix products there need float32, bfloat16 "
                "or float16. Convert the arrays, or move all of them to the CPU"
            )


def _one_matrix(hidden: Any, states: Matrix, arrays: DeviceArrays) -> Matrix | None:
    """Return hidden states as one matrix, copied if their rows have no common stride.

    Several matrices would each leave a tile partly empty. None: there are no rows.
    """
    rows = Rows(states.values)
    matrices = [matrix for _, matrix in islice(rows.matrices(0, rows.count), 2)]
    if len(matrices) > 1:
        copy = arrays.contiguous(hidden)
        width = states.values.shape[-1]
        matrices = [read_floats(copy, "hidden states", arrays.queue).values.reshape(-1, width)]
    return Matrix(matrices[0], states.format) if matrices else None


def _allocate(arrays: DeviceArrays, shape: tuple[int, ...], options: LossOptions) -> TokenLosses:
    return TokenLosses(
        arrays.empty(shape, "float64"),
        arrays.empty(shape, "uint8"),
        arrays.empty(shape, "float64") if options.logsumexp else None,
        arrays.empty(shape, "float64") if options.entropy else None,
        arrays.empty(shape, "int64") if options.rank else None,
    )
