"""count_windows, scatter_windows and end_windows against naive windows."""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from itertools import pairwise

import numpy as np
import pytest
from tests.backends.definitions import (
    SHAPES,
    Shape,
    key_of,
    key_rows,
    lay,
    shape_id,
    some_documents,
    whole_keys,
)

from icfast.backends.counting import Buckets

all_shapes = pytest.mark.parametrize("shape", SHAPES, ids=shape_id)
end_marks = pytest.mark.parametrize("end_mark", [False, True], ids=["tokens", "end-mark"])

#: Number of ids of each dtype; the shard's foreign token needs one more.
TOP_IDS = {"u1": 254, "u2": 65534, "u4": 70000}
THREE_SYMBOLS = Shape(3, 8, 1)


def laid_out(shape, dtype="u2", end_mark=False, seed=1):
    documents = some_documents(shape, TOP_IDS[dtype], seed, empty=end_mark)
    return lay(documents, shape, dtype, end_mark)


def keyed(windows, shape):
    return [(window[0], key_of(window, shape.bits)) for window in windows]


def one_bucket_a_lead(laid, shape):
    leads = int(laid.alphabet.ranks.max()) + 1 + laid.end_mark
    first = np.arange(leads + 1, dtype=np.uint32)
    return Buckets(first, np.zeros((leads, shape.words), np.uint64))


def split_buckets(laid, shape):
    """Begin a bucket at each lead and at every third distinct window."""
    leads = int(laid.alphabet.ranks.max()) + 1 + laid.end_mark
    seen = sorted(set(keyed(laid.windows(), shape)))
    begins = sorted({(lead, 0) for lead in range(leads)} | set(seen[::3]))
    first = [bisect_right(begins, (lead, -1)) for lead in range(leads + 1)]
    return Buckets(
        np.array(first, np.uint32), key_rows((key for _, key in begins), shape.words)
    ), begins


def cuts(size):
    """Yield the whole, splits into two (all, or some of many), and single tokens."""
    at = range(size + 1) if size < 120 else range(0, size + 1, 7)
    return [[0, size], *([0, cut, size] for cut in at), list(range(size + 1))]


@all_shapes
@end_marks
def test_windows_are_counted_by_lead_over_any_cut(kernels, shape, end_mark):
    laid = laid_out(shape, end_mark=end_mark)
    buckets = one_bucket_a_lead(laid, shape)
    leads = len(buckets.low)
    expected = Counter(window[0] for window in laid.windows())
    slots, depths = np.arange(leads, dtype=np.int32), np.zeros(leads, np.int32)
    for edges in cuts(len(laid.tokens)):
        counts = np.zeros((leads, 1), np.uint64)
        for begin, end in pairwise(edges):
            chunk = laid.chunk(begin, end)
            status = kernels.count_windows(chunk, laid.alphabet, buckets, slots, depths, counts)
            assert status == (0, 0, 0)
        assert counts[:, 0].tolist() == [expected[lead] for lead in range(leads)]


@all_shapes
@end_marks
def test_windows_are_counted_by_a_history_symbol_and_slots_left_out(kernels, shape, end_mark):
    laid = laid_out(shape, end_mark=end_mark)
    buckets, begins = split_buckets(laid, shape)
    columns = int(laid.alphabet.ranks.max()) + 1
    # Count every second bucket, each by another symbol of the history (0: by none).
    slots = np.full(len(begins), -1, np.int32)
    slots[::2] = np.arange(len(slots[::2]))
    depths = (np.arange(len(slots[::2])) % shape.order).astype(np.int32)
    expected = Counter()
    for window in laid.windows():
        slot = slots[bisect_right(begins, (window[0], key_of(window, shape.bits))) - 1]
        if slot >= 0:
            expected[int(slot), window[depths[slot]] if depths[slot] else 0] += 1
    counts = np.zeros((len(depths), columns), np.uint64)
    chunk = laid.chunk()
    status = kernels.count_windows(chunk, laid.alphabet, buckets, slots, depths, counts)
    assert status == (0, 0, 0)
    assert {tuple(at.tolist()): int(counts[tuple(at)]) for at in np.argwhere(counts)} == expected


@pytest.mark.parametrize("shape", [s for s in SHAPES if s.bits < 16], ids=shape_id)
def test_symbols_of_every_bit_enter_the_key(kernels, shape):
    """Some documents have seven ids, whose ranks do not use the upper bits of a symbol."""
    document = list(range((1 << shape.bits) - 1))
    laid = lay([document[::-1], document], shape)
    buckets = one_bucket_a_lead(laid, shape)
    windows = sorted(keyed(laid.windows(), shape))
    offsets = np.searchsorted([lead for lead, _ in windows], np.arange(len(buckets.low)))
    keys = np.zeros((len(windows), shape.words), np.uint64)
    status = kernels.scatter_windows(
        laid.chunk(), laid.alphabet, buckets, 0, len(buckets.low), offsets.astype(np.int64), keys
    )
    assert status == (0, 0, 0)
    leads = [lead for lead, _ in windows]
    assert sorted(zip(leads, whole_keys(keys), strict=True)) == windows


@all_shapes
@end_marks
@pytest.mark.parametrize("chunks", [1, 3])
@pytest.mark.parametrize("whole", [False, True], ids=["cut-leads", "whole-leads"])
def test_windows_land_behind_the_offsets_of_their_buckets(kernels, shape, end_mark, chunks, whole):
    laid = laid_out(shape, end_mark=end_mark)
    buckets, begins = split_buckets(laid, shape)
    if whole:
        buckets = one_bucket_a_lead(laid, shape)
        begins = [(lead, 0) for lead in range(len(buckets.low))]
    held = [[] for _ in begins]
    for lead, key in keyed(laid.windows(), shape):
        held[bisect_right(begins, (lead, key)) - 1].append(key)
    edges = np.linspace(0, len(laid.tokens), chunks + 1).astype(int).tolist()
    for low, high in ((0, len(begins)), (1, len(begins) - 1), (0, 1)):
        sizes = [len(keys) for keys in held[low:high]]
        offsets = np.append(2, 2 + np.cumsum(sizes))[:-1].astype(np.int64)
        keys = np.zeros((sum(sizes) + 3, shape.words), np.uint64)
        for begin, end in pairwise(edges):
            status = kernels.scatter_windows(
                laid.chunk(begin, end), laid.alphabet, buckets, low, high, offsets, keys
            )
            assert status == (0, 0, 0)
        assert offsets.tolist() == [2 + sum(sizes[: i + 1]) for i in range(len(sizes))]
        expected = [key for bucket in held[low:high] for key in bucket]
        assert whole_keys(keys) == [0, 0, *expected, 0]


def long_documents(shape, dtype, end_mark):
    """Return documents longer than a block of the sieve, and documents within a block."""
    generator = np.random.default_rng(3)
    ids = generator.choice(min(TOP_IDS[dtype], 1 << shape.bits) - 1, 40, replace=False)
    # Uneven ids, so that some leads are rare and some very frequent.
    weights = np.arange(1, 41) ** -1.5
    lengths = (1025 + shape.order, 63, 64, 65, 1, 2100)
    documents = [
        generator.choice(ids, length, p=weights / weights.sum()).tolist() for length in lengths
    ]
    return lay(documents, shape, dtype, end_mark)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
@pytest.mark.parametrize("shape", [THREE_SYMBOLS, Shape(5, 16, 1), Shape(6, 13, 2)], ids=shape_id)
@end_marks
def test_the_few_windows_a_pass_keeps_are_found_in_long_documents(kernels, shape, dtype, end_mark):
    laid = long_documents(shape, dtype, end_mark)
    buckets = one_bucket_a_lead(laid, shape)
    leads = len(buckets.low)
    held = [[] for _ in range(leads)]
    for lead, key in keyed(laid.windows(), shape):
        held[lead].append(key)
    ranges = [(1, 2), (leads - 1, leads), (5, 20), (1, leads), (0, leads - 1), (39, 41)]
    for low, high in ranges:
        sizes = [len(keys) for keys in held[low:high]]
        offsets = np.append(0, np.cumsum(sizes))[:-1].astype(np.int64)
        keys = np.zeros((sum(sizes), shape.words), np.uint64)
        # Chunks of odd sizes split vectors and documents anywhere.
        for begin, end in pairwise([0, 1, 40, 1100, 1101, 2000, len(laid.tokens)]):
            chunk = laid.chunk(begin, end)
            status = kernels.scatter_windows(
                chunk, laid.alphabet, buckets, low, high, offsets, keys
            )
            assert status == (0, 0, 0)
        assert whole_keys(keys) == [key for bucket in held[low:high] for key in bucket]
        assert offsets.tolist() == np.cumsum(sizes).tolist()


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
@end_marks
def test_few_leads_are_counted_in_long_documents(kernels, dtype, end_mark):
    shape = THREE_SYMBOLS
    laid = long_documents(shape, dtype, end_mark)
    buckets, begins = split_buckets(laid, shape)
    seen = Counter(
        (bisect_right(begins, at) - 1, window[1])
        for at, window in zip(keyed(laid.windows(), shape), laid.windows(), strict=True)
    )
    columns = len(np.unique(laid.tokens)) + 1
    some = len(begins) // 2
    for chosen in ([], [0], [some], [some, some + 5], [len(begins) - 1]):
        slots = np.full(len(begins), -1, np.int32)
        slots[chosen] = np.arange(len(chosen))
        counts = np.zeros((len(chosen), columns), np.uint64)
        depths = np.ones(len(chosen), np.int32)
        status = kernels.count_windows(laid.chunk(), laid.alphabet, buckets, slots, depths, counts)
        assert status == (0, 0, 0)
        expected = {
            (chosen.index(bucket), symbol): count
            for (bucket, symbol), count in seen.items()
            if bucket in chosen
        }
        found = {tuple(at.tolist()): int(counts[tuple(at)]) for at in np.argwhere(counts)}
        assert found == expected


@all_shapes
@pytest.mark.parametrize("whole", [False, True], ids=["cut-leads", "whole-leads"])
def test_windows_without_room_are_counted_only(kernels, shape, whole):
    laid = laid_out(shape, end_mark=True)
    buckets = one_bucket_a_lead(laid, shape) if whole else split_buckets(laid, shape)[0]
    windows, leads = len(laid.windows()), len(buckets.low)
    offsets = np.arange(leads, dtype=np.int64)
    room = np.full((3, shape.words), 77, np.uint64)
    status = kernels.scatter_windows(
        laid.chunk(), laid.alphabet, buckets, 0, leads, offsets, room[:1]
    )
    assert status == (0, 0, 0)
    assert offsets.sum() == windows + leads * (leads - 1) // 2
    assert (room[1:] == 77).all()


@all_shapes
@end_marks
def test_the_last_window_of_each_document(kernels, shape, end_mark):
    laid = laid_out(shape, end_mark=end_mark)
    leads = np.zeros(len(laid.documents), np.uint32)
    keys = np.full((len(leads), shape.words), 77, np.uint64)
    assert kernels.end_windows(laid.chunk(), laid.alphabet, leads, keys) == (0, 0, 0)
    found = list(zip(leads.tolist(), whole_keys(keys), strict=True))
    assert found == keyed(laid.ends(), shape)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
def test_every_token_dtype(kernels, dtype):
    shape = THREE_SYMBOLS
    laid = laid_out(shape, dtype, end_mark=True, seed=2)
    assert laid.tokens.dtype == dtype
    assert laid.tokens.max() > np.iinfo(dtype).max // 2 or dtype == "u4"
    buckets = one_bucket_a_lead(laid, shape)
    windows = laid.windows()
    offsets = np.zeros(len(buckets.low), np.int64)
    sizes = Counter(window[0] for window in windows)
    offsets[1:] = np.cumsum([sizes[lead] for lead in range(len(offsets) - 1)])
    keys = np.zeros((len(windows), shape.words), np.uint64)
    kernels.scatter_windows(laid.chunk(), laid.alphabet, buckets, 0, len(offsets), offsets, keys)
    by_lead = sorted(windows, key=lambda window: window[0])
    assert whole_keys(keys) == [key for _, key in keyed(by_lead, shape)]
    leads = np.zeros(len(laid.documents), np.uint32)
    ends = np.zeros((len(leads), shape.words), np.uint64)
    kernels.end_windows(laid.chunk(), laid.alphabet, leads, ends)
    assert leads.tolist() == [window[0] for window in laid.ends()]


@pytest.mark.parametrize(("token", "code"), [(250, 1), (8, 2)], ids=["outside", "unlisted"])
def test_a_history_that_cannot_be_counted_is_found_by_a_pass_that_keeps_few(kernels, token, code):
    shape = THREE_SYMBOLS
    laid = lay([[1, 2, 3, 7], [3, 9]], shape, "u1")
    laid.tokens[3] = token  # before the only 7; only its windows are kept
    assert laid.starts.tolist() == [1, 6]
    buckets, keys = one_bucket_a_lead(laid, shape), np.zeros((9, 1), np.uint64)
    lead = int(laid.alphabet.ranks[7])
    offsets = np.zeros(1, np.int64)
    found = kernels.scatter_windows(
        laid.chunk(), laid.alphabet, buckets, lead, lead + 1, offsets, keys
    )
    assert found == (code, 3, token)


@pytest.mark.parametrize(
    ("token", "status"),
    [(250, (1, 5, 250)), (9, (2, 5, 9))],
    ids=["outside-the-vocabulary", "not-in-the-dictionary"],
)
@pytest.mark.parametrize("kernel", ["count", "scatter", "end"])
def test_a_token_that_cannot_be_counted_is_found_where_it_stands(kernels, kernel, token, status):
    shape = THREE_SYMBOLS
    laid = lay([[1, 2, 3], [3, 8]], shape, "u1")
    laid.tokens[5] = token  # first token of the second document
    assert laid.starts.tolist() == [1, 5]
    buckets = one_bucket_a_lead(laid, shape)
    leads, keys = np.zeros(2, np.uint32), np.zeros((9, 1), np.uint64)
    slots, depths = np.arange(len(buckets.low), dtype=np.int32), np.zeros(9, np.int32)
    counts = np.zeros((len(buckets.low), 1), np.uint64)
    chunk, alphabet = laid.chunk(), laid.alphabet
    calls = {
        "count": lambda: kernels.count_windows(chunk, alphabet, buckets, slots, depths, counts),
        "scatter": lambda: kernels.scatter_windows(
            chunk, alphabet, buckets, 0, len(buckets.low), np.zeros(9, np.int64), keys
        ),
        "end": lambda: kernels.end_windows(chunk, alphabet, leads, keys),
    }
    assert calls[kernel]() == status
