"""Scan sorted distinct windows in blocks: what each window shares with the previous one.

A block is one array with a row per property of its windows, because each further array argument
takes time to compile. Column 0 is the last window before the block.
"""

from __future__ import annotations

import numpy as np

from icfast.backends.fallback.jit import jit
from icfast.backends.fallback.keys import compare, copy_key, history_length, top_bit

#: Windows per block, so that a block stays in the cache.
BLOCK = 4096

SHARED = 0  # orders whose n-grams equal those of the previous window
HISTORY = 1  # symbols of the key that are tokens
ENDED = 2  # documents that end with the window
_ORDERS = 3  # table: orders that two keys share, by the highest bit in which they differ
KNOWN = 4  # number of rows filled here; the caller may add rows


@jit
def new_block(rows, order, bits, path):
    """Return an empty block after the window of the path, and two keys of scratch space."""
    words = len(path) - 2
    # Two more columns than windows: one for the window before, one for an end after them.
    block = np.zeros((rows, BLOCK + 2), np.int64)
    for bit in range(64 * words):
        block[_ORDERS, bit] = max(1, order - 1 - bit // bits)
    pair = np.zeros((2, words), np.uint64)
    for word in range(words):
        pair[0, word] = path[2 + word]
    # Before the first window there are no n-grams.
    block[HISTORY, 0] = history_length(pair, np.int64(0), order, bits) if path[0] else -2
    return block, pair


@jit
def _end_before(ends, i, lead, keys, row):
    if ends.leads[i] != lead:
        return ends.leads[i] < lead
    return compare(ends.keys, i, keys, row) < 0


@jit
def place_end(ends, run):
    """Return the first document end at or after the first window of the run."""
    low, high = 0, len(ends.leads)
    first = run.bounds[0]
    if first == run.bounds[-1]:
        return low
    bucket = 0
    while run.bounds[bucket + 1] == first:
        bucket += 1
    while low < high:
        middle = low + (high - low) // 2
        if _end_before(ends, middle, run.leads[bucket], run.keys, first):
            low = middle + 1
        else:
            high = middle
    return low


@jit
def _share(keys, first, stop, block, at):
    """Compare each key with the previous one; return the first that does not ascend, or -1."""
    words = keys.shape[1]
    for i in range(first, stop):
        word = 0
        while word < words - 1 and keys[i - 1, word] == keys[i, word]:
            word += 1
        before, here = keys[i - 1, word], keys[i, word]
        if before >= here:
            return i
        block[SHARED, at] = block[_ORDERS, 64 * (words - 1 - word) + top_bit(before ^ here)]
        at += 1
    return -1


@jit
def _measure_histories(keys, first, stop, order, bits, block, at):
    oldest = (np.uint64(1) << np.uint64(bits)) - np.uint64(1)
    for i in range(first, stop):
        block[HISTORY, at] = order - 1
        if not keys[i, keys.shape[1] - 1] & oldest:
            block[HISTORY, at] = history_length(keys, i, order, bits)
        at += 1


@jit
def _find_ends(ends, cursor, lead, keys, first, stop, block, at):
    """Match document ends with the windows of one lead."""
    size = len(ends.leads)
    while cursor < size and ends.leads[cursor] < lead:
        cursor += 1
    while first < stop and cursor < size and ends.leads[cursor] == lead:
        order = compare(ends.keys, cursor, keys, first)
        if order < 0:
            cursor += 1
        else:
            if order == 0:
                block[ENDED, at] = ends.counts[cursor]
            first += 1
            at += 1
    return cursor


@jit
def look_at(run, begin, end, bucket, ends, cursor, order, bits, path, pair, block):
    """Fill the block from windows [begin, end).

    `path` is [whether a window precedes, its lead, its key]. It moves to the last window.

    Return (the first window that does not ascend or -1, bucket, cursor).
    """
    keys, before, here = run.keys, np.int64(0), np.int64(1)
    for at in range(1, end - begin + 1):
        block[ENDED, at] = 0
    row = begin
    while row < end:
        while run.bounds[bucket + 1] <= row:
            bucket += 1
        lead = run.leads[bucket]
        stop = min(end, run.bounds[bucket + 1])
        at = row - begin + 1
        block[SHARED, at] = 0
        if path[0] and path[1] >= lead:
            copy_key(keys, row, pair, here)
            if path[1] > lead or _share(pair, here, here + 1, block, at) >= 0:
                return row, bucket, cursor
        bad = _share(keys, row + 1, stop, block, at + 1)
        if bad >= 0:
            return bad, bucket, cursor
        _measure_histories(keys, row, stop, order, bits, block, at)
        cursor = _find_ends(ends, cursor, lead, keys, row, stop, block, at)
        copy_key(keys, stop - 1, pair, before)
        path[0] = 1
        path[1] = lead
        row = stop
    for word in range(keys.shape[1]):
        path[2 + word] = pair[before, word]
    return -1, bucket, cursor
