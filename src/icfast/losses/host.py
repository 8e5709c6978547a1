"""Losses on the CPU: check the arrays, split their rows among threads and call the kernels."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import Matrix, TokenLosses
from icfast.backends.select import select
from icfast.errors import OptionError, check
from icfast.losses.inputs import layer_matrices, read_floats, read_integers
from icfast.losses.options import LossOptions
from icfast.losses.rows import Rows, split_rows

#: Logits that a thread must have to be worth its start; reading them takes about 50 us.
_LOGITS_PER_THREAD = 1 << 18

#: Multiplications and rows that a thread must have in an output layer. With fewer rows, packing the
#: weights would take much of the time.
_PRODUCTS_PER_THREAD, _ROWS_PER_THREAD = 1 << 20, 16

#: Rows copied at a time when hidden states have no common row stride.
_COPIED_ROWS = 2048

#: Dtypes of targets that the kernels read without conversion.
_TARGET_DTYPES = ("int32", "int64", "uint16", "uint32")


def host_token_losses(logits: Any, targets: Any, options: LossOptions) -> TokenLosses:
    """Compute :func:`icfast.cross_entropy` on the CPU and return NumPy arrays."""
    values, form = read_floats(logits, "logits")
    ids = _flat_targets(targets, values.shape[:-1], "logits")
    softmax = options.softmax(values.shape[-1], "logits")
    kernels = select(options.backend).kernels
    rows, out = Rows(values), options.allocate(len(ids))

    def score(begin: int, end: int) -> None:
        for first, matrix in rows.matrices(begin, end):
            ids_here, out_here = _slice(ids, out, first, len(matrix))
            check(kernels.cross_entropy(Matrix(matrix, form), ids_here, softmax, out_here))

    parts = min(rows.count, values.size // _LOGITS_PER_THREAD)
    split_rows(score, rows.count, options.threads_for(parts))
    return _shaped(out, values.shape[:-1], options)


def host_linear_token_losses(
    hidden: Any, weight: Any, targets: Any, bias: Any, options: LossOptions
) -> TokenLosses:
    """Compute :func:`icfast.linear_cross_entropy` on the CPU and return NumPy arrays."""
    values, form = read_floats(hidden, "hidden states")
    layer, bias_row = layer_matrices(weight, bias, values.shape[-1])
    columns, width = layer.values.shape
    ids = _flat_targets(targets, values.shape[:-1], "hidden states")
    softmax = options.softmax(columns, "weights")
    kernels = select(options.backend).kernels
    rows, out = Rows(values), options.allocate(len(ids))

    def score(begin: int, end: int) -> None:
        scratch = np.empty(kernels.linear_scratch_bytes(width), np.uint8)
        for first, block in rows.blocks(begin, end, _COPIED_ROWS):
            ids_here, out_here = _slice(ids, out, first, len(block))
            check(
                kernels.linear_cross_entropy(
                    Matrix(block, form), layer, bias_row, ids_here, softmax, scratch, out_here
                )
            )

    parts = min(
        rows.count // _ROWS_PER_THREAD, rows.count * columns * width // _PRODUCTS_PER_THREAD
    )
    if rows.count:
        split_rows(score, rows.count, options.threads_for(parts))
    return _shaped(out, values.shape[:-1], options)


def _slice(
    ids: NDArray[Any], out: TokenLosses, first: int, rows: int
) -> tuple[NDArray[Any], TokenLosses]:
    part = slice(first, first + rows)
    return ids[part], TokenLosses._make(array[part] for array in out)


def _flat_targets(targets: Any, shape: tuple[int, ...], name: str) -> NDArray[Any]:
    """Return the targets as a 1-D array of a dtype that the kernels read."""
    ids = read_integers(targets, "targets")
    if ids.shape != shape:
        raise OptionError(
            f"targets have shape {ids.shape}, expected {shape}: one target for each row of the "
            f"{name}"
        )
    if ids.dtype == np.uint64:  # a huge id must stay out of range, not wrap to a negative number
        ids = np.minimum(ids, np.uint64(2**63 - 1))
    if ids.dtype.name not in _TARGET_DTYPES or not ids.dtype.isnative:
        ids = ids.astype(np.int64)
    return np.ascontiguousarray(ids).reshape(-1)


def _shaped(out: TokenLosses, shape: tuple[int, ...], options: LossOptions) -> TokenLosses:
    """Return the results in the targets' shape; None for those not asked for."""
    return TokenLosses(
        out.nll_nats.reshape(shape),
        out.kinds.reshape(shape),
        out.logsumexp_nats.reshape(shape) if options.logsumexp else None,
        out.entropy_nats.reshape(shape) if options.entropy else None,
        out.rank.reshape(shape) if options.rank else None,
    )
