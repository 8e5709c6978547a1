"""The n-grams of sorted windows as levels of a trie, and what contexts know of successors."""

from __future__ import annotations

import numpy as np

from icfast.kernels.fallback.contexts import stored_row
from icfast.kernels.fallback.jit import OK, U1, jit
from icfast.kernels.fallback.keys import history_length, symbol_at
from icfast.kernels.fallback.scan import ended_here, move_to, place_end, shared_orders


@jit
def _open_nodes(trie, cursors, lead, key, bits, shared, deepest):
    """A node for each order the window does not share with the last one; (code, value)."""
    order = len(trie.levels) - 1
    for n in range(shared + 1, deepest + 1):
        node = cursors[n - 1]
        cursors[n - 1] = node + 1
        if node >= trie.levels[n]:
            return 3, n
        if n == 1 and node != lead:
            return 6, np.int64(lead)
        trie.symbols[node] = lead if n == 1 else symbol_at(key, n - 1, order, bits)
        if n < order:
            trie.child[node] = cursors[n]
    return 0, 0


@jit
def grow_trie(run, ends, bits, path, cursors, trie, followed):
    order = len(trie.levels) - 1
    cursor = -1
    for b in range(len(run.leads)):
        lead = run.leads[b]
        for i in range(run.bounds[b], run.bounds[b + 1]):
            key = run.keys[i]
            shared = shared_orders(path, lead, key, order, bits)
            if shared < 0:
                return 4, i, np.uint64(lead)
            move_to(path, lead, key)
            deepest = min(order, history_length(key, order, bits) + 2)
            code, value = _open_nodes(trie, cursors, lead, key, bits, shared, deepest)
            if code:
                return code, i, np.uint64(value)
            if cursor < 0:
                cursor = place_end(ends, lead, key)
            cursor, ended = ended_here(ends, cursor, lead, key)
            for n in range(1, deepest + 1):
                node = cursors[n - 1] - 1
                trie.counts[node] += run.counts[i]
                if n < order:
                    followed[node] += run.counts[i] - ended
    return OK


@jit
def mark_contexts(trie, followed):
    following = 1
    for node in range(trie.levels[-2]):
        marks = trie.marks[node // 64]
        if node % 64 == 0:
            marks[0], marks[1] = 0, following - 1
        if followed[node] == 1:
            continue
        if following >= len(trie.contexts):
            return 3, node, np.uint64(0)
        marks[0] |= U1 << np.uint64(node % 64)
        trie.contexts[following, 0] = followed[node]
        following += 1
    return OK


@jit
def seek(symbols, low, high, symbol):
    while low < high:
        middle = low + (high - low) // 2
        if symbols[middle] < symbol:
            low = middle + 1
        else:
            high = middle
    return low


@jit
def _add_successor(trie, n, ngram, context):
    at = stored_row(trie, context)
    if at < 0:
        return
    row = trie.contexts[at]
    count = trie.counts[ngram]
    row[1] += 1
    row[2] += count == 1
    row[3] += count == 2
    if n == len(trie.levels) - 1:
        return
    adjusted = count if trie.symbols[ngram] == 0 else trie.child[ngram + 1] - trie.child[ngram]
    row[4] += adjusted
    row[5] += adjusted == 1
    row[6] += adjusted == 2


@jit
def link_contexts(trie, bigrams, low, high, room):
    # Searches every context; the core, which deals n-grams out, uses the bigrams and the room.
    order = len(trie.levels) - 1
    if order == 1:
        return OK
    # Per order: the n-gram siblings still to visit, and where in its context's children we are.
    visit = np.zeros(order + 1, np.int64)
    visit_end = np.zeros(order + 1, np.int64)
    beside = np.zeros(order + 1, np.int64)
    beside_end = np.zeros(order + 1, np.int64)
    for word in range(trie.levels[1]):
        visit_end[2] = trie.child[word + 1]
        visit[2] = seek(trie.symbols, np.int64(trie.child[word]), visit_end[2], low)
        n = 2
        while n >= 2:
            ngram = visit[n]
            if ngram == visit_end[n] or (n == 2 and trie.symbols[ngram] >= high):
                n -= 1
                continue
            visit[n] += 1
            symbol = trie.symbols[ngram]
            if n == 2:
                context = np.int64(symbol)
            else:
                context = seek(trie.symbols, beside[n], beside_end[n], symbol)
                if context == beside_end[n] or trie.symbols[context] != symbol:
                    return 5, ngram, np.uint64(symbol)
                beside[n] = context
            _add_successor(trie, n, ngram, context)
            if n < order:
                n += 1
                visit[n], visit_end[n] = trie.child[ngram], trie.child[ngram + 1]
                beside[n], beside_end[n] = trie.child[context], trie.child[context + 1]
    return OK
