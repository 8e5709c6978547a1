"""Contract of the loss kernels: matrices of logits in, one loss per row out, sums by cell.

``csrc/include/icfast/losses.hpp`` gives formulas and shapes. Rows are independent, so a caller can
divide them among threads in any way and gets the same bits.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from icfast.backends.arrays import F64, I64, U64, Status


class Format(IntEnum):
    """Number formats of a matrix. 16-bit formats arrive as u16, since NumPy has no bf16."""

    FP32 = 0
    BF16 = 1
    FP16 = 2
    FP64 = 3


class Matrix(NamedTuple):
    """2-D array of f32, f64 or u16 (bits) with a contiguous last axis and any row stride."""

    values: NDArray[Any]
    format: int


class Softmax(NamedTuple):
    """Parameters that turn logits into a distribution.

    Attributes:
        columns: number of columns of the distribution. Later columns are padding.
        softcap: c of x -> c tanh(x / c), or 0 for no cap.
        temperature: divisor of the logits, applied after the cap.
        ignore_index: target of rows that are not scored.
    """

    columns: int
    softcap: float
    temperature: float
    ignore_index: int


class TokenLosses(NamedTuple):
    """Results for each token, in the targets' shape.

    The loss functions return arrays, None for results not asked for. Kernels write into
    one-dimensional arrays, of no elements for results not asked for; on a device, the fields are
    addresses, 0 for results not asked for.

    Attributes:
        nll_nats: float64, -ln p(target).
        kinds: uint8, status code of the token: 0 scored; 1 ignored, loss 0; 2 infinite, the target
            has probability 0; 3 nan, the logits are no distribution (a NaN or +inf, or only -inf);
            4 out of range, the target is outside the columns and the loss is NaN.
        logsumexp_nats: float64, logarithm of the softmax's denominator.
        entropy_nats: float64, entropy of the predicted distribution.
        rank: int64, number of columns whose logit is larger than the target's; 0 is the likeliest.
    """

    nll_nats: Any
    kinds: Any
    logsumexp_nats: Any = None
    entropy_nats: Any = None
    rank: Any = None


class LossCells(NamedTuple):
    """Sums of losses by cell.

    Attributes:
        low, high: u64[cells], halves of 128-bit sums in units of 2^-32 nat, in two's complement.
        counts: u64[cells, kinds], number of rows of each status code.
    """

    low: U64
    high: U64
    counts: U64


class LossKernels(Protocol):
    """Kernels that compute losses. Each that computes returns a Status."""

    def cross_entropy(
        self, logits: Matrix, targets: NDArray[Any], softmax: Softmax, out: TokenLosses
    ) -> Status:
        """Overwrite out with the loss of each row's target."""

    def linear_cross_entropy(
        self,
        hidden: Matrix,
        weight: Matrix,
        bias: Matrix,
        targets: NDArray[Any],
        softmax: Softmax,
        scratch: NDArray[np.uint8],
        out: TokenLosses,
    ) -> Status:
        """Write the loss of each row of logits = hidden weight^T + bias, computed tile by tile.

        bias has one row or no columns. The kernel reports scratch space that is too small for one
        row.
        """

    def linear_scratch_bytes(self, width: int) -> int:
        """Return the bytes of scratch space per thread for any shape. Less is slower."""

    def add_losses(
        self, nll_nats: F64, kinds: NDArray[np.uint8], cells: I64, sums: LossCells
    ) -> Status:
        """Add the loss of each row to its cell in units of 2^-32 nat; skip negative cells."""


# On a device ---------------------------------------------------------------------------------


class DeviceMatrix(NamedTuple):
    """A :class:`Matrix` in device memory. The stride is in elements."""

    address: int
    format: int
    rows: int
    columns: int
    stride: int


class DeviceIds(NamedTuple):
    """Contiguous ids in device memory. The type is an index into ID_DTYPES."""

    address: int
    type: int


class DeviceLossCells(NamedTuple):
    """A :class:`LossCells` in device memory.

    Attributes:
        low, high, counts: addresses.
        first_bad: address of the number of the first row with an invalid cell.
        cells: number of cells.
    """

    low: int
    high: int
    counts: int
    first_bad: int
    cells: int


class Queue(NamedTuple):
    """A device and the address of one of its streams."""

    device: int
    stream: int


class Tile(NamedTuple):
    """Largest number of rows and columns of logits that exist at once on a device."""

    rows: int
    columns: int


#: A tile has at most 33 MiB of logits. docs/explanation/gpu-losses.md gives the reason.
LINEAR_TILE = Tile(2048, 4224)


class DeviceScratch(NamedTuple):
    """Scratch space in device memory: its address and its size in bytes."""

    address: int
    size: int


#: Dtypes of ids on a device, as cuda::IdType numbers them.
ID_DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


class DeviceKernels(Protocol):
    """Loss kernels of a backend for a device. They are queued and do not wait for the device."""

    def cross_entropy(
        self,
        logits: DeviceMatrix,
        targets: DeviceIds,
        softmax: Softmax,
        out: TokenLosses,
        queue: Queue,
    ) -> Status:
        """Overwrite out with the loss of each row's target."""

    def load_products(self, folders: list[str]) -> str:
        """Load cuBLASLt, which the following kernels need.

        Return an empty string, or one line for each place that was tried.
        """

    def linear_cross_entropy(
        self,
        hidden: DeviceMatrix,
        weight: DeviceMatrix,
        bias: DeviceMatrix,
        targets: DeviceIds,
        softmax: Softmax,
        tile: Tile,
        scratch: DeviceScratch,
        out: TokenLosses,
        queue: Queue,
    ) -> Status:
        """Write the loss of each row of logits = hidden weight^T + bias, computed tile by tile.

        Operands are f32, bf16 or fp16. The result of a row depends neither on other rows nor on the
        addresses of the operands. The kernel reports scratch space that is too small.
        """

    def linear_scratch_bytes(
        self,
        hidden: DeviceMatrix,
        weight: DeviceMatrix,
        bias: DeviceMatrix,
        softmax: Softmax,
        tile: Tile,
    ) -> int:
        """Return the bytes of scratch space for linear_cross_entropy with any number of rows."""

    def linear_algorithm(
        self,
        hidden: DeviceMatrix,
        weight: DeviceMatrix,
        bias: DeviceMatrix,
        softmax: Softmax,
        tile: Tile,
        queue: Queue,
    ) -> str:
        """Return the cuBLASLt algorithm of the matrix products, or why there is none."""

    def add_losses(
        self, nll_nats: int, kinds: int, cells: int, rows: int, sums: DeviceLossCells, queue: Queue
    ) -> Status:
        """Add the loss of each row to its cell; skip and record rows with an invalid cell."""
