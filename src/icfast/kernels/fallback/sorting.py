"""Sorting inside a bucket, then equal keys to (key, count)."""

from __future__ import annotations

import numpy as np

from icfast.kernels.fallback.jit import OK, jit
from icfast.kernels.fallback.keys import equal, less


@jit
def _insertion_sort(keys, begin, end, held):
    for i in range(begin + 1, end):
        held[:] = keys[i]
        j = i
        while j > begin and less(held, keys[j - 1]):
            keys[j] = keys[j - 1]
            j -= 1
        keys[j] = held


@jit
def _byte_pass(source, source_at, target, target_at, size, word, shift, offsets):
    """One stable radix pass; False where the byte does not vary, and nothing was moved."""
    offsets[:] = 0
    for i in range(size):
        offsets[(source[source_at + i, word] >> shift) & np.uint64(0xFF)] += 1
    total = 0
    for digit in range(256):
        here = offsets[digit]
        if here == size:
            return False
        offsets[digit] = total
        total += here
    for i in range(size):
        digit = (source[source_at + i, word] >> shift) & np.uint64(0xFF)
        to = target_at + offsets[digit]
        offsets[digit] += 1
        for w in range(source.shape[1]):
            target[to, w] = source[source_at + i, w]
    return True


@jit
def _radix_sort(keys, begin, end, scratch, offsets):
    size = end - begin
    in_place = True
    for word in range(keys.shape[1] - 1, -1, -1):
        for byte in range(8):
            shift = np.uint64(8 * byte)
            if in_place:
                moved = _byte_pass(keys, begin, scratch, 0, size, word, shift, offsets)
            else:
                moved = _byte_pass(scratch, 0, keys, begin, size, word, shift, offsets)
            if moved:
                in_place = not in_place
    if not in_place:
        keys[begin:end] = scratch[:size]


@jit
def sort_runs(bounds, keys, counts, scratch, distinct):
    offsets = np.zeros(256, np.int64)
    held = np.zeros(keys.shape[1], np.uint64)
    out = bounds[0]
    for b in range(len(bounds) - 1):
        begin, end = bounds[b], bounds[b + 1]
        if end - begin < 64:
            _insertion_sort(keys, begin, end, held)
        else:
            _radix_sort(keys, begin, end, scratch, offsets)
        before = out
        i = begin
        while i < end:
            held[:] = keys[i]
            j = i + 1
            while j < end and equal(keys[j], held):
                j += 1
            keys[out] = held
            counts[out - bounds[0]] = j - i
            out += 1
            i = j
        distinct[b] = out - before
    return OK
