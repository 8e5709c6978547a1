"""run_spectra against naive counts, and the carry from one run to the next."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from tests.backends.definitions import (
    BLOCK,
    SHAPES,
    Shape,
    ends_of,
    lay,
    long_documents,
    naive_spectra,
    parts_of,
    run_of,
    shape_id,
    some_documents,
)

from icfast.backends.counting import KINDS, SortedRun, SpectraOut

#: Below most counts, so that both the dense rows and the list of large counts are used.
ROWS = 4
SMALL = Shape(4, 3, 1)
LONG = Shape(7, 3, 1)
DOCUMENTS = [[1, 2, 1, 1], [2], [1, 2, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1], [5, 2, 1, 2, 1]]


def scan(kernels, runs, ends, shape, capacity=200):
    """Return every kind and order from these runs, in order."""
    path = np.zeros(2 + shape.words, np.uint64)
    sums = np.zeros((3, shape.order), np.uint64)
    small = np.zeros((len(KINDS), shape.order, ROWS), np.uint64)
    phi = [[Counter() for _ in range(shape.order)] for _ in KINDS]
    for i, run in enumerate(runs):
        large = np.zeros((len(KINDS), shape.order, capacity), np.uint64)
        lengths = np.zeros((len(KINDS), shape.order), np.int64)
        out = SpectraOut(small, large, lengths)
        flush = i == len(runs) - 1
        status = kernels.run_spectra(run, ends, shape.order, shape.bits, path, sums, flush, out)
        if status != (0, 0, 0):
            return status
        for kind, n in np.ndindex(lengths.shape):
            phi[kind][n].update(large[kind, n, : lengths[kind, n]].tolist())
    assert path[0] == 0
    assert not sums.any()
    for kind, n, r in np.argwhere(small).tolist():
        phi[kind][n][r] += int(small[kind, n, r])
    by_order = [[dict(sorted(counts.items())) for counts in orders] for orders in phi]
    return dict(zip(KINDS, by_order, strict=True))


@pytest.mark.parametrize("shape", SHAPES, ids=shape_id)
@pytest.mark.parametrize("end_mark", [False, True], ids=["tokens", "end-mark"])
def test_all_kinds_and_orders(kernels, shape, end_mark):
    laid = lay(some_documents(shape, 60000, 5, empty=end_mark), shape, "u2", end_mark)
    run, ends = run_of(laid.windows(), shape), ends_of(laid.ends(), shape)
    expected = naive_spectra(laid.ranked, shape.order)
    assert scan(kernels, [run], ends, shape) == expected


def test_open_ngrams_are_carried_over_every_cut(kernels):
    laid = lay(DOCUMENTS, SMALL)
    run, ends = run_of(laid.windows(), SMALL), ends_of(laid.ends(), SMALL)
    expected = naive_spectra(laid.ranked, SMALL.order)
    size = len(run.counts)
    every_entry_alone = list(range(1, size))
    for edges in [*([cut] for cut in range(size + 1)), every_entry_alone, [3, 3, 3]]:
        assert scan(kernels, parts_of(run, edges), ends, SMALL) == expected


#: Windows per block of the core.
CORE_BLOCK = 1024


def many_windows(shape, ids, end_mark):
    """Return short and long documents of a few ids, with over two blocks of distinct windows.

    Ranks use all bits of a symbol.
    """
    chosen = random.Random(shape.order)
    lengths = [1, 2, 3] * 40 + [5, 17, 60] * 25 + [6000]
    documents = [[chosen.randrange(ids) for _ in range(length)] for length in lengths]
    documents += documents[100:150]
    chosen.shuffle(documents)
    laid = lay(documents, shape, "u2", end_mark)
    step = (2**shape.bits - 1) // (ids + 1)
    ranks, end_rank = laid.alphabet.ranks * np.uint32(step), laid.alphabet.end_rank * step
    return laid._replace(alphabet=laid.alphabet._replace(ranks=ranks, end_rank=end_rank))


@pytest.mark.ci
@pytest.mark.parametrize("end_mark", [False, True], ids=["tokens", "end-mark"])
@pytest.mark.parametrize("ids", [5, 40])
@pytest.mark.parametrize(
    "shape",
    [Shape(5, 16, 1), Shape(6, 8, 1), Shape(6, 13, 2), Shape(5, 17, 2), Shape(9, 16, 2)],
    ids=shape_id,
)
def test_runs_of_several_blocks(kernels, shape, ids, end_mark):
    laid = many_windows(shape, ids, end_mark)
    run, ends = run_of(laid.windows(), shape), ends_of(laid.ends(), shape)
    assert len(run.counts) > 2 * CORE_BLOCK
    expected = naive_spectra(laid.ranked, shape.order)
    # One entry more or less than a block, and n-grams that continue in the next block.
    for edges in (
        [],
        [CORE_BLOCK - 1, 2 * CORE_BLOCK],
        [CORE_BLOCK, CORE_BLOCK + 1],
        [3, 3 + CORE_BLOCK // 2],
    ):
        found = scan(kernels, parts_of(run, edges), ends, shape, capacity=len(run.counts))
        assert found == expected
    # Unsorted within a block: equal keys, and neighbours that differ in any word.
    lead = int(np.argmax(np.diff(run.bounds)))
    for at in range(int(run.bounds[lead]) + 21, int(run.bounds[lead]) + 61):
        for swapped in ([at - 1, at - 1], [at, at - 1]):
            keys = run.keys.copy()
            keys[[at - 1, at]] = keys[swapped]
            status = scan(kernels, [run._replace(keys=keys)], ends, shape)
            assert status == (4, at, run.leads[lead])


@pytest.mark.ci
def test_the_code_any_machine_runs(backend):
    """Run in another process, since ICFAST_ISA is read once per process."""
    if backend != "core":
        pytest.skip("only the core chooses an instruction set")
    if os.environ.get("ICFAST_ISA") == "portable":
        pytest.skip("this is the other process")
    names = ("test_all_kinds_and_orders", "test_runs_of_several_blocks")
    tests = [f"{__file__}::{name}" for name in names]
    run = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-k", "core", "-p", "no:cacheprovider", *tests],
        env={**os.environ, "ICFAST_ISA": "portable"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stdout
    assert " passed" in run.stdout


def a_long_run():
    laid = lay(long_documents(), LONG)
    run, ends = run_of(laid.windows(), LONG), ends_of(laid.ends(), LONG)
    assert len(run.counts) > 3 * BLOCK
    return laid, run, ends


@pytest.mark.ci
@pytest.mark.parametrize("edges", [[], [BLOCK], [1, BLOCK + 1, 3 * BLOCK], [2 * BLOCK - 1]])
def test_more_windows_than_are_looked_at_together(kernels, edges):
    laid, run, ends = a_long_run()
    expected = naive_spectra(laid.ranked, LONG.order)
    assert scan(kernels, parts_of(run, edges), ends, LONG, 10000) == expected


@pytest.mark.parametrize("entry", [BLOCK - 1, BLOCK, BLOCK + 1])
def test_entries_that_do_not_ascend_at_the_edge_of_a_block(kernels, entry):
    _, run, ends = a_long_run()
    keys = run.keys.copy()
    keys[entry] = keys[entry - 1]
    lead = int(np.repeat(run.leads, np.diff(run.bounds))[entry])
    assert scan(kernels, [run._replace(keys=keys)], ends, LONG, 10000) == (4, entry, lead)


def test_nothing_at_all(kernels):
    nothing = run_of([], SMALL)
    expected = {kind: [{}] * SMALL.order for kind in KINDS}
    assert scan(kernels, [nothing, nothing], ends_of([], SMALL), SMALL) == expected


def test_counts_above_32_bits(kernels):
    shape = Shape(2, 2, 1)
    run = run_of({(1, 0): 3, (1, 1): 2**40, (2, 1): 1}, shape)
    ends = ends_of([(1, 1)] * 2 + [(2, 1)], shape)
    found = scan(kernels, [run], ends, shape)
    assert found["complete"] == [{1: 1, 2**40 + 3: 1}, {1: 1, 2**40: 1}]
    assert found["followed"] == [{2**40 + 1: 1}, {}]
    assert found["starting"] == [{}, {3: 1}]


@pytest.mark.parametrize("words", [1, 2], ids=["one-word", "two-words"])
def test_entries_that_do_not_ascend(kernels, words):
    shape = Shape(4, 3 if words == 1 else 30, words)
    windows = [(1, 0, 0, 0), (1, 1, 0, 0), (2, 1, 1, 0), (2, 1, 1, 1), (3, 2, 1, 1)]
    run, ends = run_of(windows, shape), ends_of([], shape)
    keys = run.keys.copy()
    keys[[2, 3]] = keys[[3, 2]]
    assert scan(kernels, [run._replace(keys=keys)], ends, shape) == (4, 3, 2)
    twice = SortedRun(run.leads, run.bounds, run.keys[[0, 0, 2, 3, 4]], run.counts)
    assert scan(kernels, [twice], ends, shape) == (4, 1, 1)
    leads = np.array([1, 3, 2], np.uint32)
    assert scan(kernels, [run._replace(leads=leads)], ends, shape) == (4, 4, 2)
    # The previous run ends above the beginning of this one.
    assert scan(kernels, [run, run], ends, shape) == (4, 0, 1)


def test_room_for_large_counts_is_checked(kernels):
    laid = lay(DOCUMENTS, SMALL)
    run, ends = run_of(laid.windows(), SMALL), ends_of(laid.ends(), SMALL)
    assert scan(kernels, [run], ends, SMALL, capacity=1)[0] == 3
