"""Walking sorted distinct windows: where the last one was, and which end documents."""

from __future__ import annotations

import numpy as np

from icfast.kernels.fallback.jit import jit
from icfast.kernels.fallback.keys import equal, less, shared_symbols


@jit
def _end_before(ends, i, lead, key):
    if ends.leads[i] != lead:
        return ends.leads[i] < lead
    return less(ends.keys[i], key)


@jit
def place_end(ends, lead, key):
    low, high = 0, len(ends.leads)
    while low < high:
        middle = low + (high - low) // 2
        if _end_before(ends, middle, lead, key):
            low = middle + 1
        else:
            high = middle
    return low


@jit
def ended_here(ends, i, lead, key):
    """(cursor, documents): moves the cursor to this window and reads how many end with it."""
    while i < len(ends.leads) and _end_before(ends, i, lead, key):
        i += 1
    if i < len(ends.leads) and ends.leads[i] == lead and equal(ends.keys[i], key):
        return i, ends.counts[i]
    return i, np.uint64(0)


@jit
def shared_orders(path, lead, key, order, bits):
    if path[0] == 0 or path[1] < lead:
        return 0
    if path[1] > lead or not less(path[2:], key):
        return -1
    return 1 + shared_symbols(path[2:], key, order, bits)


@jit
def move_to(path, lead, key):
    path[0] = 1
    path[1] = lead
    path[2:] = key
