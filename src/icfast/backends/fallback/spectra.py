"""Spectra of orders 1..N from one scan of sorted windows.

Each block of windows is processed order by order. The windows that begin an n-gram are a subset of
those that begin an (n+1)-gram. A sum over an n-gram is the difference of prefix sums at its
beginning and at the beginning of the next one. So loops have hardly any unpredictable branches.
"""

from __future__ import annotations

import numpy as np

from icfast.backends.fallback.jit import OK, U1, jit
from icfast.backends.fallback.scan import (
    BLOCK,
    ENDED,
    HISTORY,
    KNOWN,
    SHARED,
    look_at,
    new_block,
    place_end,
)

# Further rows of a block: prefix sums over the windows; for each n-gram of one order its first
# window and its first (n+1)-gram; the recorded values of complete n-grams by kind.
_COUNT_BEFORE, _ENDED_BEFORE, _BEGIN, _FIRST, _VALUES = range(KNOWN, KNOWN + 5)
_ROWS = _VALUES + 5


@jit
def _add_up(counts, begin, windows, block):
    count = ended = np.int64(0)
    for i in range(1, windows):
        block[_COUNT_BEFORE, i] = count
        block[_ENDED_BEFORE, i] = ended
        count += np.int64(counts[begin + i - 1])
        ended += block[ENDED, i]
    return count, ended


@jit
def _keep_begins(block, n, size):
    """Select the (n+1)-grams that begin an n-gram."""
    kept = 0
    for i in range(size):
        begin = block[_BEGIN, i]
        block[_BEGIN, kept] = begin
        block[_FIRST, kept] = i
        kept += block[SHARED, begin] < n
    return kept


@jit
def _close(block, n, size):
    """List the values of every n-gram but the last; return their number by kind."""
    complete = starting = followed = starting_followed = 0
    for i in range(1, size):
        here, following = block[_BEGIN, i - 1], block[_BEGIN, i]
        count = block[_COUNT_BEFORE, following] - block[_COUNT_BEFORE, here]
        ended = block[_ENDED_BEFORE, following] - block[_ENDED_BEFORE, here]
        # An n-gram is tokens, or one begin mark and tokens. More marks are no n-gram.
        marks = n - 1 - block[HISTORY, here]
        block[_VALUES, complete] = count
        block[_VALUES + 2, followed] = count - ended
        block[_VALUES + 4, complete] = block[_FIRST, i] - block[_FIRST, i - 1]
        complete += marks <= 0
        followed += (marks <= 0) & (count != ended)
        if marks == 1:
            block[_VALUES + 1, starting] = count
            block[_VALUES + 3, starting_followed] = count - ended
            starting += 1
            starting_followed += count != ended
    return complete, starting, followed, starting_followed, complete


@jit
def _tally(values, size, small, large, length):
    """Count the values; return the new length of the list of large ones, or -1 if it is full."""
    for i in range(size):
        value = values[i]
        if value < len(small):
            small[value] += U1
        elif length < len(large):
            large[length] = value
            length += 1
        else:
            return -1
    return length


@jit
def _record(block, n, sizes, kinds, out):
    fits = True
    for kind in range(kinds):
        length = _tally(
            block[_VALUES + kind],
            sizes[kind],
            out.small[kind, n - 1],
            out.large[kind, n - 1],
            out.large_lengths[kind, n - 1],
        )
        fits &= length >= 0
        out.large_lengths[kind, n - 1] = max(length, 0)
    return fits


@jit
def _scan_block(block, windows, order, counts, sums, out):
    """Complete every n-gram of windows 0..windows - 1 except the last of each order.

    sums[0, n - 1] is the count of the open n-gram without its open (n+1)-gram.
    """
    for i in range(windows):
        block[_BEGIN, i] = i
    size = windows
    fits = True
    count = ended = new_count = new_ended = np.int64(0)
    for n in range(order, 0, -1):
        count += np.int64(sums[0, n - 1])
        ended += np.int64(sums[1, n - 1])
        longer, size = size, _keep_begins(block, n, size)
        # Add the counts from before the block to its open n-grams.
        block[_COUNT_BEFORE, 0] = -count
        block[_ENDED_BEFORE, 0] = -ended
        block[_FIRST, 0] = 1 - np.int64(sums[2, n - 1])
        sizes = _close(block, n, size)
        fits &= _record(block, n, sizes, 5 if n < order else 2, out)
        last = block[_BEGIN, size - 1]
        open_count = counts[0] - block[_COUNT_BEFORE, last]
        open_ended = counts[1] - block[_ENDED_BEFORE, last]
        sums[0, n - 1] = open_count - new_count
        sums[1, n - 1] = open_ended - new_ended
        sums[2, n - 1] = longer - block[_FIRST, size - 1] if n < order else 0
        new_count, new_ended = open_count, open_ended
    return fits


@jit
def run_spectra(run, ends, order, bits, path, sums, flush, out):
    block, pair = new_block(_ROWS, order, bits, path)
    block[SHARED, 0] = -1
    bucket, cursor = np.int64(0), place_end(ends, run)
    begin, last = run.bounds[0], run.bounds[-1]
    fits = True
    while begin < last or flush:
        end = min(begin + BLOCK, last)
        bad, bucket, cursor = look_at(
            run, begin, end, bucket, ends, cursor, order, bits, path, pair, block
        )
        if bad >= 0:
            return 4, bad, np.uint64(run.leads[bucket])
        windows = 1 + end - begin
        counts = _add_up(run.counts, begin, windows, block)
        if flush and end == last:
            # A final entry that shares nothing completes all n-grams before it.
            block[SHARED, windows] = 0
            block[_COUNT_BEFORE, windows], block[_ENDED_BEFORE, windows] = counts
            fits &= _scan_block(block, windows + 1, order, counts, sums, out)
            sums[2] = 0
            path[0] = 0
            break
        fits &= _scan_block(block, windows, order, counts, sums, out)
        block[HISTORY, 0] = block[HISTORY, end - begin]
        begin = end
    return OK if fits else (3, 0, np.uint64(0))
