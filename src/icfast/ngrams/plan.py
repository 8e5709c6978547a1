"""The plan of a count: windows cut into buckets, buckets packed into passes that fit the memory.

A bucket holds the windows of one lead. A lead with more windows than a pass can hold is cut by its
next history symbol, again and again, until each bucket fits or all its windows are equal.

Every pass reads the mapped corpus again and keeps one range of buckets. It needs no temporary
disk, and the result cannot depend on the memory. If there would be many passes and the caller
names a folder for temporary files, there is one pass instead, with its keys in a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import Buckets
from icfast.corpus.documents import DocumentSet
from icfast.ngrams.alphabet import Symbols, count_type
from icfast.ngrams.bucket_counts import BucketCounter, whole_leads
from icfast.ngrams.budget import Budget
from icfast.ngrams.keys import KeyShape
from icfast.ngrams.partition import Partition, cut_by_symbol, key_integer, sum_first_axis
from icfast.parallel.threads import Pool, Work


@dataclass(frozen=True, eq=False)
class Plan:
    """Buckets in key order, and their windows in the chunks of each thread.

    Attributes:
        buckets: the partition, as kernels read it.
        leads: u32[buckets], the lead of each.
        counts: u32 or u64[threads, buckets] windows.
        equal: bool[buckets], whether all windows of a bucket are equal. Their key is the low key of
            the bucket.
        split: bool[buckets], whether the lead has several buckets.
        passes: ranges of buckets; each is counted in one reading of the corpus.
    """

    buckets: Buckets
    leads: NDArray[np.uint32]
    counts: NDArray[np.unsignedinteger]
    equal: NDArray[np.bool_]
    split: NDArray[np.bool_]
    passes: tuple[tuple[int, int], ...]

    @property
    def windows(self) -> NDArray[np.uint64]:
        """u64[buckets]: windows of each bucket."""
        return sum_first_axis(self.counts)

    @property
    def pass_windows(self) -> int:
        """Maximum number of windows whose keys a pass holds."""
        bounds = np.append(0, np.cumsum(self.windows)).astype(np.int64)
        held = [bounds[end] - bounds[begin] for begin, end in self.passes if not self.equal[begin]]
        return int(max(held, default=0))


def make_plan(
    documents: DocumentSet, symbols: Symbols, limits: Budget, work: Work, pool: Pool
) -> Plan:
    """Count the windows of each lead, cut leads that are too large, and pack the passes."""
    counter = BucketCounter(documents, symbols, limits, work, pool)
    counts = counter.per_lead().astype(count_type(documents.tokens), copy=False)
    partition = replace(whole_leads(symbols), counts=counts)
    # Kernels sort with 32-bit offsets.
    limit = min(limits.pass_windows, 2**31 - 1)
    partition = _isolate_frequent(partition, limit, counter)
    partition = _refine(partition, limit, counter, symbols.shape)
    windows, leads = partition.windows, symbols.leads
    equal = windows > limit
    return Plan(
        buckets=partition.buckets(leads),
        leads=partition.leads,
        counts=partition.counts,
        equal=equal,
        split=np.bincount(partition.leads, minlength=leads)[partition.leads] > 1,
        passes=tuple(_passes(windows, equal, limits.pass_windows)),
    )


def _isolate_frequent(partition: Partition, limit: int, counter: BucketCounter) -> Partition:
    """Cut leads above the limit around a single window that seems to be above it.

    This takes one reading of the corpus. Cutting symbol by symbol takes one reading per symbol.
    """
    chosen, cuts = [], []
    for lead in np.flatnonzero(partition.windows > limit).tolist():
        found = counter.around_frequent(partition, lead, limit)
        if found is not None:
            chosen.append(lead)
            cuts.append(found)
    if not chosen:
        return partition
    return counter.recounted(partition.cut(np.array(chosen), cuts), np.array(chosen))


def _refine(partition: Partition, limit: int, counter: BucketCounter, shape: KeyShape) -> Partition:
    """Cut buckets above the limit by their next symbol until no bucket can be cut."""
    while True:
        can_cut = (partition.windows > limit) & (partition.depths < shape.order - 1)
        chosen = np.flatnonzero(can_cut)[: counter.most_chosen]
        if not len(chosen):
            return partition
        cuts = []
        for b, counts in zip(chosen, counter.by_next_symbol(partition, chosen), strict=True):
            low, depth = key_integer(partition.low[b]), int(partition.depths[b])
            cuts.append(list(cut_by_symbol(low, depth, counts, limit, shape)))
        partition = partition.cut(chosen, cuts)


def _passes(
    windows: NDArray[np.uint64], equal: NDArray[np.bool_], pass_windows: int
) -> Iterator[tuple[int, int]]:
    """Yield ranges of consecutive buckets whose keys fit a pass.

    A bucket of equal windows needs no keys: it is a separate pass.
    """
    done = np.cumsum(windows)
    alone = np.append(np.flatnonzero(equal), len(windows))
    begin = 0
    while begin < len(windows):
        limit = np.uint64(pass_windows) + (done[begin - 1] if begin else np.uint64(0))
        until = int(alone[np.searchsorted(alone, begin)])
        end = min(until, int(np.searchsorted(done, limit, "right")))
        end = max(end, begin + 1)
        yield begin, end
        begin = end
