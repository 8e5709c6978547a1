"""Losses of logits beside the memory's read rate and peers; of an output layer beside torch.

Everyone reads the same pages: numpy's, huge ones where the system grants them. GB/s are of logits
read once. torch gives results in the dtype of its input; ours are float64.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import logsumexp

import icfast
from harness import Job
from icfast.backends.select import installed
from icfast.losses.rows import split_rows
from icfast.parallel.threads import available_threads
from peers import present, torch_losses
from report import Report

#: What a loss may be off in results rounded to that format, and in a sum taken in it.
_PEER_TOLERANCE = {"float32": 1e-4, "bfloat16": 5e-2, "float16": 2e-2}


def _read(stored: NDArray[Any]) -> list[Any]:
    """Every byte once, by all threads: as fast as memory is read here."""
    words, read = stored.reshape(-1).view(np.uint64), []

    def part(begin: int, end: int) -> None:
        read.append(np.bitwise_xor.reduce(words[begin:end]))

    split_rows(part, len(words), available_threads())
    return read


def _settle(stored: NDArray[Any]) -> None:
    """The same state for everyone: OpenMP's threads spin for some milliseconds after their work,
    as long as a run of ours takes, and cores that slept are slow at first."""
    for _ in range(4):
        _read(stored)


def _normal(shape: tuple[int, int], dtype: str, scale: float, seed: int = 0) -> NDArray[Any]:
    """Normal numbers, row by row; bfloat16 as bits, cut off."""
    made = np.empty(shape, np.uint16 if dtype == "bfloat16" else dtype)
    generator = np.random.default_rng(seed)
    for row in made:
        values = generator.standard_normal(shape[1], np.float32) * np.float32(scale)
        row[:] = values.view(np.uint32) >> 16 if dtype == "bfloat16" else values
    return made


def _exact(stored: NDArray[Any], dtype: str) -> NDArray[np.float64]:
    if dtype == "bfloat16":
        stored = (stored.astype(np.uint32) << 16).view(np.float32)
    return stored.astype(np.float64)


def _define(logits: NDArray[np.float64], targets: NDArray[np.int64]) -> NDArray[np.float64]:
    below = logits - logits.max(axis=1, keepdims=True)
    return np.log(np.exp(below).sum(axis=1)) - below[np.arange(len(below)), targets]


@dataclass(frozen=True)
class Logits:
    """A batch as it is stored, as it is given to icfast, and its losses."""

    stored: NDArray[Any]
    given: Any
    dtype: str
    targets: NDArray[np.int64]
    expected: NDArray[np.float64]

    @classmethod
    def make(cls, rows: int, columns: int, dtype: str) -> Logits:
        stored = _normal((rows, columns), dtype, 3)
        targets = np.random.default_rng(1).integers(0, columns, rows)
        expected = np.concatenate(
            [
                _define(_exact(stored[first : first + 16], dtype), targets[first : first + 16])
                for first in range(0, rows, 16)
            ]
        )
        return cls(stored, _given(stored, dtype), dtype, targets, expected)

    def job(
        self, name: str, run: Callable[[], Any], check: Callable[[Any], None], **more: Any
    ) -> Job:
        prepare = partial(_settle, self.stored)
        return Job(name, run, len(self.stored), self.stored.nbytes, check, prepare, **more)

    def ours(self, name: str, **options: Any) -> Job:
        def run() -> Any:
            found = icfast.cross_entropy(self.given, self.targets, **options)
            return found.nll_nats if isinstance(found, tuple) else found

        return self.job(f"icfast {name}", run, self.within_budget)

    def within_budget(self, found: Any) -> None:
        error = np.abs(np.asarray(found) - self.expected)
        assert (error <= 2e-6 + 4e-7 * self.expected).all()

    def roughly(self, found: Any) -> None:
        tolerance = _PEER_TOLERANCE[self.dtype]
        np.testing.assert_allclose(np.asarray(found), self.expected, rtol=tolerance, atol=tolerance)


def _given(stored: NDArray[Any], dtype: str) -> Any:
    """bfloat16 takes a package that has it; the others are numpy's own."""
    return torch_losses.tensor(stored, dtype) if dtype == "bfloat16" else stored


def _reader(logits: Logits) -> Job:
    expected = np.bitwise_xor.reduce(logits.stored.reshape(-1).view(np.uint64))

    def check(found: list[Any]) -> None:
        assert np.bitwise_xor.reduce(found) == expected

    return logits.job("memory, read only", partial(_read, logits.stored), check, peer=True)


def _peers(logits: Logits) -> Iterator[Job]:
    if any(present([torch_losses])):
        import torch

        given = torch_losses.tensor(logits.stored, logits.dtype)
        run = torch_losses.cross_entropy(given, torch.from_numpy(logits.targets))
        yield logits.job(
            "torch F.cross_entropy", run, lambda found: logits.roughly(found.float()), peer=True
        )
    if logits.dtype == "float32":
        rows, x = np.arange(len(logits.stored)), logits.stored

        def by_numpy() -> Any:
            largest = x.max(axis=1)
            sums = np.exp(x - largest[:, None]).sum(axis=1)
            return largest + np.log(sums) - x[rows, logits.targets]

        def by_scipy() -> Any:
            return logsumexp(x, axis=1) - x[rows, logits.targets]

        yield logits.job("numpy logsumexp", by_numpy, logits.roughly, peer=True)
        yield logits.job("scipy logsumexp", by_scipy, logits.roughly, peer=True, rounds=1)


def _needs_bfloat16(dtype: str) -> None:
    if dtype == "bfloat16" and (reason := torch_losses.available()):
        pytest.skip(f"numpy has no bfloat16; {reason}")


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
@pytest.mark.parametrize(("rows", "columns"), [(2048, 50257), (1024, 128256)])
def test_cross_entropy(
    report: Report, everything: bool, rows: int, columns: int, dtype: str
) -> None:
    _needs_bfloat16(dtype)
    logits = Logits.make(rows, columns, dtype)
    jobs = [logits.ours("cross_entropy")]
    if everything:
        jobs += [logits.ours("one thread", threads=1)]
        jobs += [logits.ours(name, backend=name) for name in installed()[1:]]
        jobs += [logits.ours("with logsumexp", return_logsumexp=True)]
        jobs += [logits.ours("with entropy", return_entropy=True)]
        jobs += [logits.ours("with rank", return_rank=True)]
    report.compare(
        f"cross_entropy, {rows} x {columns} {dtype}", [*jobs, _reader(logits), *_peers(logits)]
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16", "float16"])
def test_odd_vocabularies(report: Report, dtype: str) -> None:
    """An odd one beside even ones, in turn; the rates to compare are those in GB/s."""
    _needs_bfloat16(dtype)
    sizes = [(2048, 50257), (2048, 50256), (2048, 50304)]
    batches = [Logits.make(*size, dtype) for size in sizes]
    report.compare(
        f"cross_entropy, odd and even V, {dtype}",
        [batch.ours(f"V = {batch.stored.shape[1]}") for batch in batches],
    )


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize(
    ("rows", "width", "columns"), [(2048, 768, 50257), (4096, 2048, 128256)], ids=["small", "large"]
)
def test_linear_cross_entropy(
    report: Report, everything: bool, rows: int, width: int, columns: int, dtype: str
) -> None:
    _needs_bfloat16(dtype)
    large = rows > 2048
    if large and dtype == "float32" and not everything:
        pytest.skip("takes minutes; pass --everything")
    hidden = _normal((rows, width), dtype, 1)
    weight = _normal((columns, width), dtype, 3 / np.sqrt(width), seed=1)
    given = _given(hidden, dtype), _given(weight, dtype)
    targets = np.random.default_rng(2).integers(0, columns, rows)
    some = np.arange(0, rows, 31)
    states = _exact(hidden[some], dtype)
    parts = [weight[first : first + 8192] for first in range(0, columns, 8192)]
    logits = np.concatenate([states @ _exact(part, dtype).T for part in parts], axis=1)
    expected = _define(logits, targets[some])

    def check(found: Any) -> None:
        np.testing.assert_allclose(np.asarray(found)[some], expected, rtol=1e-5, atol=1e-5)

    def roughly(found: Any) -> None:
        tolerance = _PEER_TOLERANCE[dtype]
        found = np.asarray(found.float())[some]
        np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)

    def job(name: str, run: Callable[[], Any], check: Callable[[Any], None], peer: bool) -> Job:
        prepare = partial(_settle, weight)
        rounds = 5 if large else None
        return Job(name, run, 2 * rows * width * columns, 0, check, prepare, peer, rounds)

    def ours(name: str, **options: Any) -> Job:
        def run() -> Any:
            return icfast.linear_cross_entropy(*given, targets, **options)

        return job(f"icfast {name}", run, check, peer=False)

    jobs = [ours("linear_cross_entropy")]
    if everything and not large:
        jobs += [ours("one thread", threads=1)]
        jobs += [ours(name, backend=name) for name in installed()[1:]]
    if any(present([torch_losses])):
        import torch

        x, w = (torch_losses.tensor(stored, dtype) for stored in (hidden, weight))
        ids = torch.from_numpy(targets)
        jobs += [
            job("torch linear alone", torch_losses.linear(x, w), _any_result, peer=True),
            job(
                "torch linear and cross_entropy",
                torch_losses.linear_cross_entropy(x, w, ids),
                roughly,
                peer=True,
            ),
        ]
    report.compare(f"linear_cross_entropy, {rows} x {width} x {columns} {dtype}", jobs, "flop")


def _any_result(found: Any) -> None:
    """Logits; what follows from them is checked in the next job."""
