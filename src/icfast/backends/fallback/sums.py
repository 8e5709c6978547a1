"""Add losses to their cells in integers."""

from __future__ import annotations

import numpy as np

from icfast.backends.fallback.jit import OK, U1, jit

# Status code of losses.py, since numba does not read enums.
_KINDS = 6
_SCORED, _INFINITE, _NAN, _HUGE = 0, 2, 3, 5


@jit
def _added_as(kind, nats):
    if kind != _SCORED or abs(nats) < 2.0**31:
        return np.int64(kind)
    if np.isfinite(nats):
        return np.int64(_HUGE)
    return np.int64(_INFINITE) if nats > 0 else np.int64(_NAN)


@jit
def add_losses(nll_nats, kinds, cells, sums):
    for r in range(len(nll_nats)):
        cell = cells[r]
        if cell < 0:
            continue
        if cell >= len(sums.low):
            return 3, r, np.uint64(cell + 1)
        if kinds[r] >= _KINDS:
            return 3, r, np.uint64(kinds[r] + 1)
        kind = _added_as(kinds[r], nll_nats[r])
        sums.counts[cell, kind] += U1
        if kind != _SCORED:
            continue
        quanta = np.int64(np.rint(nll_nats[r] * 4294967296.0))
        sums.low[cell] += np.uint64(quanta)
        if sums.low[cell] < np.uint64(quanta):
            sums.high[cell] += U1
        if quanta < 0:
            sums.high[cell] -= U1
    return OK
