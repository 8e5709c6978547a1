"""sort_runs around every threshold between its methods."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter

import numpy as np
import pytest
from tests.backends.definitions import whole_keys

#: Insertion sort below 32 keys, introsort below 512, radix sort above. With AVX-512: networks of 8
#: to 128 keys, quicksort above. numba: insertion sort below 64, radix sort by bytes below 1024, by
#: 11 bits above.
SIZES = [0, 1, 2, 31, 32, 33, 63, 64, 65, 128, 129, 511, 512, 513, 1003, 1023, 1024, 1025]

#: With AVX-512, keys of several words with at most 64 varying bits are sorted as one word. Up to 8
#: more bits choose a part first, if parts have at least 16 keys. Otherwise keys are sorted by their
#: top bits and number, and then groups with equal top bits again, by insertion below 16 keys.

#: A bucket larger than this is first split by its most significant varying byte.
CACHE_BYTES = 1 << 19


def random_keys(size, words, generator):
    return generator.integers(0, 2**64, (size, words), np.uint64)


def make_keys(pattern, size, words, generator):
    keys = random_keys(size, words, generator)
    if pattern == "few":
        keys = keys[generator.integers(0, max(1, size // 5), size)] if size else keys
    elif pattern == "equal":
        keys[:] = keys[:1]
    elif pattern == "constant-bytes":
        # Only the lowest byte of the first word and one in the middle of the last one vary.
        keys[:, 0] &= np.uint64(0xFF)
        keys[:, 1:] &= np.uint64(0x00FF0000)
    elif pattern == "few-but-the-last-word":
        # Large and small groups that differ in their last word only.
        keys[:, :-1] = np.minimum(generator.geometric(0.6, (size, 1)), 9)
    elif pattern in ("sorted", "reversed"):
        keys = keys[np.lexsort(keys.T[::-1])]
        keys = keys[::-1].copy() if pattern == "reversed" else keys
    elif pattern == "organ-pipe":
        half = keys[np.lexsort(keys.T[::-1])][: size // 2]
        keys = np.concatenate([half, keys[: size % 2], half[::-1]])
    elif pattern == "largest":
        # The largest key also pads incomplete vectors.
        keys[generator.random(size) < 0.5] = np.uint64(2**64 - 1)
    elif pattern == "one-each-side":
        # All keys are equal except a smaller and a larger one.
        keys[:] = np.uint64(2**63)
        if size:
            keys[size // 3, -1] = 0
            keys[size // 2, -1] = 2**64 - 1
    return keys


def expect_sorted(kernels, buckets, words, lead_in=0):
    """Sort buckets that begin after `lead_in` rows, which must not change."""
    stops = np.cumsum([len(keys) for keys in buckets])
    bounds = np.append(0, stops).astype(np.int64) + lead_in
    untouched = np.full((lead_in, words), 7, np.uint64)
    keys = np.concatenate([untouched, *buckets])
    size = int(stops[-1])
    counts = np.zeros(size, np.uint64)
    scratch = np.zeros((max(len(rows) for rows in buckets), words), np.uint64)
    distinct = np.zeros(len(buckets), np.int64)
    assert kernels.sort_runs(bounds, keys, counts, scratch, distinct) == (0, 0, 0)
    expected = [sorted(Counter(whole_keys(rows)).items()) for rows in buckets]
    assert distinct.tolist() == [len(bucket) for bucket in expected]
    flat = [entry for bucket in expected for entry in bucket]
    found = whole_keys(keys[lead_in : lead_in + len(flat)])
    assert list(zip(found, counts.tolist(), strict=False)) == flat
    assert np.array_equal(keys[:lead_in], untouched)


@pytest.mark.parametrize("words", [1, 2, 3, 4])
@pytest.mark.parametrize(
    "pattern",
    [
        "random",
        "few",
        "equal",
        "one-each-side",
        "largest",
        "constant-bytes",
        "few-but-the-last-word",
        "sorted",
        "reversed",
        "organ-pipe",
    ],
)
def test_sizes_around_the_thresholds(kernels, words, pattern):
    generator = np.random.default_rng(words)
    for size in SIZES:
        expect_sorted(kernels, [make_keys(pattern, size, words, generator)], words)


@pytest.mark.parametrize("pattern", ["random", "few", "largest"])
def test_every_size_up_to_two_vectors_above_a_network(kernels, pattern):
    generator = np.random.default_rng(5)
    for size in range(145):
        expect_sorted(kernels, [make_keys(pattern, size, 1, generator)], 1)


@pytest.mark.parametrize("size", [100, 1100])
@pytest.mark.parametrize("varying", range(1, 9))
def test_any_number_of_bytes_that_vary(kernels, size, varying):
    """An odd number of radix passes ends in the scratch array."""
    generator = np.random.default_rng(varying)
    keys = generator.integers(0, 2**64, (size, 1), np.uint64) >> np.uint64(64 - 8 * varying)
    expect_sorted(kernels, [keys], 1)


def keys_of_bad_pivots(size):
    """Return keys whose sampled medians are always among the smallest, so parts hardly shrink.

    The sample is 32 evenly spaced keys, its median the 17th. Each sampled key gets the next
    larger value, after which the part up to the pivot is taken away.
    """
    value, assigned = np.zeros(size, np.uint64), 0
    here = np.arange(size)
    while len(here) > 128:
        step = len(here) // 32
        sample = here[np.arange(32) * step + step // 2]
        for at in sample[value[sample] == 0]:
            assigned += 1
            value[at] = assigned
        pivot = np.sort(value[sample])[16]
        here = here[(value[here] == 0) | (value[here] > pivot)]
    value[value == 0] = assigned + 1 + np.arange(np.count_nonzero(value == 0), dtype=np.uint64)
    return value.reshape(size, 1)


def test_pivots_that_split_badly(kernels):
    # 64 levels that remove at most 32 keys each leave most of 5000 keys to introsort.
    expect_sorted(kernels, [keys_of_bad_pivots(5000)], 1)


def keys_varying_in(bits, size, words, generator):
    """Return keys that differ in this many bits, spread over all words."""
    chosen = sorted(generator.choice(64 * words, bits, replace=False).tolist())
    drawn = random_keys(size, words, generator)
    keys = np.broadcast_to(random_keys(1, words, generator), (size, words)).copy()
    for bit in chosen:
        word, mask = words - 1 - bit // 64, np.uint64(1 << bit % 64)
        keys[:, word] = (keys[:, word] & ~mask) | (drawn[:, word] & mask)
    return keys


@pytest.mark.ci
@pytest.mark.parametrize("words", [2, 3, 4])
@pytest.mark.parametrize("bits", [1, 63, 64, 65, 66, 72, 73, 100])
def test_how_many_bits_vary(kernels, words, bits):
    generator = np.random.default_rng(bits)
    for size in (2, 31, 32, 64, 1003, 4095, 4096, 8192):
        keys = keys_varying_in(bits, size, words, generator)
        expect_sorted(kernels, [keys, keys[generator.integers(0, size // 2, size)]], words)


@pytest.mark.parametrize("words", [2, 3, 4])
def test_runs_of_every_length_that_only_the_last_word_tells_apart(kernels, words):
    generator = np.random.default_rng(words)
    for size in [*SIZES[1:], 4000]:
        keys = random_keys(size, words, generator)
        few = random_keys(max(1, size // 24), words, generator)
        keys[:, :-1] = few[generator.zipf(1.5, size) % len(few), :-1]
        keys[generator.random(size) < 0.3, -1] = 7
        expect_sorted(kernels, [keys], words)


def test_prefixes_that_run_on_through_every_word(kernels):
    generator = np.random.default_rng(7)
    keys = random_keys(3000, 4, generator)
    for word in range(3):
        again = generator.random(3000) < 0.9
        keys[again, : word + 1] = keys[generator.integers(0, 20, 3000), : word + 1][again]
    expect_sorted(kernels, [keys], 4)


PORTABLE = """
import sys
import numpy as np
from icfast.backends.select import select
kernels = select("core").kernels
cases = np.load(sys.argv[1])
for name, keys in cases.items():
    expected, often = np.unique(keys, axis=0, return_counts=True)
    bounds, distinct = np.array([0, len(keys)]), np.zeros(1, np.int64)
    counts = np.zeros(len(keys), np.uint64)
    keys = keys.copy()
    status = kernels.sort_runs(bounds, keys, counts, np.zeros_like(keys), distinct)
    assert status == (0, 0, 0), name
    assert np.array_equal(keys[: distinct[0]], expected), name
    assert np.array_equal(counts[: distinct[0]], often), name
print(len(cases.files))
"""


@pytest.mark.ci
def test_the_code_any_machine_runs(backend, tmp_path):
    """Run in another process, since ICFAST_ISA is read once per process."""
    if backend != "core":
        pytest.skip("only the core chooses an instruction set")
    generator = np.random.default_rng(6)
    sizes = [*SIZES, CACHE_BYTES // 8 + 1]
    cases = {
        f"{pattern}-{size}-{words}": make_keys(pattern, size, words, generator)
        for pattern in ("random", "few", "largest", "constant-bytes", "reversed")
        for words in (1, 2, 4)
        for size in sizes
    }
    np.savez(tmp_path / "cases.npz", **cases)
    run = subprocess.run(
        [sys.executable, "-c", PORTABLE, tmp_path / "cases.npz"],
        env={**os.environ, "ICFAST_ISA": "portable"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert int(run.stdout) == len(cases)


@pytest.mark.ci
@pytest.mark.parametrize("words", [1, 4])
@pytest.mark.parametrize(
    "pattern", ["random", "few", "equal", "constant-bytes", "few-but-the-last-word"]
)
def test_a_bucket_just_above_the_cache(kernels, words, pattern):
    size = CACHE_BYTES // (8 * words) + 1
    keys = make_keys(pattern, size, words, np.random.default_rng(3))
    expect_sorted(kernels, [keys], words)


@pytest.mark.parametrize("words", [1, 2, 3, 4])
def test_buckets_of_all_sizes_pack_from_the_front(kernels, words):
    generator = np.random.default_rng(4)
    buckets = [make_keys("few", size, words, generator) for size in [*SIZES, 0, 5]]
    expect_sorted(kernels, buckets, words)
    expect_sorted(kernels, buckets[::-1], words, lead_in=10)


def test_nothing_to_sort(kernels):
    nothing = np.zeros((0, 2), np.uint64)
    bounds, counts = np.zeros(1, np.int64), np.zeros(0, np.uint64)
    assert kernels.sort_runs(bounds, nothing, counts, nothing, np.zeros(0, np.int64)) == (0, 0, 0)
