"""Keys of windows: u64 words, most significant first. The arithmetic of keys.hpp.

numba widens uint64 mixed with int64 to float64, so every shift and mask is u64 throughout.
"""

from __future__ import annotations

import numpy as np

from icfast.kernels.fallback.jit import U1, jit

_WORD_BITS = np.uint64(64)


@jit
def place(key, symbol, position):
    word = len(key) - 1 - position // 64
    offset = np.uint64(position % 64)
    key[word] |= np.uint64(symbol) << offset
    if offset > np.uint64(0) and word > 0:
        key[word - 1] |= np.uint64(symbol) >> (_WORD_BITS - offset)


@jit
def push(key, symbol, order, bits):
    if order == 1:
        return
    shift = np.uint64(bits)
    for i in range(len(key) - 1, 0, -1):
        key[i] = (key[i] >> shift) | (key[i - 1] << (_WORD_BITS - shift))
    key[0] >>= shift
    place(key, symbol, bits * (order - 2))


@jit
def symbol_at(key, i, order, bits):
    position = bits * (order - 1 - i)
    word = len(key) - 1 - position // 64
    offset = position % 64
    value = key[word] >> np.uint64(offset)
    if offset + bits > 64:
        value |= key[word - 1] << np.uint64(64 - offset)
    return np.int64(value & ((U1 << np.uint64(bits)) - U1))


@jit
def less(a, b):
    for w in range(len(a)):
        if a[w] != b[w]:
            return a[w] < b[w]
    return False


@jit
def equal(a, b):
    for w in range(len(a)):
        if a[w] != b[w]:
            return False
    return True


@jit
def top_bit(value):
    bit = 0
    for step in (32, 16, 8, 4, 2, 1):
        if value >> np.uint64(step):
            value >>= np.uint64(step)
            bit += step
    return bit


@jit
def shared_symbols(a, b, order, bits):
    words = len(a)
    for w in range(words):
        differing = a[w] ^ b[w]
        if differing:
            return max(0, order - 2 - (64 * (words - 1 - w) + top_bit(differing)) // bits)
    return order - 1


@jit
def history_length(key, order, bits):
    length = order - 1
    while length > 0 and symbol_at(key, length, order, bits) == 0:
        length -= 1
    return length
