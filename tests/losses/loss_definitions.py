"""Losses in fp64 by NumPy from stored numbers; naive.token_loss for many rows."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.losses.producers import Producer

from icfast.backends.losses import Format, Matrix, Softmax, TokenLosses
from icfast.sums.kinds import Kind

#: How numbers of each format are stored here; bf16 as its bits.
STORED = {Format.FP32: "f4", Format.BF16: "u2", Format.FP16: "f2", Format.FP64: "f8"}


def stored(values: NDArray[Any], form: Format) -> NDArray[Any]:
    """Round values to a format; bf16 rounds to nearest, ties to even."""
    if form is not Format.BF16:
        return values.astype(STORED[form])
    single = values.astype(np.float32)
    bits = single.view(np.uint32)
    rounded = (bits + 0x7FFF + (bits >> 16 & 1)) >> 16
    return np.where(np.isnan(single), 0x7FC0, rounded).astype(np.uint16)


def exact(values: NDArray[Any], form: int) -> NDArray[np.float64]:
    """Return stored numbers as fp64; u2 holds the bits of 16-bit formats."""
    if form == Format.BF16:
        return (values.astype(np.uint32) << 16).view(np.float32).astype(np.float64)
    if form == Format.FP16:
        values = values.view(np.float16)
    return values.astype(np.float64)


def define_losses(logits: NDArray[np.float64], targets: Any, softmax: Softmax) -> TokenLosses:
    """Return every field of every row; NaN or -1 if a row has none."""
    rows = zip(logits[:, : softmax.columns], targets.tolist(), strict=True)
    found = [_define_loss(row, target, softmax) for row, target in rows]
    fields = zip(*found, strict=True) if found else [()] * len(TokenLosses._fields)
    dtypes = (np.float64, np.uint8, np.float64, np.float64, np.int64)
    return TokenLosses(*map(np.array, fields, dtypes))


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


EVERYTHING = {"return_logsumexp": True, "return_entropy": True, "return_rank": True}


class Bfloat16:
    """A bfloat16 array as ml_dtypes or torch has it: bits with DLPack."""

    def __init__(self, bits: NDArray[np.uint16]) -> None:
        self.bits = bits

    def __dlpack_device__(self) -> tuple[int, int]:
        return 1, 0

    def __dlpack__(self, **_: Any) -> object:
        self.producer = Producer(self.bits, 4)
        return self.producer.__dlpack__()


def as_given(values: NDArray[Any], form: Format) -> Any:
    """Return stored numbers as a user's array."""
    return Bfloat16(values) if form is Format.BF16 else values


def assert_within_budget(found: Any, expected: Any) -> None:
    found, expected = np.asarray(found), np.asarray(expected)
    number = np.isfinite(expected)
    np.testing.assert_array_equal(found[~number], expected[~number])
    error = np.abs(found[number] - expected[number])
    allowed = 2e-6 + 4e-7 * np.abs(expected[number])
    worst = (error / allowed).max(initial=0)
    assert worst <= 1, f"{worst:.2f} of the budget at {np.argmax(error / allowed)}"


def assert_losses(found: TokenLosses, expected: TokenLosses) -> None:
    """Assert all fields. Ranks compare logits as stored, so they must be equal."""
    np.testing.assert_array_equal(found.kinds, expected.kinds)
    assert_within_budget(found.nll_nats, expected.nll_nats)
    if found.logsumexp_nats is not None:
        assert_within_budget(found.logsumexp_nats, expected.logsumexp_nats)
    if found.entropy_nats is not None:
        assert_within_budget(found.entropy_nats, expected.entropy_nats)
    if found.rank is not None:
        np.testing.assert_array_equal(found.rank, expected.rank)


class DefinedKernels:
    """Kernels that compute by the definition and record their calls."""

    def __init__(self) -> None:
        self.calls: list[dict[str, Any]] = []

    def cross_entropy(
        self, logits: Matrix, targets: Any, softmax: Softmax, out: TokenLosses
    ) -> Any:
        self.calls.append({"logits": logits, "targets": targets, "softmax": softmax, "out": out})
        return _write(define_losses(exact(*logits), targets, softmax), out)

    def linear_scratch_bytes(self, width: int) -> int:
        return 100 * width

    def linear_cross_entropy(
        self,
        hidden: Matrix,
        weight: Matrix,
        bias: Matrix,
        targets: Any,
        softmax: Softmax,
        scratch: Any,
        out: TokenLosses,
    ) -> Any:
        assert len(scratch) == self.linear_scratch_bytes(hidden.values.shape[1])
        self.calls.append({"hidden": hidden, "weight": weight, "bias": bias, "softmax": softmax})
        logits = exact(*hidden) @ exact(*weight).T
        if bias.values.shape[1]:
            logits += exact(*bias)
        return _write(define_losses(logits, targets, softmax), out)


def _write(found: TokenLosses, out: TokenLosses) -> Any:
    for to, values in zip(out, found, strict=True):
        if len(to):
            to[:] = values
    return 0, 0, 0


# Memory --------------------------------------------------------------------------------------

_MEASURE = """
import sys, threading
from pathlib import Path
import numpy as np
import icfast

def anonymous():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))

path, backend, rows = sys.argv[1], sys.argv[2], int(sys.argv[3])
{run}
run(2)  # what is compiled and loaded does not count
before, peak, done = anonymous(), 0, threading.Event()

def watch():
    global peak
    while not done.wait(0.001):
        peak = max(peak, anonymous())

watcher = threading.Thread(target=watch)
watcher.start()
found = run(rows)
done.set()
watcher.join()
assert found.kinds.shape == (rows,) and (found.kinds == 0).all()
print(peak - before)
"""

needs_proc = pytest.mark.skipif(
    not Path("/proc/self/status").exists(), reason="needs /proc to measure memory"
)


def peak_bytes(run: str, path: Path, backend: str, rows: int) -> int:
    """Return the peak anonymous memory of run(rows) in another process; `run` is its source."""
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE.format(run=run), path, backend, str(rows)],
        capture_output=True,
        text=True,
        check=True,
    )
    return int(done.stdout)
