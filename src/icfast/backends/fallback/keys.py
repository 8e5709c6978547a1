"""Arithmetic of keys, as in keys.hpp. A key is u64 words, most significant first.

Functions take the array of keys and a row number, because slicing a row out counts references.
numba converts uint64 mixed with int64 to float64, so every shift and mask is uint64.
"""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from icfast.backends.fallback.jit import U1, jit

_WORD_BITS = np.uint64(64)


@jit
def place(keys, row, symbol, position):
    word = keys.shape[1] - 1 - position // 64
    offset = np.uint64(position % 64)
    keys[row, word] |= np.uint64(symbol) << offset
    if offset > np.uint64(0) and word > 0:
        keys[row, word - 1] |= np.uint64(symbol) >> (_WORD_BITS - offset)


@jit
def push(keys, row, symbol, order, bits):
    if order == 1:
        return
    shift = np.uint64(bits)
    for i in range(keys.shape[1] - 1, 0, -1):
        carried = keys[row, i - 1] << (_WORD_BITS - shift)
        keys[row, i] = (keys[row, i] >> shift) | carried
    keys[row, 0] >>= shift
    place(keys, row, symbol, bits * (order - 2))


@jit
def symbol_at(keys, row, i, order, bits):
    position = bits * (order - 1 - i)
    word = keys.shape[1] - 1 - position // 64
    offset = position % 64
    value = keys[row, word] >> np.uint64(offset)
    if offset + bits > 64:
        value |= keys[row, word - 1] << np.uint64(64 - offset)
    return np.int64(value & ((U1 << np.uint64(bits)) - U1))


@jit
def copy_key(a, i, b, j):
    for w in range(a.shape[1]):
        b[j, w] = a[i, w]


@jit
def compare(a, i, b, j):
    """Return -1, 0 or 1 if a[i] is less than, equal to or greater than b[j]."""
    for w in range(a.shape[1]):
        if a[i, w] != b[j, w]:
            return -1 if a[i, w] < b[j, w] else 1
    return 0


@intrinsic
def _leading_zeros(typing, value):
    def generate(context, builder, signature, arguments):
        return builder.ctlz(arguments[0], ir.Constant(ir.IntType(1), 0))

    return types.uint64(types.uint64), generate


@jit
def top_bit(value):
    return 63 - np.int64(_leading_zeros(value))


@jit
def shared_symbols(keys, i, j, order, bits):
    words = keys.shape[1]
    for w in range(words):
        differing = keys[i, w] ^ keys[j, w]
        if differing:
            return max(0, order - 2 - (64 * (words - 1 - w) + top_bit(differing)) // bits)
    return order - 1


@jit
def history_length(keys, row, order, bits):
    length = order - 1
    while length > 0 and symbol_at(keys, row, length, order, bits) == 0:
        length -= 1
    return length
