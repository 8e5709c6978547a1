"""Arithmetic of context rows, as in scalars.hpp, contexts.hpp and siblings.hpp."""

from __future__ import annotations

import numpy as np

from icfast.backends.fallback.jit import U1, jit

_M1 = np.uint64(0x5555555555555555)
_M2 = np.uint64(0x3333333333333333)
_M4 = np.uint64(0x0F0F0F0F0F0F0F0F)
_ONES = np.uint64(0x0101010101010101)


@jit
def _ones(x):
    """Count the set bits."""
    x -= (x >> U1) & _M1
    x = (x & _M2) + ((x >> np.uint64(2)) & _M2)
    x = (x + (x >> np.uint64(4))) & _M4
    return np.int64((x * _ONES) >> np.uint64(56))


@jit
def stored_row(trie, node):
    """Return the row of a context, or -1 if the context is followed once."""
    marks = trie.marks[node // 64]
    bit = U1 << np.uint64(node % 64)
    if not marks[0] & bit:
        return np.int64(-1)
    return np.int64(1) + np.int64(marks[1]) + _ones(marks[0] & (bit - U1))


@jit
def _freed(discount, ones, twos, successors):
    freed = discount[1] * np.float64(ones) + discount[2] * np.float64(twos)
    return freed + discount[3] * np.float64(np.int64(successors) - np.int64(ones) - np.int64(twos))


@jit
def _row(trie, row, top):
    """Return (total, ones, twos, successors) of a context: raw counts at the top, else adjusted."""
    if row < 0:
        return np.int64(1), np.int64(1), np.int64(0), np.int64(1)
    c = trie.contexts[row]
    if top:
        return np.int64(c[0]), np.int64(c[2]), np.int64(c[3]), np.int64(c[1])
    return np.int64(c[4]), np.int64(c[5]), np.int64(c[6]), np.int64(c[1])


@jit
def _count(trie, n, node, top):
    """Return the count of the n-gram at this node, or -1 for node -1."""
    if node < 0:
        return np.int64(0)
    if top or (n > 1 and trie.symbols[node] == 0):
        return np.int64(trie.counts[node])
    return np.int64(trie.child[node + 1]) - np.int64(trie.child[node])


@jit
def level(trie, discounts, n, top, row, node, lower):
    """Return the interpolated probability of one level."""
    discount = discounts[1 if top else 0, n]
    total, ones, twos, successors = _row(trie, row, top)
    count = _count(trie, n, node, top)
    kept = max(np.float64(count) - discount[min(count, 3)], 0.0)
    return (kept + _freed(discount, ones, twos, successors) * lower) / np.float64(total)


@jit
def backoff(trie, discounts, n, top, row):
    """Return the backoff weight of a context of n - 1 symbols."""
    if row >= 0 and not trie.contexts[row, 0]:
        return 1.0
    total, ones, twos, successors = _row(trie, row, top)
    return _freed(discounts[1 if top else 0, n], ones, twos, successors) / np.float64(total)
