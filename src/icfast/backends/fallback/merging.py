"""Translate the sorted runs of several tables to one alphabet and add them."""

from __future__ import annotations

from icfast.backends.fallback.jit import OK, jit
from icfast.backends.fallback.keys import compare, copy_key, place, symbol_at


@jit
def remap_keys(keys, ranks, order, bits, new_keys, new_bits):
    for e in range(len(keys)):
        new_keys[e] = 0
        for i in range(1, order):
            symbol = ranks[symbol_at(keys, e, i, order, bits)]
            place(new_keys, e, symbol, new_bits * (order - 1 - i))
    return OK


@jit
def merge_runs(runs, sequence, total, scratch):
    out = 0
    first = 0
    for bucket in range(len(total.leads)):
        total.bounds[bucket] = out
        size = 0
        last = first
        while last < len(sequence) and runs.leads[sequence[last]] == total.leads[bucket]:
            # Move the sum to the scratch space, then add the next run to it.
            for i in range(size):
                copy_key(total.keys, out + i, scratch.keys, i)
                scratch.counts[i] = total.counts[out + i]
            begin, end = runs.bounds[sequence[last]], runs.bounds[sequence[last] + 1]
            size = _add(scratch, size, runs, begin, end, total, out)
            last += 1
        out += size
        first = last
    total.bounds[len(total.leads)] = out
    return OK


@jit
def _add(scratch, size, runs, begin, end, total, first):
    """Write scratch[:size] + runs[begin:end] to total[first:]; return the number of entries."""
    out, i, j = first, 0, begin
    while i < size or j < end:
        # Compare the heads of both sides. A finished side has no head.
        order = (i == size) - (j == end)
        if order == 0:
            order = compare(scratch.keys, i, runs.keys, j)
        total.counts[out] = 0
        if order <= 0:
            copy_key(scratch.keys, i, total.keys, out)
            total.counts[out] += scratch.counts[i]
            i += 1
        if order >= 0:
            copy_key(runs.keys, j, total.keys, out)
            total.counts[out] += runs.counts[j]
            j += 1
        out += 1
    return out - first
