"""split_keys splits a bucket in place into ascending parts and loses no key."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tests.backends.definitions import whole_keys

# No key, one, two, fewer than parts, more than parts; and sizes around the vectors that are read
# from both ends (32 keys each, from 257 keys on).
SIZES = [0, 1, 2, 200, 256, 257, 263, 264, 288, 319, 320, 321, 5000]


def split(kernels, keys, largest=64):
    """Split keys; check that parts ascend and have the same keys."""
    before = whole_keys(keys)
    bounds = np.full(257, -1, np.int64)
    assert kernels.split_keys(keys, largest, bounds) == (0, 0, 0)
    assert (bounds[0], bounds[-1]) == (0, len(keys))
    assert all(np.diff(bounds) >= 0)
    after = whole_keys(keys)
    assert sorted(after) == sorted(before)
    parts = [after[a:b] for a, b in pairwise(bounds) if b > a]
    assert all(max(a) < min(b) for a, b in pairwise(parts))
    # Different keys are in at least two parts, so repeated splitting ends.
    assert len(parts) > 1 or len(set(after)) <= 1
    return bounds


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("words", [1, 2, 3, 4])
# Varying bits: all, a digit that straddles two words, the last byte, fewer than a digit.
@pytest.mark.parametrize("bits", [None, 68, 8, 3])
def test_parts_ascend_and_nothing_is_lost(kernels, size, words, bits):
    bits = 64 * words if bits is None or bits > 64 * words else bits
    generator = np.random.default_rng(size + words + bits)
    keys = generator.integers(0, 2**64, (size, words), np.uint64)
    for word in range(words):
        below = 64 * (words - 1 - word)
        keys[:, word] &= np.uint64(min(2**64 - 1, max(0, (1 << max(0, bits - below)) - 1)))
    split(kernels, keys)


LARGEST_KEY = 2**64 - 1


@pytest.mark.parametrize("largest", [1, 300, 10_000])
@pytest.mark.parametrize("size", [257, 1003, 4096])
@pytest.mark.parametrize(
    "pattern",
    ["sorted", "reversed", "least", "most", "halves", "one-below", "one-above", "last-above"],
)
def test_keys_that_cut_badly(kernels, pattern, size, largest):
    """Pivots that are the smallest or largest key, or equal to nearly all keys."""
    generator = np.random.default_rng(size)
    keys = generator.integers(1, LARGEST_KEY, (size, 1), np.uint64)
    if pattern in ("sorted", "reversed"):
        keys = np.sort(keys, axis=0)
        keys = keys[::-1].copy() if pattern == "reversed" else keys
    elif pattern in ("least", "most"):
        keys[generator.random(size) < 0.8] = 0 if pattern == "least" else LARGEST_KEY
    elif pattern == "halves":
        keys = np.where(keys > 2**63, np.uint64(LARGEST_KEY), np.uint64(0))
    else:
        keys[:] = 5
        keys[-1 if pattern == "last-above" else size // 2] = 4 if pattern == "one-below" else 6
    split(kernels, keys, largest)


@pytest.mark.parametrize("words", [1, 2])
def test_cutting_again_leaves_parts_of_equal_keys(kernels, words):
    """Split a bucket repeatedly, as counting does with a bucket that is too large to sort."""
    generator = np.random.default_rng(words)
    keys = generator.geometric(0.03, (20_000, words)).astype(np.uint64)
    expected = sorted(whole_keys(keys))
    waiting, sizes = [(0, len(keys))], []
    while waiting:
        begin, end = waiting.pop()
        bounds = begin + split(kernels, keys[begin:end], 100)
        for low, high in pairwise(bounds.tolist()):
            if high - low > 100 and high - low < end - begin:
                waiting.append((low, high))
            elif high > low:
                sizes.append((low, high))
    for low, high in sizes:
        part = whole_keys(keys[low:high])
        assert high - low <= 100 or len(set(part)) == 1
        assert sorted(part) == expected[low:high]


@pytest.mark.parametrize("words", [1, 4])
def test_equal_keys_stay_in_the_first_part(kernels, words):
    keys = np.full((300, words), 7, np.uint64)
    bounds = split(kernels, keys)
    assert bounds.tolist() == [0] + [300] * 256
    assert (keys == 7).all()


# Random keys form a few long cycles, which all reach the first part. These keys form many short
# cycles, so that every part must be visited.
@pytest.mark.parametrize("partner", [lambda d: d ^ 1, lambda d: 255 - d, lambda d: d ^ 128])
@pytest.mark.parametrize("words", [1, 2])
def test_parts_that_only_change_places_with_one_other(kernels, words, partner):
    digits = np.repeat([partner(d) for d in range(256)], 3).astype(np.uint64)
    keys = np.zeros((len(digits), words), np.uint64)
    keys[:, 0] = digits << np.uint64(56)
    split(kernels, keys)
