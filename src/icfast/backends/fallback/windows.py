"""Windows of documents: count them by bucket, scatter them, and write those that end documents."""

from __future__ import annotations

import numpy as np

from icfast.backends.fallback.jit import OK, U1, jit
from icfast.backends.fallback.keys import compare, push, symbol_at


@jit
def _bucket_of(buckets, lead, key):
    low = np.int64(buckets.first[lead])
    high = np.int64(buckets.first[lead + 1])
    while high - low > 1:
        middle = low + (high - low) // 2
        if compare(key, 0, buckets.low, middle) < 0:
            high = middle
        else:
            low = middle
    return low


@jit
def _rank_at(chunk, alphabet, t):
    """Return (code, rank) of the token at t. A code above 0 means that the id can't be counted."""
    token = np.int64(chunk.tokens[t])
    if token >= len(alphabet.ranks):
        return 1, np.int64(0)
    rank = np.int64(alphabet.ranks[token])
    return (0, rank) if rank else (2, rank)


@jit
def _first_step(chunk, alphabet, d):
    """Return the first token to read for the histories of document d in this chunk."""
    first = max(chunk.starts[d], chunk.begin)
    return max(chunk.starts[d], first - (alphabet.order - 1)), first


@jit
def count_windows(chunk, alphabet, buckets, slots, depths, counts):
    order, bits = alphabet.order, alphabet.bits
    key = np.zeros((1, buckets.low.shape[1]), np.uint64)
    for d in range(len(chunk.starts)):
        key[:] = 0
        step, first = _first_step(chunk, alphabet, d)
        last = min(chunk.stops[d], chunk.end)
        marks = 1 if alphabet.end_rank and chunk.stops[d] <= chunk.end else 0
        for t in range(step, max(step, last) + marks):
            rank = np.int64(alphabet.end_rank)
            if t < last:
                code, rank = _rank_at(chunk, alphabet, t)
                if code:
                    return code, t, np.uint64(chunk.tokens[t])
            if t >= first:
                slot = slots[_bucket_of(buckets, rank, key)]
                if slot >= 0:
                    depth = depths[slot]
                    column = symbol_at(key, 0, depth, order, bits) if depth else 0
                    counts[slot, column] += U1
            push(key, 0, rank, order, bits)
    return OK


@jit
def _scatter_document(chunk, alphabet, step, first, last, bucket_begin, bucket_end, offsets, keys):
    """Scatter tokens [step, last) for keys of one word and whole leads; return (code, token, key).

    The key stays in a register, and the bucket is the lead.
    """
    tokens, ranks = chunk.tokens, alphabet.ranks
    newest = np.uint64(alphabet.bits * max(0, alphabet.order - 2))
    keep = np.uint64(alphabet.order > 1)
    key = np.uint64(0)
    for t in range(step, last):
        token = np.uint64(tokens[t])
        if token >= np.uint64(len(ranks)):
            return 1, t, key
        rank = np.int64(ranks[token])
        if rank == 0:
            return 2, t, key
        if t >= first and bucket_begin <= rank < bucket_end:
            to = offsets[rank - bucket_begin]
            offsets[rank - bucket_begin] = to + 1
            if to < len(keys):
                keys[to, 0] = key
        key = (key >> np.uint64(alphabet.bits)) | (keep * np.uint64(rank)) << newest
    return 0, last, key


@jit
def scatter_windows(chunk, alphabet, buckets, bucket_begin, bucket_end, offsets, keys):
    order, bits = alphabet.order, alphabet.bits
    key = np.zeros((1, keys.shape[1]), np.uint64)
    simple = keys.shape[1] == 1 and len(buckets.low) == len(buckets.first) - 1
    for d in range(len(chunk.starts)):
        key[:] = 0
        step, first = _first_step(chunk, alphabet, d)
        last = min(chunk.stops[d], chunk.end)
        marks = 1 if alphabet.end_rank and chunk.stops[d] <= chunk.end else 0
        if simple and step < last:
            code, step, key[0, 0] = _scatter_document(
                chunk, alphabet, step, first, last, bucket_begin, bucket_end, offsets, keys
            )
            if code:
                return code, step, np.uint64(chunk.tokens[step])
        for t in range(step, max(step, last) + marks):
            rank = np.int64(alphabet.end_rank)
            if t < last:
                code, rank = _rank_at(chunk, alphabet, t)
                if code:
                    return code, t, np.uint64(chunk.tokens[t])
            if t >= first:
                bucket = _bucket_of(buckets, rank, key)
                if bucket_begin <= bucket < bucket_end:
                    to = offsets[bucket - bucket_begin]
                    offsets[bucket - bucket_begin] = to + 1
                    if to < len(keys):
                        keys[to] = key[0]
            push(key, 0, rank, order, bits)
    return OK


@jit
def end_windows(chunk, alphabet, leads, keys):
    order, bits = alphabet.order, alphabet.bits
    key = np.zeros((1, keys.shape[1]), np.uint64)
    for d in range(len(chunk.starts)):
        key[:] = 0
        start, stop = chunk.starts[d], chunk.stops[d]
        rank = np.int64(0)
        for t in range(max(start, stop - order), stop):
            if rank:
                push(key, 0, rank, order, bits)
            code, rank = _rank_at(chunk, alphabet, t)
            if code:
                return code, t, np.uint64(chunk.tokens[t])
        if alphabet.end_rank:
            if rank:
                push(key, 0, rank, order, bits)
            rank = np.int64(alphabet.end_rank)
        leads[d] = rank
        keys[d] = key[0]
    return OK
