"""split_keys: a bucket cut in place into ascending parts, nothing lost."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tests.kernels.definitions import whole_keys

# Nothing, one key, two, fewer than parts, more than parts.
SIZES = [0, 1, 2, 200, 5000]


def split(kernels, keys):
    bounds = np.full(257, -1, np.int64)
    assert kernels.split_keys(keys, bounds) == (0, 0, 0)
    return bounds


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("words", [1, 2, 3, 4])
# Bits that vary: all, a digit that straddles two words, the last byte, fewer than a digit.
@pytest.mark.parametrize("bits", [None, 68, 8, 3])
def test_parts_ascend_and_nothing_is_lost(kernels, size, words, bits):
    bits = 64 * words if bits is None or bits > 64 * words else bits
    generator = np.random.default_rng(size + words + bits)
    keys = generator.integers(0, 2**64, (size, words), np.uint64)
    for word in range(words):
        below = 64 * (words - 1 - word)
        keys[:, word] &= np.uint64(min(2**64 - 1, max(0, (1 << max(0, bits - below)) - 1)))
    before = whole_keys(keys)
    bounds = split(kernels, keys)
    after = whole_keys(keys)
    assert sorted(after) == sorted(before)
    assert (bounds[0], bounds[-1]) == (0, size)
    assert all(np.diff(bounds) >= 0)
    parts = [after[a:b] for a, b in pairwise(bounds) if b > a]
    assert all(max(a) < min(b) for a, b in pairwise(parts))
    # Keys that differ are always parted, so cutting again and again comes to an end.
    assert len(parts) > 1 or len(set(after)) <= 1


@pytest.mark.parametrize("words", [1, 4])
def test_equal_keys_stay_in_the_first_part(kernels, words):
    keys = np.full((300, words), 7, np.uint64)
    bounds = split(kernels, keys)
    assert bounds.tolist() == [0] + [300] * 256
    assert (keys == 7).all()


# Random keys form a few long cycles, all of which the first part sees; these form many short ones,
# so that every part has to be looked at.
@pytest.mark.parametrize("partner", [lambda d: d ^ 1, lambda d: 255 - d, lambda d: d ^ 128])
@pytest.mark.parametrize("words", [1, 2])
def test_parts_that_only_change_places_with_one_other(kernels, words, partner):
    digits = np.repeat([partner(d) for d in range(256)], 3).astype(np.uint64)
    keys = np.zeros((len(digits), words), np.uint64)
    keys[:, 0] = digits << np.uint64(56)
    bounds = split(kernels, keys)
    assert bounds.tolist() == list(range(0, 769, 3))
    assert (keys[:, 0] >> np.uint64(56)).tolist() == np.repeat(range(256), 3).tolist()
