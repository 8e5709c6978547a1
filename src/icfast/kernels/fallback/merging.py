"""Runs of several tables brought under one alphabet and added."""

from __future__ import annotations

from icfast.kernels.fallback.jit import OK, jit
from icfast.kernels.fallback.keys import compare, place, symbol_at


@jit
def remap_keys(keys, ranks, order, bits, new_keys, new_bits):
    for e in range(len(keys)):
        new_keys[e] = 0
        for i in range(1, order):
            symbol = ranks[symbol_at(keys, e, i, order, bits)]
            place(new_keys, e, symbol, new_bits * (order - 1 - i))
    return OK


@jit
def merge_runs(a, b, out_bounds, out_keys, out_counts):
    out = 0
    for bucket in range(len(a.leads)):
        out_bounds[bucket] = out
        i, i_end = a.bounds[bucket], a.bounds[bucket + 1]
        j, j_end = b.bounds[bucket], b.bounds[bucket + 1]
        while i < i_end or j < j_end:
            # Which of the two heads is the smaller; a run that is done has no head.
            order = (i == i_end) - (j == j_end)
            if order == 0:
                order = compare(a.keys, i, b.keys, j)
            out_counts[out] = 0
            if order <= 0:
                out_keys[out] = a.keys[i]
                out_counts[out] += a.counts[i]
                i += 1
            if order >= 0:
                out_keys[out] = b.keys[j]
                out_counts[out] += b.counts[j]
                j += 1
            out += 1
    out_bounds[len(a.leads)] = out
    return OK
