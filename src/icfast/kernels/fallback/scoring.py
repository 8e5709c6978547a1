"""Held-out loss of documents under the order-k Kneser-Ney models of one trie."""

from __future__ import annotations

import numpy as np

from icfast.kernels.fallback.jit import OK, U1, jit
from icfast.kernels.fallback.trie import seek

UNKNOWN = 0xFFFFFFFF


@jit
def _walk(trie, rank, history, known, nodes):
    """Nodes of the n-grams ending in this symbol; returns how many orders were found."""
    if rank == UNKNOWN:
        return 0
    nodes[1] = rank
    depth = 1
    while depth <= known:
        begin, end = np.int64(trie.child[nodes[depth]]), np.int64(trie.child[nodes[depth] + 1])
        symbol = history[depth - 1]
        child = seek(trie.symbols, begin, end, symbol)
        if child == end or trie.symbols[child] != symbol:
            break
        depth += 1
        nodes[depth] = child
    return depth


@jit
def _discounted(discount, count, total, ones, twos, successors, lower):
    kept = np.float64(count) - discount[min(np.int64(count), 3)]
    freed = discount[1] * np.float64(ones) + discount[2] * np.float64(twos)
    freed += discount[3] * np.float64(np.int64(successors) - np.int64(ones) - np.int64(twos))
    return (max(kept, 0.0) + freed * lower) / np.float64(total)


@jit
def _context_row(trie, nodes, depth, n):
    """Row of the order-n context, or -1 where nothing ever followed it."""
    if n == 1:
        return 0
    if n - 1 > depth:
        return -1
    row = nodes[n - 1] + 1
    return row if trie.contexts[row, 0] else -1


@jit
def _adjusted_count(trie, nodes, depth, n):
    if n > depth:
        return np.int64(0)
    node = nodes[n]
    if n > 1 and trie.symbols[node] == 0:
        return np.int64(trie.counts[node])
    return np.int64(trie.child[node + 1]) - np.int64(trie.child[node])


@jit
def _probabilities(trie, discounts, uniform, nodes, depth, context, context_depth, first, out):
    """out[k] = probability under the order-k model, for k = first..N."""
    order = len(trie.levels) - 1
    below = uniform
    for k in range(1, order + 1):
        row = _context_row(trie, context, context_depth, k)
        if row < 0:
            out[k] = below
            continue
        c = trie.contexts[row]
        if k >= first:
            count = np.int64(trie.counts[nodes[k]]) if k <= depth else np.int64(0)
            out[k] = _discounted(discounts[1, k], count, c[0], c[2], c[3], c[1], below)
        if k < order:
            adjusted = _adjusted_count(trie, nodes, depth, k)
            below = _discounted(discounts[0, k], adjusted, c[4], c[5], c[6], c[1], below)


@jit
def _score_document(piece, alphabet, trie, discounts, uniform, out, d):
    order = len(trie.levels) - 1
    first = 1 if out.low.shape[1] == order else order
    nodes, context = np.zeros(order + 1, np.int64), np.zeros(order + 1, np.int64)
    probability = np.zeros(order + 1, np.float64)
    history = np.zeros(order, np.int64)
    known = context_depth = min(1, order - 1)
    marks = 1 if alphabet.end_rank else 0
    for t in range(piece.starts[d], piece.stops[d] + marks):
        rank = np.int64(alphabet.end_rank)
        if t < piece.stops[d]:
            token = np.int64(piece.tokens[t])
            if token >= len(alphabet.ranks):
                return 1, t, np.uint64(token)
            rank = np.int64(alphabet.ranks[token])
            if rank == 0:
                rank = np.int64(UNKNOWN)
                out.oov[d] += U1
        depth = _walk(trie, rank, history, known, nodes)
        _probabilities(
            trie, discounts, uniform, nodes, depth, context, context_depth, first, probability
        )
        for k in range(first, order + 1):
            if probability[k] <= 0.0:
                out.infinite[d, k - first] += U1
                continue
            quanta = np.uint64(np.rint(-np.log(probability[k]) * 4294967296.0))
            out.low[d, k - first] += quanta
            if out.low[d, k - first] < quanta:
                out.high[d, k - first] += U1
        out.predicted[d] += U1
        known = min(known + 1, order - 1)
        for i in range(known - 1, 0, -1):
            history[i] = history[i - 1]
        history[0] = rank
        context[:] = nodes
        context_depth = depth
    return OK


@jit
def score_ngrams(piece, alphabet, trie, discounts, uniform, out):
    out.low[:] = 0
    out.high[:] = 0
    out.predicted[:] = 0
    out.oov[:] = 0
    out.infinite[:] = 0
    for d in range(len(piece.starts)):
        status = _score_document(piece, alphabet, trie, discounts, uniform, out, d)
        if status[0]:
            return status
    return OK
