"""remap_keys and merge_runs."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.backends.definitions import Shape, SortedRun, entries, key_of, key_rows, run_of

from icfast.backends.counting import MergeScratch

#: With 8 history symbols, these bits fill 1, 2, 3 and 4 words (13: symbols straddle two words).
BITS_OF_WORDS = {1: 8, 2: 13, 3: 24, 4: 32}
ORDER = 9


@pytest.mark.parametrize("words", BITS_OF_WORDS)
@pytest.mark.parametrize("new_words", BITS_OF_WORDS)
def test_the_same_windows_under_another_alphabet(kernels, words, new_words):
    bits, new_bits = BITS_OF_WORDS[words], BITS_OF_WORDS[new_words]
    generator = random.Random(words)
    # Rank 0 remains the begin mark. The other ranks ascend to the top of the new alphabet.
    size = 256
    new_ranks = generator.sample(range(1, 2**new_bits), size - 2)
    ranks = np.array([0, *sorted({*new_ranks, 2**new_bits - 1})], np.uint32)
    size = len(ranks)
    windows = [(9, *(generator.randrange(size) for _ in range(ORDER - 1))) for _ in range(40)]
    windows += [(9, *[0] * (ORDER - 1)), (9, *[size - 1] * (ORDER - 1))]
    renamed = [(9, *(int(ranks[symbol]) for symbol in window[1:])) for window in windows]
    keys = key_rows((key_of(window, bits) for window in windows), words)
    new_keys = np.full((len(keys), new_words), 5, np.uint64)
    assert kernels.remap_keys(keys, ranks, ORDER, bits, new_keys, new_bits) == (0, 0, 0)
    expected = key_rows((key_of(window, new_bits) for window in renamed), new_words)
    assert np.array_equal(new_keys, expected)


def test_remap_without_history(kernels):
    keys, new_keys = np.zeros((3, 1), np.uint64), np.full((3, 1), 5, np.uint64)
    assert kernels.remap_keys(keys, np.zeros(2, np.uint32), 1, 1, new_keys, 2) == (0, 0, 0)
    assert not new_keys.any()


counted_windows = st.dictionaries(
    st.tuples(st.integers(1, 3), *[st.integers(0, 3)] * 2), st.integers(1, 2**40), max_size=40
)


@pytest.mark.ci
@pytest.mark.parametrize("shape", [Shape(3, 2, 1), Shape(3, 32, 1), Shape(3, 32, 2)])
# Up to five runs: a single one, pairs, and sums of different sizes.
@given(parts=st.lists(counted_windows, min_size=1, max_size=5), data=st.data())
def test_the_sum_of_runs(kernels, shape, parts, data):
    runs = [run_of(Counter(part), shape) for part in parts]
    leads = np.concatenate([run.leads for run in runs])
    sizes = np.concatenate([np.diff(run.bounds) for run in runs])
    joined = SortedRun(
        leads,
        np.append(0, np.cumsum(sizes)).astype(np.int64),
        np.concatenate([run.keys for run in runs]),
        np.concatenate([run.counts for run in runs]),
    )
    # The buckets of a lead can have any order.
    shuffled = np.array(data.draw(st.permutations(range(len(leads)))), np.int64)
    sequence = shuffled[np.argsort(leads[shuffled], kind="stable")]
    size = len(joined.counts)
    total = SortedRun(
        np.unique(leads),
        np.zeros(len(np.unique(leads)) + 1, np.int64),
        np.full((size, shape.words), 5, np.uint64),
        np.full(size, 5, np.uint64),
    )
    scratch = MergeScratch(np.empty_like(joined.keys), np.empty_like(joined.counts))
    assert kernels.merge_runs(joined, sequence, total, scratch) == (0, 0, 0)
    found = total._replace(
        keys=total.keys[: total.bounds[-1]], counts=total.counts[: total.bounds[-1]]
    )
    assert entries(found) == entries(run_of(sum(map(Counter, parts), Counter()), shape))
