"""Operands of output layers for tests, and comparisons of their losses."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from tests.losses.loss_definitions import exact, stored

from icfast.backends.losses import Format, LossKernels, Matrix, Softmax, TokenLosses

IGNORED = -100
UNIT = 2.0**-24


class Operands(NamedTuple):
    hidden: Matrix
    weight: Matrix
    bias: Matrix

    def logits(self) -> NDArray[np.float64]:
        logits = exact(*self.hidden) @ exact(*self.weight).T
        return logits + exact(*self.bias) if self.bias.values.shape[1] else logits

    def rows(self, which: Any) -> Operands:
        return self._replace(hidden=Matrix(self.hidden.values[which], self.hidden.format))


def matrix(values: NDArray[Any], form: Format = Format.FP32) -> Matrix:
    """Return a matrix for the kernels; 16-bit formats are u16 bits."""
    held = stored(values, form)
    return Matrix(held.view(np.uint16) if form == Format.FP16 else held, form)


def operands(
    rows: int,
    width: int,
    columns: int,
    forms: tuple[Format, Format] = (Format.FP32, Format.FP32),
    bias: bool = False,
    scale: float = 0.02,
) -> Operands:
    """Return hidden states like those after a layer norm, and weights like initial ones."""
    draw = np.random.default_rng([rows, width, columns]).standard_normal
    return Operands(
        matrix(draw((rows, width)), forms[0]),
        matrix(draw((columns, width)) * scale, forms[1]),
        matrix(draw((1, columns if bias else 0))),
    )


def some_targets(rows: int, columns: int) -> NDArray[np.int64]:
    return np.random.default_rng(rows).integers(0, columns, rows)


def losses(
    kernels: LossKernels,
    on: Operands,
    targets: NDArray[Any],
    softmax: Softmax | None = None,
    scratch: NDArray[np.uint8] | None = None,
    everything: bool = True,
) -> TokenLosses:
    rows = len(targets)
    also = rows if everything else 0
    out = TokenLosses(
        np.full(rows, 7.0),
        np.full(rows, 77, np.uint8),
        np.full(also, 7.0),
        np.full(also, 7.0),
        np.full(also, 7, np.int64),
    )
    if softmax is None:
        softmax = Softmax(len(on.weight.values), 0.0, 1.0, IGNORED)
    if scratch is None:
        bytes_needed = kernels.linear_scratch_bytes(on.hidden.values.shape[1])
        scratch = np.full(bytes_needed, 0xFF, np.uint8)
    assert kernels.linear_cross_entropy(*on, targets, softmax, scratch, out) == (0, 0, 0)
    return out


def assert_same_bits(found: TokenLosses, expected: TokenLosses) -> None:
    for mine, its in zip(found, expected, strict=True):
        assert mine.tobytes() == its.tobytes()


def assert_within(found: TokenLosses, expected: TokenLosses, logit_error: float = 0.0) -> None:
    """Assert that losses are within their budget plus twice the error of fp32 sums."""
    assert found.kinds.tolist() == expected.kinds.tolist()
    for mine, its in zip(
        (found.nll_nats, *found[2:4]), (expected.nll_nats, *expected[2:4]), strict=True
    ):
        finite = np.isfinite(its)
        assert np.array_equal(mine[~finite], its[~finite], equal_nan=True)
        error = np.abs(mine[finite] - its[finite])
        assert (error <= 2e-6 + 4e-7 * np.abs(its[finite]) + 2 * logit_error).all(), error.max()


def assert_ranks(
    found: TokenLosses, logits: NDArray[np.float64], targets: Any, near: float
) -> None:
    """Assert ranks; logits that differ from the target's by rounding may count or not."""
    for row, target, rank in zip(logits, targets, found.rank, strict=True):
        surely = np.count_nonzero(row > row[target] + near)
        assert surely <= rank <= np.count_nonzero(row > row[target] - near) - 1 + (near == 0)
