"""Sorting inside a bucket, then equal keys to (key, count)."""

from __future__ import annotations

import numpy as np

from icfast.kernels.fallback.jit import OK, jit
from icfast.kernels.fallback.keys import equal, less, top_bit


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
def _digit_of(key, position):
    word = len(key) - 1 - position // 64
    offset = position % 64
    value = key[word] >> np.uint64(offset)
    if offset > 56 and word > 0:
        value |= key[word - 1] << np.uint64(64 - offset)
    return np.int64(value & np.uint64(0xFF))


@jit
def _top_varying_bit(keys):
    words = keys.shape[1]
    for w in range(words):
        varying = np.uint64(0)
        for i in range(1, len(keys)):
            varying |= keys[i, w] ^ keys[0, w]
        if varying:
            return 64 * (words - 1 - w) + top_bit(varying)
    return -1


@jit
def split_keys(keys, bounds):
    bounds[:] = len(keys)
    bounds[0] = 0
    top = _top_varying_bit(keys)
    if top < 0:
        return OK
    position = max(0, top - 7)
    sizes = np.zeros(256, np.int64)
    for i in range(len(keys)):
        sizes[_digit_of(keys[i], position)] += 1
    for d in range(256):
        bounds[d + 1] = bounds[d] + sizes[d]
    following = bounds[:256].copy()
    for d in range(256):
        while following[d] < bounds[d + 1]:
            here = following[d]
            home = _digit_of(keys[here], position)
            if home == d:
                following[d] += 1
                continue
            there = following[home]
            for w in range(keys.shape[1]):
                keys[here, w], keys[there, w] = keys[there, w], keys[here, w]
            following[home] += 1
    return OK


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
