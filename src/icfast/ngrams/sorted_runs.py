"""Streams of sorted runs: cut and added.

The runs of a stream come in key order. The same (lead, key) never occurs twice in a stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from icfast.backends.contract import Kernels
from icfast.backends.counting import Ends, MergeScratch, SortedRun
from icfast.errors import check
from icfast.ngrams.keys import KeyShape


def empty_ends(shape: KeyShape) -> Ends:
    """Return the document ends of no documents."""
    keys = np.zeros((0, shape.words), np.uint64)
    return Ends(np.zeros(0, np.uint32), keys, np.zeros(0, np.uint64))


def sum_ends(each: Sequence[Ends], shape: KeyShape) -> Ends:
    """Return all windows of several Ends, sorted, with equal windows added."""
    each = [ends for ends in each if len(ends.leads)]
    if not each:
        return empty_ends(shape)
    leads = np.concatenate([ends.leads for ends in each])
    keys = np.concatenate([ends.keys for ends in each])
    counts = np.concatenate([ends.counts for ends in each])
    rank = np.lexsort([*keys.T[::-1], leads])
    leads, keys, counts = leads[rank], keys[rank], counts[rank]
    new = np.ones(len(leads), np.bool_)
    new[1:] = (leads[1:] != leads[:-1]) | np.any(keys[1:] != keys[:-1], axis=1)
    at = np.flatnonzero(new)
    return Ends(leads[at], np.ascontiguousarray(keys[at]), np.add.reduceat(counts, at))


def split_run(run: SortedRun, entries: int) -> Iterator[SortedRun]:
    """Yield consecutive slices of a run, of at most `entries` entries."""
    total = int(run.bounds[-1] - run.bounds[0])
    for first in range(0, total, entries):
        yield slice_run(run, first, min(first + entries, total))


def slice_run(run: SortedRun, first: int, last: int) -> SortedRun:
    """Return the entries [first, last) of a run, counted from its start."""
    origin = int(run.bounds[0])
    bounds = np.clip(run.bounds - origin, first, last)
    kept = np.flatnonzero(bounds[1:] > bounds[:-1])
    new = np.append(bounds[kept], last) - first if len(kept) else np.zeros(1, np.int64)
    return SortedRun(
        run.leads[kept],
        np.ascontiguousarray(new, np.int64),
        run.keys[origin + first : origin + last],
        run.counts[origin + first : origin + last],
    )


def first_window(run: SortedRun) -> tuple[int, ...]:
    """Return (lead, key words ...) of the first entry."""
    return (int(run.leads[0]), *run.keys[0].tolist())


def last_window(run: SortedRun) -> tuple[int, ...]:
    """Return (lead, key words ...) of the last entry."""
    return (int(run.leads[-1]), *run.keys[-1].tolist())


def merge_streams(kernels: Kernels, streams: Sequence[Iterator[SortedRun]]) -> Iterator[SortedRun]:
    """Merge streams of runs into one stream, with one run of each stream in memory.

    Each step takes from every stream the entries up to the smallest last window of their runs.
    """
    heads = [_Head(stream) for stream in streams]
    while heads := [head for head in heads if head.ready()]:
        bound = min(head.last() for head in heads)
        taken = [run for head in heads if len((run := head.take(bound)).counts)]
        yield add_runs(kernels, taken)


class _Head:
    """Current run of a stream, and the number of its entries already taken."""

    def __init__(self, stream: Iterator[SortedRun]) -> None:
        self._stream = stream
        self._run: SortedRun | None = None
        self._first = 0

    def ready(self) -> bool:
        while self._run is None or self._first == len(self._run.counts):
            self._run, self._first = next(self._stream, None), 0
            if self._run is None:
                return False
        return True

    def last(self) -> tuple[int, ...]:
        assert self._run is not None
        return last_window(self._run)

    def take(self, bound: tuple[int, ...]) -> SortedRun:
        """Return the entries that are not above the bound."""
        assert self._run is not None
        run, first = self._run, self._first
        self._first = max(first, _position_above(run, bound))
        return slice_run(run, first, self._first)


def _position_above(run: SortedRun, bound: tuple[int, ...]) -> int:
    """Return the number of entries of the run that are not above the bound."""
    lead, key = bound[0], bound[1:]
    bucket = int(np.searchsorted(run.leads, lead, "left"))
    if bucket == len(run.leads) or run.leads[bucket] != lead:
        return int(run.bounds[bucket])
    low, high = int(run.bounds[bucket]), int(run.bounds[bucket + 1])
    for word, value in enumerate(key):
        column = run.keys[low:high, word]
        below = low + int(np.searchsorted(column, np.uint64(value), "left"))
        high = low + int(np.searchsorted(column, np.uint64(value), "right"))
        low = below
    return high


def add_runs(kernels: Kernels, runs: Sequence[SortedRun]) -> SortedRun:
    """Add runs of the same key shape; at least one, with the keys of its bounds only."""
    if len(runs) == 1:
        return runs[0]
    leads = np.concatenate([run.leads for run in runs])
    bounds = np.zeros(len(leads) + 1, np.int64)
    np.cumsum(np.concatenate([np.diff(run.bounds) for run in runs]), out=bounds[1:])
    keys = np.concatenate([run.keys for run in runs])
    counts = np.concatenate([run.counts for run in runs])
    sequence = np.argsort(leads, kind="stable")
    each = leads[sequence]
    each = each[np.append(True, each[1:] != each[:-1])]
    bounds_of_total = np.zeros(len(each) + 1, np.int64)
    total = SortedRun(each, bounds_of_total, np.empty_like(keys), np.empty_like(counts))
    scratch = MergeScratch(np.empty_like(keys), np.empty_like(counts))
    check(kernels.merge_runs(SortedRun(leads, bounds, keys, counts), sequence, total, scratch))
    size = int(total.bounds[-1])
    return total._replace(keys=total.keys[:size], counts=total.counts[:size])
