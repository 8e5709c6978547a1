"""Losses of documents under a compressed model, token by token."""

from __future__ import annotations

import numpy as np

from icfast.backends.fallback.jit import OK, U1, jit
from icfast.backends.fallback.scoring import UNKNOWN, clear

_SAMPLE_SHIFT = 6  # log2 of validate.SAMPLE


@jit
def _read(words, at, width):
    """Return bits [at, at + width) of the words."""
    word, shift = at >> 6, np.uint64(at & 63)
    bits = words[word] >> shift
    if shift:
        bits |= words[word + 1] << (np.uint64(64) - shift)
    return np.int64(bits & ((U1 << np.uint64(width)) - U1))


@jit
def _code(trie, n, node, which):
    """Return the loss (which = 0) or the backoff (1) of an n-gram of order n >= 2."""
    width, record, begin = trie.layout[n - 2]
    codes, bits = trie.codebooks.shape[2], 0
    while (1 << bits) < codes:
        bits += 1
    at = begin + (node - trie.levels[n - 1]) * record + width + which * bits
    return trie.codebooks[n - 2, which, _read(trie.records, at, bits)]


@jit
def _next_set_bit(words, at):
    while not (words[at >> 6] >> np.uint64(at & 63)) & U1:
        at += 1
        while not at & 63 and not words[at >> 6]:
            at += 64
    return at


@jit
def _children(trie, n, node):
    if n == 1:
        return trie.unigrams[node, 2], trie.unigrams[node + 1, 2]
    number = node - trie.levels[1]
    at = np.int64(trie.samples[number >> _SAMPLE_SHIFT])
    for _ in range(number & ((1 << _SAMPLE_SHIFT) - 1)):
        at = _next_set_bit(trie.children, at + 1)
    begin = trie.levels[2] + at - number
    return begin, begin + _next_set_bit(trie.children, at + 1) - at - 1


@jit
def _find(trie, n, begin, end, place):
    """Find the n-gram of a range with this context position, or return -1. Positions ascend."""
    width, record, first = trie.layout[n - 2]
    first -= trie.levels[n - 1] * record
    escape = (np.int64(1) << width) - 1
    wanted = min(place, escape)
    low, high = begin, end
    while low < high:
        middle = low + (high - low) // 2
        if _read(trie.records, first + middle * record, width) < wanted:
            low = middle + 1
        else:
            high = middle
    if low == end or _read(trie.records, first + low * record, width) != wanted:
        return np.int64(-1)
    if place < escape:
        return low
    at = np.searchsorted(trie.exceptions, low)
    places = trie.exception_places[at : at + end - low]
    found = np.searchsorted(places, np.uint32(place))
    return low + found if found < len(places) and places[found] == place else np.int64(-1)


@jit
def _walk(trie, rank, known, context_places, nodes, places):
    """Find the n-grams that end in this symbol; return the number of orders found."""
    if rank == UNKNOWN:
        return 0
    order = len(trie.levels) - 1
    nodes[1] = places[1] = rank
    depth = 1
    while depth < order and depth <= known:
        begin, end = _children(trie, depth, nodes[depth])
        found = _find(trie, depth + 1, begin, end, context_places[depth])
        if found < 0:
            break
        depth += 1
        nodes[depth] = found
        places[depth] = found - begin
    return depth


@jit
def _loss(trie, depth, nodes, known, contexts):
    order = len(trie.levels) - 1
    if depth < 2:
        total = trie.unigrams[nodes[1] if depth else 0, 0]
    else:
        total = _code(trie, depth, nodes[depth], 0)
    for n in range(max(depth, 1), min(known, order - 1) + 1):
        total += trie.unigrams[contexts[n], 1] if n == 1 else _code(trie, n, contexts[n], 1)
    return np.uint64(max(total, 0))


@jit
def _score_document(chunk, alphabet, trie, out, d):
    order = len(trie.levels) - 1
    nodes, contexts = np.zeros(order + 1, np.int64), np.zeros(order + 1, np.int64)
    places, context_places = np.zeros(order + 1, np.int64), np.zeros(order + 1, np.int64)
    known = min(1, order - 1)
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
        depth = _walk(trie, rank, known, context_places, nodes, places)
        quanta = _loss(trie, depth, nodes, known, contexts)
        out.low[d, 0] += quanta
        if out.low[d, 0] < quanta:
            out.high[d, 0] += U1
        out.predicted[d] += U1
        contexts[:] = nodes
        context_places[:] = places
        known = depth
    return OK


@jit
def score_compact(chunk, alphabet, trie, out):
    clear(out)
    for d in range(len(chunk.starts)):
        status = _score_document(chunk, alphabet, trie, out, d)
        if status[0]:
            return status
    return OK
