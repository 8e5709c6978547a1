"""From documents to sorted distinct windows, in key order, on all cores and within the cap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import Ends, SortedRun
from icfast.corpus.documents import DocumentSet, check_ids
from icfast.errors import CorpusError, check
from icfast.ngrams.alphabet import Symbols, thread_chunks
from icfast.ngrams.plan import Budget, Plan
from icfast.ngrams.sorted_runs import sum_ends
from icfast.parallel.buffers import ThreadRooms, spilled, zeros
from icfast.parallel.threads import Pool, Work

Result = TypeVar("Result")


class Group(NamedTuple):
    """Neighbouring buckets one thread sorts at a time.

    Attributes:
        whole: no lead in it goes on in another group.
    """

    run: SortedRun
    whole: bool


def document_ends(documents: DocumentSet, symbols: Symbols, work: Work) -> Ends:
    """The windows that end a document, sorted, with how many documents end so."""
    ends = []
    for held in documents.by_shard:
        leads = np.zeros(len(held.starts), np.uint32)
        keys = np.zeros((len(held.starts), symbols.shape.words), np.uint64)
        if len(leads):
            chunk = symbols.tails(held.chunk())
            status = work.backend.kernels.end_windows(chunk, symbols.alphabet, leads, keys)
            check_ids(status, held.shard, symbols.vocab_size)
        ends.append(Ends(leads, keys, np.ones(len(leads), np.uint64)))
    return sum_ends(ends, symbols.shape)


@dataclass(frozen=True)
class Sorter:
    """Runs a plan: scatter each pass into its buckets, then sort groups of buckets."""

    documents: DocumentSet
    symbols: Symbols
    plan: Plan
    limits: Budget
    work: Work
    pool: Pool
    rooms: ThreadRooms = field(default_factory=ThreadRooms)

    def map(self, consume: Callable[[Group], Result]) -> Iterator[Result]:
        """consume(group) for every group, called in the threads, results in key order.

        The arrays of a group that is whole are used again: consume copies what it keeps.
        """
        done = np.append(0, np.cumsum(self.plan.windows)).astype(np.int64)
        # One array for all passes: a second one, while results still hold the first, would double
        # what is allocated.
        shape = (self.plan.pass_windows, self.symbols.shape.words)
        if self.limits.spills and self.work.temporary is not None and shape[0]:
            keys = spilled(shape, np.uint64, self.work.temporary)
        else:
            keys = zeros(shape, np.uint64)
        for begin, end in self.plan.passes:
            for last, result in self._pass(begin, end, keys, consume):
                self.work.progress("counting", int(done[last]), int(done[-1]))
                yield result

    def _pass(
        self, begin: int, end: int, keys: NDArray[np.uint64], consume: Callable[[Group], Result]
    ) -> Iterator[tuple[int, Result]]:
        """(bucket behind the group, result) for every group of one pass."""
        if self.plan.equal[begin]:
            yield end, consume(Group(self._equal_run(begin), whole=False))
            return
        bounds = np.append(0, np.cumsum(self.plan.windows[begin:end])).astype(np.int64)
        self._scatter(begin, end, bounds, keys)
        segments = self._segments(begin, end, bounds, keys)

        def sort(group: tuple[int, int]) -> tuple[int, Result]:
            first, last = group
            whole = not segments.part[first]
            bucket = begin + int(np.searchsorted(bounds, segments.bounds[last], "left"))
            return bucket, consume(Group(self._sorted(segments, first, last, keys), whole))

        yield from self.pool.map(sort, self._groups(segments))

    def _equal_run(self, bucket: int) -> SortedRun:
        """A bucket whose windows are all the same needs no sorting, only its count."""
        return SortedRun(
            self.plan.leads[bucket : bucket + 1],
            np.array([0, 1], np.int64),
            self.plan.buckets.low[bucket : bucket + 1],
            self.plan.windows[bucket : bucket + 1],
        )

    def _scatter(
        self, begin: int, end: int, bounds: NDArray[np.int64], keys: NDArray[np.uint64]
    ) -> None:
        """Each thread writes after the threads before it, so they never overlap."""
        counts = self.plan.counts[:, begin:end]
        offsets = np.zeros(counts.shape, np.int64)
        offsets[0] = bounds[:-1]
        for thread in range(1, len(counts)):
            np.add(offsets[thread - 1], counts[thread - 1], out=offsets[thread], casting="unsafe")
        chunks = thread_chunks(self.documents, self.work)

        def scatter(thread: int) -> None:
            for chunk, shard in chunks[thread]:
                status = self.work.backend.kernels.scatter_windows(
                    self.symbols.view(chunk),
                    self.symbols.alphabet,
                    self.plan.buckets,
                    begin,
                    end,
                    offsets[thread],
                    keys,
                )
                check_ids(status, shard, self.symbols.vocab_size)

        for _ in self.pool.map(scatter, range(len(chunks))):
            pass
        expected = bounds[:-1].copy()
        as_counted = True
        for reached, windows in zip(offsets, counts, strict=True):
            np.add(expected, windows, out=expected, casting="unsafe")
            as_counted &= np.array_equal(reached, expected)
        if not as_counted:
            raise CorpusError(
                "other windows were found than were counted before: a shard changed while it was "
                "read; run again when nothing writes to it"
            )

    def _segments(
        self, begin: int, end: int, bounds: NDArray[np.int64], keys: NDArray[np.uint64]
    ) -> _Segments:
        """The buckets of a pass, those too large to be sorted at once cut in place."""
        sizes = np.diff(bounds)
        large = np.flatnonzero(sizes > self.limits.bucket_windows)
        cuts = list(self.pool.map(lambda b: self._cut(keys, int(bounds[b]), int(sizes[b])), large))
        often = np.ones(len(sizes), np.int64)
        often[large] = [len(cut) for cut in cuts]
        begins = np.repeat(bounds[:-1], often)
        part = np.repeat(self.plan.split[begin:end], often)
        cut_here = np.zeros(len(sizes), np.bool_)
        cut_here[large] = True
        begins[np.repeat(cut_here, often)] = [first for cut in cuts for first in cut]
        part |= np.repeat(cut_here, often)
        leads = np.repeat(self.plan.leads[begin:end], often)
        return _Segments(leads, np.append(begins, bounds[-1]), part)

    def _cut(self, keys: NDArray[np.uint64], begin: int, size: int) -> list[int]:
        """Where the parts of a bucket begin, cut again until each is small or of equal keys."""
        bounds = np.zeros(257, np.int64)
        largest = self.limits.bucket_windows
        check(self.work.backend.kernels.split_keys(keys[begin : begin + size], largest, bounds))
        begins = []
        for first, last in pairwise(bounds.tolist()):
            if last - first <= self.limits.bucket_windows or last - first == size:
                begins += [begin + first] if last > first else []
            else:
                begins += self._cut(keys, begin + first, last - first)
        return begins

    def _groups(self, segments: _Segments) -> Iterator[tuple[int, int]]:
        """(first, last): segments up to the group size; parts of a lead apart from whole ones."""
        part, bounds = segments.part, segments.bounds
        edges = np.flatnonzero(part[1:] != part[:-1]) + 1
        for low, high in pairwise([0, *edges.tolist(), len(part)]):
            first = low
            while first < high:
                room = bounds[first] + self.limits.group_windows
                last = max(first + 1, int(np.searchsorted(bounds, room, "right")) - 1)
                last = min(last, high)
                yield first, last
                first = last

    def _sorted(
        self, segments: _Segments, first: int, last: int, keys: NDArray[np.uint64]
    ) -> SortedRun:
        bounds, leads = segments.bounds[first : last + 1], segments.leads[first:last]
        start, size = int(bounds[0]), int(bounds[-1] - bounds[0])
        if size > self.limits.bucket_windows and last - first == 1:
            # Could not be cut: all its windows are the same, so only their number matters.
            one = np.array([size], np.uint64)
            return SortedRun(leads, np.array([0, 1], np.int64), keys[start : start + 1], one)
        largest = int(np.diff(bounds).max(initial=0))
        counts = self.rooms.counts.words(size, 1)[:, 0]
        scratch = self.rooms.scratch.words(largest, keys.shape[1])
        distinct = np.zeros(len(leads), np.int64)
        check(self.work.backend.kernels.sort_runs(bounds, keys, counts, scratch, distinct))
        packed = np.append(0, np.cumsum(distinct)).astype(np.int64)
        counts = counts[: packed[-1]]
        if segments.part[first]:
            # A run names a lead once, however many of its parts were sorted here.
            leads, firsts = np.unique(leads, return_index=True)
            packed = np.append(packed[firsts], packed[-1])
        # Parts of a lead are scanned later, in order, when this thread's counts are in use again.
        kept = counts.copy() if segments.part[first] else counts
        return SortedRun(leads, packed, keys[start : start + packed[-1]], kept)


class _Segments(NamedTuple):
    """What is sorted at once: buckets, or parts of large ones.

    Attributes:
        leads: u32[segments].
        bounds: i64[segments + 1], positions among the keys of the pass.
        part: bool[segments]: the lead has other segments.
    """

    leads: NDArray[np.uint32]
    bounds: NDArray[np.int64]
    part: NDArray[np.bool_]
