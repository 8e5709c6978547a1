"""Single kernels on one thread, each backend's beside the other's: `pytest benchmarks -k kernel`.

pytest-benchmark prints and keeps these; jobs against peers are the other files.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pytest

from data import Tokens
from icfast.backends.contract import Kernels
from icfast.backends.counting import Alphabet, Buckets, Chunk, SortedRun
from icfast.backends.select import installed, select
from icfast.ngrams.keys import KeyShape
from icfast.ngrams.scan import SpectraScan
from icfast.ngrams.sorted_runs import empty_ends

ORDER = 5
WINDOWS = 4_000_000


class Scattered(NamedTuple):
    """Windows of the first tokens, as one document, in buckets of their last token."""

    chunk: Chunk
    alphabet: Alphabet
    buckets: Buckets
    shape: KeyShape
    bounds: np.ndarray
    keys: np.ndarray


@pytest.fixture(scope="module")
def scattered(tokens: Tokens) -> Scattered:
    held = np.array(tokens.ids[:WINDOWS])
    used, counts = np.unique(held, return_counts=True)
    shape = KeyShape.of(ORDER, len(used))
    ranks = np.zeros(int(used[-1]) + 1, np.uint32)
    ranks[used] = np.arange(1, len(used) + 1)
    whole = np.array([0]), np.array([len(held)])
    chunk = Chunk(held, *whole, 0, len(held))
    buckets = Buckets(
        np.arange(len(used) + 2, dtype=np.uint32), np.zeros((len(used) + 1, shape.words), np.uint64)
    )
    bounds = np.append([0, 0], np.cumsum(counts)).astype(np.int64)
    made = Scattered(chunk, Alphabet(ranks, 0, ORDER, shape.bits), buckets, shape, bounds, held)
    keys = np.zeros((len(held), shape.words), np.uint64)
    assert _scatter(select().kernels, made, keys) == (0, 0, 0)
    return made._replace(keys=keys)


def _scatter(kernels: Kernels, on: Scattered, keys: np.ndarray) -> tuple[int, int, int]:
    leads = len(on.bounds) - 1
    offsets = on.bounds[:-1].copy()
    return kernels.scatter_windows(on.chunk, on.alphabet, on.buckets, 0, leads, offsets, keys)


def _sort(kernels: Kernels, on: Scattered, keys: np.ndarray) -> SortedRun:
    counts, scratch = np.zeros(len(keys), np.uint64), np.zeros_like(keys)
    distinct = np.zeros(len(on.bounds) - 1, np.int64)
    assert kernels.sort_runs(on.bounds, keys, counts, scratch, distinct) == (0, 0, 0)
    packed = np.append(0, np.cumsum(distinct)).astype(np.int64)
    leads = np.arange(len(distinct), dtype=np.uint32)
    return SortedRun(leads, packed, keys[: packed[-1]], counts[: packed[-1]])


@pytest.fixture(params=installed())
def kernels(request: pytest.FixtureRequest) -> Kernels:
    return select(request.param).kernels


@pytest.mark.benchmark(group="scatter_windows")
def test_kernel_scatter_windows(benchmark: Any, kernels: Kernels, scattered: Scattered) -> None:
    keys = np.zeros_like(scattered.keys)
    assert _scatter(kernels, scattered, keys) == (0, 0, 0)
    assert np.array_equal(keys, scattered.keys)
    benchmark(_scatter, kernels, scattered, keys)


@pytest.mark.benchmark(group="sort_runs")
def test_kernel_sort_runs(benchmark: Any, kernels: Kernels, scattered: Scattered) -> None:
    run = _sort(kernels, scattered, scattered.keys.copy())
    for lead in range(0, len(run.leads), 997):
        low, high = scattered.bounds[lead : lead + 2]
        found = run.keys[run.bounds[lead] : run.bounds[lead + 1], 0]
        assert np.array_equal(found, np.unique(scattered.keys[low:high, 0]))
    benchmark.pedantic(
        _sort, setup=lambda: ((kernels, scattered, scattered.keys.copy()), {}), rounds=5
    )


@pytest.mark.benchmark(group="run_spectra")
def test_kernel_run_spectra(benchmark: Any, kernels: Kernels, scattered: Scattered) -> None:
    run = _sort(kernels, scattered, scattered.keys.copy())

    def scan() -> SpectraScan:
        made = SpectraScan(kernels, scattered.shape, empty_ends(scattered.shape))
        made.add(run, flush=True)
        return made

    size = len(scattered.keys)
    assert scan().spectra(size, 1)[1].windows == size
    benchmark(scan)
