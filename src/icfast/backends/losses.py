"""The contract of the loss kernels: matrices of logits in, one loss a row out, sums by cell.

Formulas and shapes stand in ``csrc/include/icfast/losses.hpp``. Rows do not depend on each other,
so callers hand rows to threads as they like and get the same bits.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from icfast.backends.arrays import F64, I64, U64, Status


class Format(IntEnum):
    """How the numbers of a matrix are stored; numpy has no bf16, so 16 bits arrive as u16."""

    FP32 = 0
    BF16 = 1
    FP16 = 2
    FP64 = 3


class Matrix(NamedTuple):
    """Rows of numbers: 2-D f32, f64 or u16 (bits), last axis contiguous, rows of any stride."""

    values: NDArray[Any]
    format: int


class Softmax(NamedTuple):
    """How logits become a distribution.

    columns: of the distribution; those behind are padding. softcap: x -> c tanh(x / c), 0 for
    none. temperature: x -> x / temperature, after the cap. ignore_index: the target of rows that
    are not scored.
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
    """Sums by cell: 2^-32 nat as 128 bits in two's complement, and u64[cells, kinds] of rows."""

    low: U64
    high: U64
    counts: U64


class LossKernels(Protocol):
    """What a backend offers for losses; every one that computes returns a Status."""

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
        """The same of logits = hidden weight^T + bias, which exist a tile at a time.

        bias is one row, or has no columns. Scratch that is too small for any row is refused.
        """

    def linear_scratch_bytes(self, width: int) -> int:
        """Scratch for each thread's calls, whatever the rows and columns; less is slower."""

    def add_losses(
        self, nll_nats: F64, kinds: NDArray[np.uint8], cells: I64, sums: LossCells
    ) -> Status:
        """Add each row to its cell, in whole units of 2^-32 nat; a cell below 0 is left out."""


# On a device ---------------------------------------------------------------------------------


class DeviceMatrix(NamedTuple):
    """A :class:`Matrix` as its address and shape; strides in elements."""

    address: int
    format: int
    rows: int
    columns: int
    stride: int


class DeviceIds(NamedTuple):
    """Contiguous ids: their address, and the place of their dtype in ID_DTYPES."""

    address: int
    type: int


class DeviceLossCells(NamedTuple):
    """Addresses of a :class:`LossCells`, of the first row that has no cell, and how many cells."""

    low: int
    high: int
    counts: int
    first_bad: int
    cells: int


class Queue(NamedTuple):
    """Where work is queued: a device, and the address of one of its streams."""

    device: int
    stream: int


class Tile(NamedTuple):
    """The most rows, and columns, of logits that exist at a time on a device."""

    rows: int
    columns: int


#: At most 33 MiB of them: docs/explanation/gpu-losses.md gives the reason for this size.
LINEAR_TILE = Tile(2048, 4224)


class DeviceScratch(NamedTuple):
    """Room on a device: its address, and how many bytes."""

    address: int
    size: int


#: Dtypes of ids on a device, as cuda::IdType numbers them.
ID_DTYPES = ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64")


class DeviceKernels(Protocol):
    """What a backend for a device offers: the kernels above, queued, none waits for the device."""

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
        """Load cuBLASLt, which the calls below need: empty, or a line for each place tried."""

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
        """The same of logits = hidden weight^T + bias, of which a tile exists at a time.

        Operands are f32, bf16 or fp16. A row's result depends on neither the other rows nor where
        operands lie. Scratch that is too small is refused.
        """

    def linear_scratch_bytes(
        self,
        hidden: DeviceMatrix,
        weight: DeviceMatrix,
        bias: DeviceMatrix,
        softmax: Softmax,
        tile: Tile,
    ) -> int:
        """Scratch that such a call needs, whatever its rows."""

    def linear_algorithm(
        self,
        hidden: DeviceMatrix,
        weight: DeviceMatrix,
        bias: DeviceMatrix,
        softmax: Softmax,
        tile: Tile,
        queue: Queue,
    ) -> str:
        """The algorithm of its products, as cuBLASLt numbers them; or why there is none."""

    def add_losses(
        self, nll_nats: int, kinds: int, cells: int, rows: int, sums: DeviceLossCells, queue: Queue
    ) -> Status:
        """Add each row to its cell; rows whose cell or kind is none are left out and noted."""
