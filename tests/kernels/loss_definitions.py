"""Losses in fp64 by numpy, from the numbers as they are stored; naive.token_loss for many rows."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.kernels.losses import Format, Kind, Matrix, Softmax, TokenOut

#: How numbers of each format are stored here; bf16 as its bits.
STORED = {Format.FP32: "f4", Format.BF16: "u2", Format.FP16: "f2", Format.FP64: "f8"}


def stored(values: NDArray[Any], form: Format) -> NDArray[Any]:
    """Values rounded to a format; bf16 to the nearest, half to even."""
    if form is not Format.BF16:
        return values.astype(STORED[form])
    single = values.astype(np.float32)
    bits = single.view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    return np.where(np.isnan(single), 0x7FC0, rounded).astype(np.uint16)


def exact(values: NDArray[Any], form: int) -> NDArray[np.float64]:
    """What stored numbers are, as fp64; u2 holds the bits of 16-bit formats."""
    if form == Format.BF16:
        return (values.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    if form == Format.FP16:
        values = values.view(np.float16)
    return values.astype(np.float64)


def define_losses(logits: NDArray[np.float64], targets: Any, softmax: Softmax) -> TokenOut:
    """Every field of every row; NaN and -1 where a row has none."""
    rows = zip(logits[:, : softmax.columns], targets.tolist(), strict=True)
    found = [_define_loss(row, target, softmax) for row, target in rows]
    fields = zip(*found, strict=True) if found else [()] * len(TokenOut._fields)
    dtypes = (np.float64, np.uint8, np.float64, np.float64, np.int64)
    return TokenOut(*map(np.array, fields, dtypes))


def _define_loss(logits: NDArray[np.float64], target: int, softmax: Softmax) -> tuple[Any, ...]:
    nll, kind, rank = np.nan, Kind.OUT_OF_RANGE, -1
    if target == softmax.ignore_index:
        nll, kind = 0.0, Kind.IGNORED
    targeted = kind is Kind.OUT_OF_RANGE and 0 <= target < len(logits)
    if np.isnan(logits).any() or np.isinf(logits.max()):
        return nll, Kind.NAN if targeted else kind, np.nan, np.nan, -1
    capped = logits
    if cap := softmax.softcap:
        capped = np.where(np.isinf(logits), logits, cap * np.tanh(logits / cap))
    largest = capped.max()
    below = (capped - largest) / softmax.temperature
    terms = np.exp(below)
    log_sum = np.log(terms.sum())
    has = terms > 0
    entropy = log_sum - terms[has] @ below[has] / terms.sum()
    if targeted:
        nll = log_sum - below[target]
        kind = Kind.INFINITE if nll == np.inf else Kind.SCORED
        rank = np.count_nonzero(logits > logits[target])
    return nll, kind, largest / softmax.temperature + log_sum, entropy, rank


class DefinedKernels:
    """The definition behind the contract, and the calls it got: for tests of what calls kernels."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def cross_entropy(self, logits: Matrix, targets: Any, softmax: Softmax, out: TokenOut) -> Any:
        self.calls.append({"logits": logits, "targets": targets, "softmax": softmax, "out": out})
        found = define_losses(exact(*logits), targets, softmax)
        for to, values in zip(out, found, strict=True):
            if len(to):
                to[:] = values
        return 0, 0, 0
