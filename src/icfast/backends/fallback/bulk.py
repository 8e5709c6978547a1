"""Bulk scoring: weights of all n-grams, matches of sorted windows, losses from their records."""

from __future__ import annotations

import numpy as np

from icfast.backends.fallback.contexts import backoff, level, stored_row
from icfast.backends.fallback.jit import OK, U1, jit
from icfast.backends.fallback.keys import compare, shared_symbols, symbol_at
from icfast.backends.fallback.scoring import OPEN, add_quanta, clear, loss_of
from icfast.backends.fallback.sorting import sort_runs
from icfast.backends.fallback.trie import seek

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)


@jit
def _unigram(trie, discounts, uniform, word):
    node = word if word else -1
    return level(trie, discounts, 1, len(trie.levels) == 2, np.int64(0), node, uniform)


@jit
def _back_off(trie, discounts, low, high, backoffs):
    """Write the weights of contexts [low, high): contexts with equal last symbols are adjacent."""
    order = len(trie.levels) - 1
    begin, end = np.int64(low), np.int64(high)
    for n in range(2, order + 1):
        for node in range(begin, end):
            backoffs[node] = backoff(trie, discounts, n, n == order, stored_row(trie, node))
        if n < order:
            begin, end = np.int64(trie.child[begin]), np.int64(trie.child[end])


@jit
def weigh_ngrams(trie, bigrams, discounts, uniform, low, high, scratch, probabilities, backoffs):
    order = len(trie.levels) - 1
    for word in range(low, high):
        probabilities[word] = _unigram(trie, discounts, uniform, word)
    if order == 1:
        return OK
    _back_off(trie, discounts, low, high, backoffs)
    # As in link_contexts: for each order, the siblings to visit and the range of their contexts.
    visit, visit_end = np.zeros(order + 1, np.int64), np.zeros(order + 1, np.int64)
    context_begin, context_end = np.zeros(order + 1, np.int64), np.zeros(order + 1, np.int64)
    lower = np.zeros(order + 1, np.float64)
    for word in range(trie.levels[1]):
        visit_end[2] = trie.child[word + 1]
        visit[2] = seek(trie.symbols, np.int64(trie.child[word]), visit_end[2], low)
        lower[1] = _unigram(trie, discounts, uniform, word)
        n = 2
        while n >= 2:
            ngram = visit[n]
            if ngram == visit_end[n] or (n == 2 and trie.symbols[ngram] >= high):
                n -= 1
                continue
            visit[n] += 1
            symbol = trie.symbols[ngram]
            context = np.int64(symbol)
            if n > 2:
                context = seek(trie.symbols, context_begin[n], context_end[n], symbol)
                if context == context_end[n] or trie.symbols[context] != symbol:
                    return 5, ngram, np.uint64(symbol)
                context_begin[n] = context
            row = stored_row(trie, context)
            lower[n] = level(trie, discounts, n, n == order, row, ngram, lower[n - 1])
            probabilities[ngram] = lower[n]
            if n < order:
                n += 1
                visit[n], visit_end[n] = trie.child[ngram], trie.child[ngram + 1]
                context_begin[n], context_end[n] = trie.child[context], trie.child[context + 1]
    return OK


@jit
def _descend(trie, keys, row, bits, depth, nodes, following):
    """Follow a window's history down the trie from nodes[depth]; return the depth reached."""
    order = len(trie.levels) - 1
    while depth < order:
        symbol = symbol_at(keys, row, depth, order, bits)
        end = np.int64(trie.child[nodes[depth] + 1])
        child = seek(trie.symbols, following[depth], end, symbol)
        following[depth] = child
        if child == end or trie.symbols[child] != symbol:
            return depth
        depth += 1
        nodes[depth] = child
        if depth < order:
            following[depth] = np.int64(trie.child[child])
    return depth


@jit
def _record(order, weights, depth, nodes, record):
    """Write a record, and its loss if the window is matched completely."""
    record[0] = weights.probabilities[nodes[depth] if depth else 0]
    record[1:order] = 1.0
    product = 1.0
    for k in range(min(depth, order - 1), 0, -1):
        product *= weights.backoffs[nodes[k]]
        record[k] = product
    longest = max(depth, 1)
    return loss_of(record[0]) if longest == order else OPEN | np.uint64(longest)


@jit
def _slot(key, mask):
    value = key[0]
    for w in range(1, len(key)):
        value = (value * _GOLDEN) ^ key[w]
    value *= _GOLDEN
    return np.int64((value >> np.uint64(32)) & mask)


@jit
def _look_up(keys, distinct, number, table, base, index):
    """Find the row of each key among the distinct keys with a hash table of positions + 1."""
    slots = 2
    while slots < 2 * number:
        slots *= 2
    mask = np.uint64(slots - 1)
    table[:slots] = 0
    for i in range(number):
        slot = _slot(distinct[i], mask)
        while table[slot]:
            slot = (slot + 1) & (slots - 1)
        table[slot] = i + 1
    for i in range(len(keys)):
        slot = _slot(keys[i], mask)
        while compare(distinct, np.int64(table[slot]) - 1, keys, i) != 0:
            slot = (slot + 1) & (slots - 1)
        index[i] = base + np.int64(table[slot]) - 1


@jit
def match_windows(leads, bounds, keys, bits, trie, weights, scratch, matches):
    order = len(trie.levels) - 1
    nodes, following = np.zeros(order + 1, np.int64), np.zeros(order + 1, np.int64)
    found = np.zeros(1, np.int64)
    row = bounds[0]
    for b in range(len(leads)):
        bucket = keys[bounds[b] : bounds[b + 1]]
        size = len(bucket)
        if not size:
            continue
        if size > 2**31 - 1 or row + size > 2**32 - 1:
            return 3, b, np.uint64(size)
        distinct = scratch.keys[:size]
        distinct[:] = bucket
        counts = np.empty(size, np.uint64)
        sort_runs(np.array([0, size]), distinct, counts, scratch.keys[size : 2 * size], found)
        number = found[0]
        lead = np.int64(leads[b])
        known = lead < trie.levels[1]
        nodes[1] = lead
        depth = 1 if known else 0
        if known and order > 1:
            following[1] = np.int64(trie.child[lead])
        for i in range(number):
            shared = shared_symbols(distinct, i - 1, i, order, bits) if i else 0
            if known and depth > shared:  # a failed search fails again
                depth = _descend(trie, distinct, i, bits, shared + 1, nodes, following)
            matches.losses[row + i] = _record(
                order, weights, depth, nodes, matches.records[row + i]
            )
        index = matches.rows[bounds[b] : bounds[b + 1]]
        _look_up(bucket, distinct, number, scratch.table, row, index)
        row += number
    return OK


@jit
def score_windows(chunk, alphabet, unknown, offsets, matches, begin_backoff, out):
    clear(out)
    order = alphabet.order
    begin = np.ones(order, np.float64)
    if order > 1:
        begin[1] = begin_backoff
    marks = 1 if alphabet.end_rank else 0
    for d in range(len(chunk.starts)):
        context = begin
        for t in range(chunk.starts[d], chunk.stops[d] + marks):
            rank = np.int64(alphabet.end_rank)
            if t < chunk.stops[d]:
                token = np.int64(chunk.tokens[t])
                if token >= len(alphabet.ranks):
                    return 1, t, np.uint64(token)
                rank = np.int64(alphabet.ranks[token])
                if rank >= unknown:
                    out.oov[d] += U1
            row = matches.rows[offsets[rank]]
            offsets[rank] += 1
            loss = matches.losses[row]
            record = matches.records[row]
            if loss > OPEN:
                loss = loss_of(record[0] * context[np.int64(loss - OPEN)])
                matches.losses[row] = loss
            if loss == OPEN:
                out.infinite[d, 0] += U1
            else:
                add_quanta(loss, out, d, 0)
            out.predicted[d] += U1
            context = record
    return OK
