"""Kernels that read token ids only."""

from __future__ import annotations

import numpy as np

from icfast.backends.fallback.jit import OK, U1, jit


@jit
def count_ids(chunk, counts):
    vocab_size = len(counts)
    for d in range(len(chunk.starts)):
        for t in range(max(chunk.starts[d], chunk.begin), min(chunk.stops[d], chunk.end)):
            token = np.int64(chunk.tokens[t])
            if token >= vocab_size:
                return 1, t, np.uint64(token)
            counts[token] += U1
    return OK


@jit
def hash_documents(chunk, hashes):
    for d in range(len(chunk.starts)):
        state = np.uint64(0xCBF29CE484222325)
        for t in range(chunk.starts[d], chunk.stops[d]):
            token = np.uint64(chunk.tokens[t])
            for byte in range(4):
                low = (token >> np.uint64(8 * byte)) & np.uint64(0xFF)
                state = (state ^ low) * np.uint64(0x100000001B3)
        state = (state ^ (state >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
        state = (state ^ (state >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
        hashes[d] = state ^ (state >> np.uint64(33))
    return OK


@jit
def join_documents(chunk, alphabet, separator, symbols):
    at = 0
    for d in range(len(chunk.starts)):
        for t in range(max(chunk.starts[d], chunk.begin), min(chunk.stops[d], chunk.end)):
            token = np.int64(chunk.tokens[t])
            if token >= len(alphabet.ranks):
                return 1, t, np.uint64(token)
            rank = np.int64(alphabet.ranks[token])
            if not rank:
                return 2, t, np.uint64(token)
            symbols[at] = rank - 1
            at += 1
        if chunk.stops[d] <= chunk.end:
            symbols[at] = separator
            separator += 1
            at += 1
    return OK
