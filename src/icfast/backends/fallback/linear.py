"""Loss of each hidden state, with the logits of one tile of the vocabulary at a time.

As in C++, a logit adds its products in one fixed sequence, so the bits of a row do not depend on
the other rows. BLAS is not used, because its summation order depends on the shape.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import DTypeLike, NDArray

from icfast.backends.fallback.jit import OK, jit
from icfast.backends.fallback.softmax import (
    NO_LOGITS,
    add_logits,
    kind_of,
    softmax_scratch,
    write_token,
)
from icfast.backends.losses import Format, Matrix, Softmax, TokenLosses

_CUT = 256
_TILE = 512
_ROWS = 2048
_HIDDEN_BYTES = 16 << 20
_LINE = 64

# Values of losses.Format, since numba does not read enums. Tiles of fp64 need no decoding.
_SCORED, _FP = 0, 0

# Blocks of rows and columns are padded with zeros to a multiple of this.
_FOUR = 4


def _up_to(size: int, multiple: int) -> int:
    return -(-size // multiple) * multiple


class _Need(NamedTuple):
    """Return the bytes of scratch space: fixed, and per row."""

    fixed: int
    row: int

    @classmethod
    def of(cls, width: int, item: int) -> _Need:
        row = (_up_to(width, _CUT) + _TILE) * item
        return cls(_CUT * _TILE * item + _FOUR * (_TILE * item + row) + 4 * _LINE, row)


def linear_scratch_bytes(width: int) -> int:
    need, twice = _Need.of(width, 4), _Need.of(width, 8)
    rows = min(max(_HIDDEN_BYTES // need.row, _FOUR), _ROWS)
    return max(need.fixed + rows * need.row, twice.fixed + twice.row)


class _Buffers(NamedTuple):
    """Divide the scratch space into arrays.

    They are hidden[cuts, rows, _CUT], weight[_CUT, _TILE], logits[rows, _TILE] and the sums of one
    cut, sums[_FOUR, _TILE].
    """

    hidden: NDArray[Any]
    weight: NDArray[Any]
    logits: NDArray[Any]
    sums: NDArray[Any]

    @classmethod
    def of(cls, scratch: NDArray[np.uint8], width: int, rows: int, dtype: DTypeLike) -> _Buffers:
        shapes = (-(-width // _CUT), rows, _CUT), (_CUT, _TILE), (rows, _TILE), (_FOUR, _TILE)
        views, at = [], 0
        for shape in shapes:
            at += -(scratch.ctypes.data + at) % _LINE
            end = at + int(np.prod(shape)) * np.dtype(dtype).itemsize
            views.append(scratch[at:end].view(dtype).reshape(shape))
            at = end
        return cls(*views)


def _widened(values: NDArray[Any], form: int, dtype: DTypeLike) -> NDArray[Any]:
    if form == Format.BF16:
        values = (values.astype(np.uint32) << 16).view(np.float32)
    elif form == Format.FP16:
        values = values.view(np.float16)
    return values.astype(dtype, copy=False)


@jit
def _multiply(hidden, rows, units, weight, columns, sums, logits):
    """Add hidden[rows, units] weight[units, columns] to logits, four rows at a time."""
    for r in range(0, rows, 4):
        sums[:] = 0
        for k in range(0, units, 4):
            for j in range(columns):
                w0, w1, w2, w3 = weight[k, j], weight[k + 1, j], weight[k + 2, j], weight[k + 3, j]
                for i in range(4):
                    sums[i, j] = (
                        sums[i, j]
                        + hidden[r + i, k] * w0
                        + hidden[r + i, k + 1] * w1
                        + hidden[r + i, k + 2] * w2
                        + hidden[r + i, k + 3] * w3
                    )
        for i in range(4):
            for j in range(columns):
                logits[r + i, j] += sums[i, j]


@jit
def _multiply_rows(hidden, weight, sums, logits):
    """Add hidden[r] weight[r] to logits[r], in the same order of products as _multiply."""
    for r in range(len(weight)):
        sums[0, 0] = 0
        for k in range(weight.shape[1]):
            sums[0, 0] = sums[0, 0] + hidden[r, k] * weight[r, k]
        logits[r] += sums[0, 0]


@jit
def _sweep(logits, columns, softmax, target_logits, entropy, ranks, state):
    scratch = softmax_scratch()
    for r in range(len(target_logits)):
        held = (state[r, 0], state[r, 1], state[r, 2], np.int64(state[r, 3]))
        target = np.float64(target_logits[r])
        held = add_logits(held, logits[r, :columns], _FP, softmax, target, entropy, ranks, scratch)
        state[r, 0], state[r, 1], state[r, 2] = held[0], held[1], held[2]
        state[r, 3] = held[3]


@jit
def _write(out, rows, kinds, target_logits, softmax, state):
    for i in range(len(rows)):
        held = (state[i, 0], state[i, 1], state[i, 2], np.int64(state[i, 3]))
        write_token(out, rows[i], kinds[i], np.float64(target_logits[i]), held, softmax)


@jit
def _kinds_of(targets, softmax, kinds):
    for r in range(len(targets)):
        kinds[r] = kind_of(targets[r], softmax)


class _Losses:
    """Operands of one call, and the blocks of rows that share a pass over the weights."""

    def __init__(
        self, hidden: Matrix, weight: Matrix, bias: Matrix, softmax: Softmax, out: TokenLosses
    ) -> None:
        self._hidden = hidden
        self._weight = weight
        self._bias = bias
        self._softmax = softmax
        self._out = out
        self._width = hidden.values.shape[1]
        formats = [hidden.format, weight.format] + [bias.format] * (bias.values.shape[1] > 0)
        self._dtype = np.dtype(np.float64 if Format.FP64 in formats else np.float32)

    def need(self) -> _Need:
        return _Need.of(self._width, self._dtype.itemsize)

    def run(
        self,
        rows: NDArray[np.int64],
        targets: NDArray[np.int64],
        kinds: NDArray[np.int64],
        scratch: NDArray[np.uint8],
    ) -> None:
        """Write the losses of these rows."""
        buffers = _Buffers.of(scratch, self._width, _up_to(len(rows), _FOUR), self._dtype)
        self._pack_hidden(rows, buffers)
        found = self._target_logits(np.where(kinds == _SCORED, targets, 0), buffers)
        state = np.tile(NO_LOGITS, (len(rows), 1))
        entropy, ranks = len(self._out.entropy_nats) > 0, len(self._out.rank) > 0
        for begin in range(0, self._softmax.columns, _TILE):
            columns = min(_TILE, self._softmax.columns - begin)
            self._fill_tile(slice(begin, begin + columns), buffers)
            _sweep(buffers.logits, columns, self._softmax, found, entropy, ranks, state)
        _write(self._out, rows, kinds, found, self._softmax, state)

    def _cuts(self) -> list[slice]:
        return [slice(k, min(k + _CUT, self._width)) for k in range(0, self._width, _CUT)]

    def _pack_hidden(self, rows: NDArray[np.int64], buffers: _Buffers) -> None:
        buffers.hidden[:] = 0
        for packed, cut in zip(buffers.hidden, self._cuts(), strict=True):
            numbers = _widened(self._hidden.values[rows, cut], self._hidden.format, self._dtype)
            packed[: len(rows), : cut.stop - cut.start] = numbers

    def _biases(self, columns: Any) -> NDArray[Any] | int:
        if not self._bias.values.shape[1]:
            return 0
        return _widened(self._bias.values[0, columns], self._bias.format, self._dtype)

    def _target_logits(self, targets: NDArray[np.int64], buffers: _Buffers) -> NDArray[Any]:
        """Compute the targets' logits first: the sweeps count the logits above them."""
        logits = np.empty(len(targets), self._dtype)
        if not self._softmax.columns:
            return logits
        logits[:] = self._biases(targets)
        for packed, cut in zip(buffers.hidden, self._cuts(), strict=True):
            numbers = _widened(self._weight.values[targets, cut], self._weight.format, self._dtype)
            _multiply_rows(packed, numbers, buffers.sums, logits)
        return logits

    def _fill_tile(self, columns: slice, buffers: _Buffers) -> None:
        size = columns.stop - columns.start
        buffers.logits[:, :size] = self._biases(columns)
        for packed, cut in zip(buffers.hidden, self._cuts(), strict=True):
            units = cut.stop - cut.start
            numbers = _widened(self._weight.values[columns, cut], self._weight.format, self._dtype)
            buffers.weight[:units, :size] = numbers.T
            buffers.weight[units:] = 0
            fours = _up_to(units, _FOUR)
            _multiply(
                packed,
                len(buffers.logits),
                fours,
                buffers.weight,
                size,
                buffers.sums,
                buffers.logits,
            )


def linear_cross_entropy(
    hidden: Matrix,
    weight: Matrix,
    bias: Matrix,
    targets: NDArray[Any],
    softmax: Softmax,
    scratch: NDArray[np.uint8],
    out: TokenLosses,
) -> tuple[int, int, Any]:
    wanted = targets.astype(np.int64)
    kinds = np.empty(len(wanted), np.int64)
    _kinds_of(wanted, softmax, kinds)
    always = len(out.entropy_nats) > 0 or len(out.logsumexp_nats) > 0
    computed = (kinds == _SCORED) | always
    left = np.flatnonzero(~computed)
    _write(out, left, kinds[left], np.zeros(len(left)), softmax, np.tile(NO_LOGITS, (len(left), 1)))
    rows = np.flatnonzero(computed)
    losses = _Losses(hidden, weight, bias, softmax, out)
    need = losses.need()
    most = (len(scratch) - need.fixed) // need.row
    if len(rows) and most <= 0:
        return 3, 0, np.uint64(need.fixed + need.row)
    # Use equal blocks: a short last block would pack all weights for a few rows.
    blocks = -(-len(rows) // most) if len(rows) else 0
    for block in np.array_split(rows, blocks) if blocks else []:
        losses.run(block, wanted[block], kinds[block], scratch)
    return OK
