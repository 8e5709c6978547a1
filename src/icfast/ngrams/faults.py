"""Checks of stored ids and sorted runs: whether what was read can be windows.

A checksum proves that a file holds what was written. Kernels index by these values, so they are
also checked for their meaning.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import SortedRun
from icfast.ngrams.keys import KeyShape


def ids_fault(ids: NDArray[Any], vocab_size: int) -> str | None:
    """Return why an array is not the u32[U] ids of an alphabet, or None if it is."""
    if not isinstance(ids, np.ndarray) or ids.dtype != np.dtype("<u4") or ids.ndim != 1:
        return "its ids are not a one-dimensional array of u32"
    if not np.all(ids[1:] > ids[:-1]):
        return "its ids do not ascend"
    if len(ids) and ids[-1] >= vocab_size:
        return f"its id {ids[-1]} is outside its vocabulary of {vocab_size}"
    return None


def run_fault(run: SortedRun, shape: KeyShape, used_ids: int, leads: int) -> str | None:
    """Return why a run that was read cannot be windows, or None if it can.

    Args:
        used_ids: number of ids, U.
        leads: the largest rank that a window may end with.
    """
    if run.leads[0] == 0 or run.leads[-1] > leads or not np.all(run.leads[1:] > run.leads[:-1]):
        return f"its leads do not ascend from 1 to at most {leads}"
    if not np.all(_ascends(run.keys) | _begins(run)):
        return "its keys do not ascend"
    if not run.counts.all() or int(run.counts.max()) >= 1 << 48:
        return "a window was counted 0 or more than 2^48 times"
    ended: NDArray[np.bool_] = np.zeros(len(run.keys), np.bool_)  # a begin mark was seen
    for i in range(1, shape.order):
        symbols = _symbols(run.keys, shape, i)
        if symbols.max() > used_ids:
            return f"a history holds a symbol above {used_ids}"
        token = symbols != 0
        if np.any(ended & token):
            return "a history goes on before its begin mark"
        ended = ~token
    return None


def _ascends(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return bool[n - 1]: whether each key is above the key before it."""
    above = keys[1:, -1] > keys[:-1, -1]
    for word in range(keys.shape[1] - 2, -1, -1):
        high, low = keys[1:, word], keys[:-1, word]
        above = (high > low) | ((high == low) & above)
    return np.asarray(above)


def _begins(run: SortedRun) -> NDArray[np.bool_]:
    """Return bool[n - 1]: whether each entry after the first begins a lead."""
    begins = np.zeros(len(run.counts) - 1, np.bool_)
    begins[run.bounds[1:-1] - 1] = True
    return begins


def _symbols(keys: NDArray[np.uint64], shape: KeyShape, i: int) -> NDArray[np.uint64]:
    """Return the symbol w[t-i] of each key."""
    position = shape.bits * (shape.order - 1 - i)
    word, offset = shape.words - 1 - position // 64, position % 64
    symbols = keys[:, word] >> np.uint64(offset)
    if offset + shape.bits > 64:
        symbols |= keys[:, word - 1] << np.uint64(64 - offset)
    symbols &= np.uint64((1 << shape.bits) - 1)
    return symbols
