"""Suffix array by induced sorting, and match lengths: see csrc/cpu/counting/suffixes.cpp."""

from __future__ import annotations

import numpy as np

from icfast.backends.fallback.jit import OK, jit

#: Levels of sub-problems. Each has at most half the symbols of the previous level.
_LEVELS = 32


@jit
def _count_symbols(text, counts):
    counts[:] = 0
    for i in range(len(text)):
        counts[text[i]] += 1


@jit
def _to_heads(counts, edges):
    total = 0
    for c in range(len(counts)):
        edges[c] = total
        total += counts[c]


@jit
def _to_tails(counts, edges):
    total = 0
    for c in range(len(counts)):
        total += counts[c]
        edges[c] = total


@jit
def _leftmost_before(text, i):
    """Return the last leftmost S suffix before leftmost S suffix i (or the end), or -1."""
    while i > 0 and text[i - 1] >= text[i]:
        i -= 1
    while i > 0 and text[i - 1] <= text[i]:
        i -= 1
    return i if i > 0 else -1


@jit
def _sort_substrings(text, counts, edges, order):
    size = len(text)
    _to_heads(counts, edges)
    # The end of the text is the smallest suffix, and it places the last symbol.
    for r in range(-1, size):
        i = order[r] if r >= 0 else size - 1
        if i > 0:
            if r >= 0:
                order[r] = 0
            at = edges[text[i]]
            edges[text[i]] = at + 1
            order[at] = ~(i - 1) if text[i - 1] < text[i] else i - 1
        elif i < 0:
            order[r] = ~i
    _to_tails(counts, edges)
    for r in range(size - 1, -1, -1):
        i = order[r]
        if i > 0:
            order[r] = 0
            edges[text[i]] -= 1
            order[edges[text[i]]] = ~i if text[i - 1] > text[i] else i - 1


@jit
def _induce(text, counts, edges, order):
    size = len(text)
    _to_heads(counts, edges)
    for r in range(-1, size):
        i = order[r] if r >= 0 else size
        if r >= 0:
            order[r] = ~i
        if i > 0:
            i -= 1
            at = edges[text[i]]
            edges[text[i]] = at + 1
            order[at] = ~i if i > 0 and text[i - 1] < text[i] else i
    _to_tails(counts, edges)
    for r in range(size - 1, -1, -1):
        i = order[r]
        if i > 0:
            i -= 1
            edges[text[i]] -= 1
            order[edges[text[i]]] = ~i if i == 0 or text[i - 1] > text[i] else i
        else:
            order[r] = ~i


@jit
def _same(text, i, j, length):
    for k in range(length):
        if text[i + k] != text[j + k]:
            return False
    return True


@jit
def _name_substrings(text, order, substrings):
    """Name the sorted substrings at the end of order; return the number of names."""
    size = len(text)
    halves = order[substrings:]
    halves[:] = 0
    following = size
    i = _leftmost_before(text, size - 1)
    while i >= 0:
        halves[i >> 1] = 1 if following == size else following - i + 1
        following = i
        i = _leftmost_before(text, i)
    names, last, last_length = 0, 0, 0
    for r in range(substrings):
        i = order[r]
        length = halves[i >> 1]
        if length != last_length or not _same(text, i, last, length):
            names += 1
        last, last_length = i, length
        halves[i >> 1] = names
    to = size
    for at in range(size - 1, substrings - 1, -1):
        if order[at]:
            to -= 1
            order[to] = order[at] - 1
    return names


@jit
def _reduce(text, alphabet, order, work):
    """Sort and name the leftmost S substrings; return their number and the number of names."""
    counts, edges = work[:alphabet], work[alphabet : 2 * alphabet]
    _count_symbols(text, counts)
    _to_tails(counts, edges)
    order[:] = 0
    substrings = 0
    i = _leftmost_before(text, len(text) - 1)
    while i >= 0:
        edges[text[i]] -= 1
        order[edges[text[i]]] = i - 1
        substrings += 1
        i = _leftmost_before(text, i)
    if substrings == 0:
        return 0, 0
    _sort_substrings(text, counts, edges, order)
    kept = 0
    for r in range(len(text)):
        if order[r] < 0:
            order[kept] = ~order[r]
            kept += 1
    return substrings, _name_substrings(text, order, substrings)


@jit
def _expand(text, alphabet, order, substrings, work):
    """Sort all suffixes from the sorted leftmost S suffixes at the front of order."""
    counts, edges = work[:alphabet], work[alphabet : 2 * alphabet]
    _count_symbols(text, counts)
    _to_tails(counts, edges)
    order[substrings:] = 0
    for r in range(substrings - 1, -1, -1):
        i = order[r]
        order[r] = 0
        edges[text[i]] -= 1
        order[edges[text[i]]] = i
    _induce(text, counts, edges, order)


@jit
def sort_suffixes(symbols, alphabet, order, work):
    # numba does not cache recursive functions, so the levels are visited down, then up.
    sizes = np.zeros(_LEVELS, np.int64)
    alphabets = np.zeros(_LEVELS, np.int64)
    sizes[0], alphabets[0] = len(symbols), alphabet
    level = 0
    text = symbols
    while sizes[level]:
        size = sizes[level]
        substrings, names = _reduce(text, alphabets[level], order[:size], work)
        level += 1
        sizes[level], alphabets[level] = substrings, names
        if substrings == names:
            break
        text = order[size - substrings : size]
    for below in range(level, 0, -1):
        size, substrings = sizes[below - 1], sizes[below]
        text = order[sizes[below - 2] - size : sizes[below - 2]] if below > 1 else symbols
        if below < level:
            positions = order[size - substrings : size]
            i = size - 1
            for at in range(substrings - 1, -1, -1):
                i = _leftmost_before(text, i)
                positions[at] = i
            for r in range(substrings):
                order[r] = positions[order[r]]
        _expand(text, alphabets[below - 1], order[:size], substrings, work)
    return OK


@jit
def _link(order, links):
    """Write to links[2 i] and links[2 i + 1] the neighbours of suffix i, or -1."""
    last = -1
    for r in range(len(order)):
        i = order[r]
        links[2 * i] = last
        links[2 * i + 1] = -1
        if last >= 0:
            links[2 * last + 1] = i
        last = i


@jit
def match_lengths(symbols, separator, order, links):
    size = len(symbols)
    _link(order, links)
    shared = order
    common = 0
    for i in range(size):
        j = links[2 * i]
        while j >= 0 and symbols[i + common] == symbols[j + common]:
            common += 1
        shared[i] = common if j >= 0 else 0
        common = max(common - 1, 0)
    for i in range(size):
        k = links[2 * i + 1]
        length = 1 + max(shared[i], shared[k] if k >= 0 else 0)
        symbols[i] = length if symbols[i] < separator else 0
    for i in range(size - 1, -1, -1):
        j, k = links[2 * i], links[2 * i + 1]
        after = shared[k] if k >= 0 else 0
        length = 1 + max(shared[i], after)
        if k >= 0:
            shared[k] = min(shared[i], after)
            links[2 * k] = j
        if j >= 0:
            links[2 * j + 1] = k
        shared[i] = length if symbols[i] else 0
    return OK
