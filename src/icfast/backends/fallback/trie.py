"""Build a trie from sorted windows, and the rows of its contexts."""

from __future__ import annotations

import numpy as np

from icfast.backends.fallback.contexts import stored_row
from icfast.backends.fallback.jit import OK, U1, jit
from icfast.backends.fallback.keys import symbol_at
from icfast.backends.fallback.scan import (
    BLOCK,
    ENDED,
    HISTORY,
    KNOWN,
    SHARED,
    look_at,
    new_block,
    place_end,
)

# Further rows of a block: the lead of each window, and the number of nodes before it.
_LEAD, _NODES_BEFORE = range(KNOWN, KNOWN + 2)


@jit
def _fill_leads(run, begin, end, bucket, block):
    for i in range(begin, end):
        while run.bounds[bucket + 1] <= i:
            bucket += 1
        block[_LEAD, i - begin + 1] = run.leads[bucket]


@jit
def _grow_order(n, order, bits, keys, counts, begin, end, block, cursors, trie, followed):
    """Append order n of windows [begin, end), after order n + 1; return (code, window, value)."""
    node = cursors[n - 1]
    symbols, totals, child = trie.symbols, trie.counts, trie.child
    for i in range(begin, end):
        at = i - begin + 1
        longer, block[_NODES_BEFORE, at] = block[_NODES_BEFORE, at], node
        # Symbols with more than one begin mark are no n-gram.
        if n > block[HISTORY, at] + 2:
            continue
        if n > block[SHARED, at]:
            if node >= trie.levels[n]:
                return 3, i, np.uint64(n)
            if n == 1:
                # Level 1 is indexed by rank, so every rank must have a window.
                if node != block[_LEAD, at]:
                    return 6, i, np.uint64(block[_LEAD, at])
                symbols[node] = node
            else:
                symbols[node] = symbol_at(keys, i, n - 1, order, bits)
            if n < order:
                child[node] = longer
            node += 1
        totals[node - 1] += counts[i]
        if n < order:
            followed[node - 1] += counts[i] - np.uint64(block[ENDED, at])
    cursors[n - 1] = node
    return OK


@jit
def grow_trie(run, ends, bits, path, cursors, trie, followed):
    order = len(trie.levels) - 1
    block, pair = new_block(KNOWN + 2, order, bits, path)
    bucket, cursor = np.int64(0), place_end(ends, run)
    for begin in range(run.bounds[0], run.bounds[-1], BLOCK):
        end = min(begin + BLOCK, run.bounds[-1])
        first = bucket
        bad, bucket, cursor = look_at(
            run, begin, end, bucket, ends, cursor, order, bits, path, pair, block
        )
        _fill_leads(run, begin, end, first, block)
        status = OK
        if bad >= 0:
            status = 4, bad, np.uint64(run.leads[bucket])
            end = bad
        for n in range(order, 0, -1):
            found = _grow_order(
                n, order, bits, run.keys, run.counts, begin, end, block, cursors, trie, followed
            )
            if found[0]:
                status = found
                end = found[1] + 1
        if status[0]:
            return status
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
def link_contexts(trie, bigrams, low, high, scratch):
    # This searches every context. The core groups n-grams by context in the scratch space.
    order = len(trie.levels) - 1
    if order == 1:
        return OK
    # For each order: the siblings to visit, and the position in their context's children.
    visit = np.zeros(order + 1, np.int64)
    visit_end = np.zeros(order + 1, np.int64)
    context_begin = np.zeros(order + 1, np.int64)
    context_end = np.zeros(order + 1, np.int64)
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
                context = seek(trie.symbols, context_begin[n], context_end[n], symbol)
                if context == context_end[n] or trie.symbols[context] != symbol:
                    return 5, ngram, np.uint64(symbol)
                context_begin[n] = context
            _add_successor(trie, n, ngram, context)
            if n < order:
                n += 1
                visit[n], visit_end[n] = trie.child[ngram], trie.child[ngram + 1]
                context_begin[n], context_end[n] = trie.child[context], trie.child[context + 1]
    return OK
