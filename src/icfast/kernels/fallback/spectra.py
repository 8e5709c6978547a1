"""All spectra of orders 1..N from one scan of sorted windows."""

from __future__ import annotations

import numpy as np

from icfast.kernels.fallback.jit import OK, U1, jit
from icfast.kernels.fallback.keys import history_length
from icfast.kernels.fallback.scan import ended_here, move_to, place_end, shared_orders


@jit
def _record(out, kind, n, r):
    if r < np.uint64(out.small.shape[2]):
        out.small[kind, n - 1, r] += U1
        return True
    if out.large_lengths[kind, n - 1] == out.large.shape[2]:
        return False
    out.large[kind, n - 1, out.large_lengths[kind, n - 1]] = r
    out.large_lengths[kind, n - 1] += 1
    return True


@jit
def _close_one(sums, out, n, order, history):
    count, ends, neighbours = sums[0, n - 1], sums[1, n - 1], sums[2, n - 1]
    followed = count - ends
    fits = True
    if n - 1 <= history:
        fits &= _record(out, 0, n, count)
        if n < order:
            fits &= _record(out, 4, n, neighbours)
            if followed:
                fits &= _record(out, 2, n, followed)
    elif n - 1 == history + 1:
        fits &= _record(out, 1, n, count)
        if n < order and followed:
            fits &= _record(out, 3, n, followed)
    return fits


@jit
def _close(path, sums, out, order, bits, down_to):
    history = history_length(path[2:], order, bits)
    fits = True
    for n in range(order, down_to - 1, -1):
        fits &= _close_one(sums, out, n, order, history)
        if n > 1:
            sums[0, n - 2] += sums[0, n - 1]
            sums[1, n - 2] += sums[1, n - 1]
        sums[:, n - 1] = 0
    return fits


@jit
def run_spectra(run, ends, order, bits, path, sums, flush, out):
    cursor = -1
    fits = True
    for b in range(len(run.leads)):
        lead = run.leads[b]
        for i in range(run.bounds[b], run.bounds[b + 1]):
            key = run.keys[i]
            shared = shared_orders(path, lead, key, order, bits)
            if shared < 0:
                return 4, i, np.uint64(lead)
            if path[0]:
                fits &= _close(path, sums, out, order, bits, shared + 1)
            move_to(path, lead, key)
            for n in range(max(shared, 1), order):
                sums[2, n - 1] += U1
            if cursor < 0:
                cursor = place_end(ends, lead, key)
            cursor, ended = ended_here(ends, cursor, lead, key)
            sums[0, order - 1] += run.counts[i]
            sums[1, order - 1] += ended
    if flush and path[0]:
        fits &= _close(path, sums, out, order, bits, 1)
        path[0] = 0
    return OK if fits else (3, 0, np.uint64(0))
