"""The bindings do not convert arrays: a wrong dtype or layout is a TypeError, not a copy."""

from __future__ import annotations

import numpy as np
import pytest

from icfast.backends.counting import Alphabet, Buckets, Chunk
from icfast.backends.select import select


@pytest.fixture
def core(backend):
    if backend == "numba":
        pytest.skip("numba compiles for any argument types")
    return select(backend).kernels


def chunk(tokens="u2", bounds="i8", step=1):
    held = np.zeros(8, tokens)[::step]
    return Chunk(held, np.array([0], bounds), np.array([len(held)], bounds), 0, len(held))


@pytest.mark.parametrize("dtype", ["i1", "i2", "i4", "i8", "u8", "f4", "f8", ">u2", "?"])
def test_tokens_of_another_dtype(core, dtype):
    with pytest.raises(TypeError, match="tokens must be contiguous uint8, uint16 or uint32"):
        core.count_ids(chunk(dtype), np.zeros(3, np.uint64))


def test_tokens_that_are_not_contiguous(core):
    with pytest.raises(TypeError, match="contiguous"):
        core.count_ids(chunk(step=2), np.zeros(3, np.uint64))


def test_spans_of_another_dtype(core):
    with pytest.raises(TypeError, match=r"C-contiguous array of int64, found .*int32"):
        core.count_ids(chunk(bounds="i4"), np.zeros(3, np.uint64))


@pytest.mark.parametrize("dtype", ["i8", "u4", "f8"])
def test_outputs_of_another_dtype(core, dtype):
    with pytest.raises(TypeError, match=f"array of uint64, found .*{np.dtype(dtype)}"):
        core.count_ids(chunk(), np.zeros(3, dtype))


def test_lists_are_not_arrays(core):
    with pytest.raises(TypeError, match="found None"):
        core.count_ids(chunk(), [0, 0, 0])


def test_outputs_that_are_read_only(core):
    counts = np.zeros(3, np.uint64)
    counts.flags.writeable = False
    with pytest.raises(ValueError, match="not writeable"):
        core.count_ids(chunk(), counts)
    keys = np.zeros((1, 1), np.uint64)
    keys.flags.writeable = False
    bounds, distinct = np.array([0, 1], np.int64), np.zeros(1, np.int64)
    scratch, counts = np.zeros((1, 1), np.uint64), np.zeros(1, np.uint64)
    with pytest.raises(ValueError, match="not writeable"):
        core.sort_runs(bounds, keys, counts, scratch, distinct)


@pytest.mark.parametrize("shape", [(4,), (4, 0), (4, 5), (2, 2, 1)])
def test_keys_of_no_known_width(core, shape):
    alphabet = Alphabet(np.ones(3, np.uint32), 0, 2, 2)
    with pytest.raises(TypeError, match=r"keys must be u64\[n, 1..4\]"):
        core.end_windows(chunk(), alphabet, np.zeros(1, np.uint32), np.zeros(shape, np.uint64))


def test_keys_of_another_dtype(core):
    alphabet = Alphabet(np.ones(3, np.uint32), 0, 2, 2)
    buckets = Buckets(np.array([0, 1, 2], np.uint32), np.zeros((2, 1), np.int64))
    slots = np.zeros(2, np.int32)
    with pytest.raises(TypeError, match=r"array of uint64, found .*int64"):
        core.count_windows(chunk(), alphabet, buckets, slots, slots, np.zeros((2, 1), np.uint64))


def test_the_ranks_of_another_dtype(core):
    alphabet = Alphabet(np.ones(3, np.int64), 0, 2, 2)
    with pytest.raises(TypeError, match=r"array of uint32, found .*int64"):
        core.end_windows(chunk(), alphabet, np.zeros(1, np.uint32), np.zeros((1, 1), np.uint64))
