"""Losses of documents under the order-k Kneser-Ney models of one trie, token by token."""

from __future__ import annotations

import numpy as np

from icfast.backends.fallback.contexts import backoff, level, stored_row
from icfast.backends.fallback.jit import OK, U1, jit
from icfast.backends.fallback.trie import seek
from icfast.backends.models import OPEN_LOSS

UNKNOWN = 0xFFFFFFFF
OPEN = np.uint64(OPEN_LOSS)


@jit
def _walk(trie, rank, history, known, nodes):
    """Find the nodes of the n-grams that end in this symbol; return the number of orders found."""
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
def _row_of(trie, context, n):
    """Return the row of the order-n context, which the previous token's search has found."""
    return np.int64(0) if n == 1 else stored_row(trie, context[n - 1])


@jit
def _probabilities(trie, discounts, uniform, nodes, depth, context, context_depth, first, out):
    """Write out[k], the probability under the order-k model, for k = first..N.

    It is the probability of the longest n-gram times the backoffs of longer contexts, multiplied
    from the longest context on.
    """
    order = len(trie.levels) - 1
    longest = max(depth, 1)
    below = np.zeros(order + 1, np.float64)
    below[0] = uniform
    for k in range(1, order + 1):
        if k <= longest:
            row, node = _row_of(trie, context, k), nodes[k] if k <= depth else -1
            if k >= first:
                out[k] = level(trie, discounts, k, True, row, node, below[k - 1])
            if k < order:
                below[k] = level(trie, discounts, k, False, row, node, below[k - 1])
        elif k >= first:
            product = 1.0
            for n in range(min(k, context_depth + 1), longest, -1):
                product *= backoff(trie, discounts, n, n == k, _row_of(trie, context, n))
            out[k] = below[longest] * product


@jit
def loss_of(probability):
    """Return the loss in units of 2^-32 nat, or OPEN if it is infinite.

    A forged model can give a probability above 1. Its loss must not have the bit of OPEN.
    """
    if not probability > 0.0:
        return OPEN
    return np.uint64(np.int64(np.rint(-np.log(probability) * 4294967296.0))) & ~OPEN


@jit
def add_quanta(quanta, out, d, column):
    out.low[d, column] += quanta
    if out.low[d, column] < quanta:
        out.high[d, column] += U1


@jit
def add_nats(probability, out, d, column):
    """Add one symbol's loss to a document's sum."""
    loss = loss_of(probability)
    if loss == OPEN:
        out.infinite[d, column] += U1
    else:
        add_quanta(loss, out, d, column)


@jit
def clear(out):
    out.low[:] = 0
    out.high[:] = 0
    out.predicted[:] = 0
    out.oov[:] = 0
    out.infinite[:] = 0


@jit
def _score_document(chunk, alphabet, trie, discounts, uniform, out, d):
    order = len(trie.levels) - 1
    first = 1 if out.low.shape[1] == order else order
    nodes, context = np.zeros(order + 1, np.int64), np.zeros(order + 1, np.int64)
    probability = np.zeros(order + 1, np.float64)
    history = np.zeros(order, np.int64)
    known = context_depth = min(1, order - 1)
    marks = 1 if alphabet.end_rank else 0
    for t in range(chunk.starts[d], chunk.stops[d] + marks):
        rank = np.int64(alphabet.end_rank)
        if t < chunk.stops[d]:
            token = np.int64(chunk.tokens[t])
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
            add_nats(probability[k], out, d, k - first)
        out.predicted[d] += U1
        known = min(known + 1, order - 1)
        for i in range(known - 1, 0, -1):
            history[i] = history[i - 1]
        history[0] = rank
        context[:] = nodes
        context_depth = depth
    return OK


@jit
def score_ngrams(chunk, alphabet, trie, discounts, uniform, out):
    clear(out)
    for d in range(len(chunk.starts)):
        status = _score_document(chunk, alphabet, trie, discounts, uniform, out, d)
        if status[0]:
            return status
    return OK
