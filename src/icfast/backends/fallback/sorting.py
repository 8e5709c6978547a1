"""Sort the keys of each bucket and replace equal keys by (key, count).

Radix sort with 11-bit digits, or 8-bit digits for buckets too small for tables of 2048 offsets;
insertion sort for the smallest buckets. One pass counts the digits of all passes, and constant
digits are skipped. Keys of several words are sorted by the first word, then ties by the next word:
the first word distinguishes most keys.
"""

from __future__ import annotations

import numpy as np

from icfast.backends.fallback.jit import OK, jit
from icfast.backends.fallback.keys import compare, copy_key, top_bit

#: Smallest buckets that are sorted by digits, and by 11-bit digits.
_BY_DIGITS = 64
_BY_LARGE_DIGITS = 1024

_ONE = np.uint32(1)


@jit
def _insertion_sort(keys, begin, end, held):
    only = np.int64(0)
    for i in range(begin + 1, end):
        copy_key(keys, i, held, only)
        j = i
        while j > begin and compare(held, only, keys, j - 1) < 0:
            copy_key(keys, j - 1, keys, j)
            j -= 1
        copy_key(held, only, keys, j)


@jit
def _count_digits(keys, size, words, word, bits, offsets):
    """Count in offsets[d, v] the keys whose digit d of this word is v."""
    if bits == 8:
        for i in range(size):
            value = keys[i * words + word]
            for d in range(8):
                offsets[d, (value >> np.uint64(8 * d)) & np.uint64(0xFF)] += _ONE
        return
    mask = np.uint64(0x7FF)
    for i in range(size):
        value = keys[i * words + word]
        offsets[0, value & mask] += _ONE
        offsets[1, (value >> np.uint64(11)) & mask] += _ONE
        offsets[2, (value >> np.uint64(22)) & mask] += _ONE
        offsets[3, (value >> np.uint64(33)) & mask] += _ONE
        offsets[4, (value >> np.uint64(44)) & mask] += _ONE
        offsets[5, value >> np.uint64(55)] += _ONE


@jit
def _move_by_digit(source, target, size, words, word, shift, offsets):
    mask = np.uint64(len(offsets) - 1)
    if words == 1:
        for i in range(size):
            key = source[i]
            digit = (key >> shift) & mask
            to = offsets[digit]
            offsets[digit] = to + _ONE
            target[np.uint64(to)] = key
        return
    for i in range(size):
        digit = (source[i * words + word] >> shift) & mask
        to = np.uint64(offsets[digit]) * np.uint64(words)
        offsets[digit] += _ONE
        for w in range(words):
            target[to + np.uint64(w)] = source[i * words + w]


@jit
def _radix_sort(keys, scratch, size, words, word, offsets):
    """Sort the first keys by one of their words."""
    bits = 11 if size >= _BY_LARGE_DIGITS else 8
    digits = -(-64 // bits)
    offsets = offsets[: digits << bits].reshape(digits, 1 << bits)
    offsets[:] = 0
    _count_digits(keys, size, words, word, bits, offsets)
    source, target = keys, scratch
    passes = 0
    for d in range(digits):
        shift = np.uint64(bits * d)
        places = offsets[d]
        if places[(source[word] >> shift) & np.uint64((1 << bits) - 1)] == size:
            continue
        total = np.uint32(0)
        for digit in range(1 << bits):
            here = places[digit]
            places[digit] = total
            total += here
        _move_by_digit(source, target, size, words, word, shift, places)
        source, target = target, source
        passes += 1
    if passes % 2:
        for i in range(size * words):
            keys[i] = scratch[i]


@jit
def _end_of_equal(keys, i, end, words):
    """Return the end of the keys whose first `words` words equal those of key i."""
    i += 1
    while i < end:
        for w in range(words):
            if keys[i, w] != keys[i - 1, w]:
                return i
        i += 1
    return i


@jit
def _sort_bucket(keys, begin, end, scratch, offsets, held):
    words = keys.shape[1]
    for word in range(words):
        i = begin
        while i < end:
            j = _end_of_equal(keys, i, end, word) if word else end
            if j - i < _BY_DIGITS:
                _insertion_sort(keys, i, j, held)
            else:
                flat = keys[i:j].reshape((j - i) * words)
                _radix_sort(flat, scratch, j - i, words, word, offsets)
            i = j
        if end - begin < _BY_DIGITS:
            return


@jit
def _pack(keys, begin, end, out, stops):
    """Move one key of each group of equal keys to `out`, and write the ends of the groups to stops.

    There are no branches, since whether a key is new can't be predicted. A key overwrites the
    previous one unless it is new.
    """
    words = keys.shape[1]
    for w in range(words):
        keys[out, w] = keys[begin, w]
    run = 0
    if words == 1:
        before = keys[begin, 0]
        for i in range(begin + 1, end):
            key = keys[i, 0]
            stops[run] = i
            run += key != before
            keys[out + run, 0] = key
            before = key
    else:
        for i in range(begin + 1, end):
            differing = np.uint64(0)
            for w in range(words):
                differing |= keys[i, w] ^ keys[i - 1, w]
            stops[run] = i
            run += differing != 0
            for w in range(words):
                keys[out + run, w] = keys[i, w]
    stops[run] = end
    return run + 1


@jit
def sort_runs(bounds, keys, counts, scratch, distinct):
    offsets = np.empty(6 << 11, np.uint32)
    held = np.empty((1, keys.shape[1]), np.uint64)
    flat = scratch.reshape(scratch.size)
    out = bounds[0]
    for b in range(len(bounds) - 1):
        begin, end = bounds[b], bounds[b + 1]
        distinct[b] = 0
        if begin < end:
            _sort_bucket(keys, begin, end, flat, offsets, held)
            found = counts[out - bounds[0] :]
            distinct[b] = _pack(keys, begin, end, out, found)
            for i in range(distinct[b]):
                stop = found[i]
                found[i] = stop - np.uint64(begin)
                begin = stop
        out += distinct[b]
    return OK


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
def split_keys(keys, largest, bounds):
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
