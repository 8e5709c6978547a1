"""Counting windows as packed keys: every pass scatters them into buckets, sorts, and scans.

All threads work on each step. In the scatter a thread takes its chunks of the corpus; in the sort
it takes ranges of neighbouring buckets.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from itertools import pairwise
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import Ends, SortedRun
from icfast.corpus.chunks import check_ids
from icfast.corpus.documents import DocumentSet
from icfast.errors import CorpusError, check
from icfast.ngrams.alphabet import Symbols, thread_chunks
from icfast.ngrams.budget import Budget
from icfast.ngrams.plan import Plan
from icfast.ngrams.scan import SpectraScan, self_check, window_totals
from icfast.ngrams.sorted_runs import sum_ends
from icfast.parallel.buffers import ThreadScratch, spilled, zeros
from icfast.parallel.threads import Pool, Work
from icfast.sums.spectrum import Spectra

Kept = TypeVar("Kept")

I64 = NDArray[np.int64]
U64 = NDArray[np.uint64]


def document_ends(documents: DocumentSet, symbols: Symbols, work: Work) -> Ends:
    """Return the windows that end a document, sorted, with the number of documents each ends."""
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


class _PassBuckets(NamedTuple):
    """Buckets of a pass, after those too large to be sorted whole were split.

    Attributes:
        leads: u32[buckets].
        bounds: i64[buckets + 1], positions among the keys of the pass.
        split: bool[buckets], whether the lead has other buckets.
    """

    leads: NDArray[np.uint32]
    bounds: I64
    split: NDArray[np.bool_]


@dataclass(frozen=True)
class WindowCount:
    """A count of all windows, planned and ready to run.

    Attributes:
        ends: the windows that end a document.
    """

    documents: DocumentSet
    symbols: Symbols
    ends: Ends
    plan: Plan
    limits: Budget
    work: Work
    pool: Pool
    buffers: ThreadScratch = field(default_factory=ThreadScratch)

    def spectra(self, keep: Callable[[SortedRun], Kept], take: Callable[[Kept], None]) -> Spectra:
        """Run the count and return the spectra of orders 1..N.

        Args:
            keep: receives every sorted run in a worker thread. The arrays of the run are reused:
                copy what is kept.
            take: receives the results of `keep`, in key order.
        """
        new = partial(SpectraScan, self.work.backend.kernels, self.symbols.shape, self.ends)
        total, scans = new(), _ThreadScans(new)

        def consume(run: SortedRun, whole: bool) -> tuple[SortedRun | None, Kept]:
            if not whole:
                return run, keep(run)
            scans.here().add(run, flush=True)
            return None, keep(run)

        done = np.append(0, np.cumsum(self.plan.windows)).astype(np.int64)
        keys = self._allocate_keys()
        for begin, end in self.plan.passes:
            for bucket, (run, kept) in self._run_pass(begin, end, keys, consume):
                if run is not None:
                    # N-grams of a split lead reach across its runs: scanned here, in key order.
                    total.add(run)
                take(kept)
                self.work.progress("counting", int(done[bucket]), int(done[-1]))
        total.flush()
        for scan in scans.all:
            total.absorb(scan)
        spectra = total.spectra(self.documents.tokens, len(self.documents))
        self_check(spectra, window_totals(self.documents.lengths, self.symbols.shape.order))
        return spectra

    def _allocate_keys(self) -> U64:
        """Return one array for the keys of all passes.

        A second array, while results still refer to the first, would double the memory.
        """
        shape = (self.plan.pass_windows, self.symbols.shape.words)
        if self.limits.spills and self.work.temporary is not None and shape[0]:
            return spilled(shape, np.uint64, self.work.temporary)
        return zeros(shape, np.uint64)

    def _run_pass(
        self, begin: int, end: int, keys: U64, consume: Callable[[SortedRun, bool], Kept]
    ) -> Iterator[tuple[int, Kept]]:
        """Yield (end of the buckets done, result) for every sorted run of one pass."""
        plan = self.plan
        if plan.equal[begin]:
            # Equal windows need no sorting, only their number.
            bounds, one = np.array([0, 1], np.int64), slice(begin, begin + 1)
            run = SortedRun(plan.leads[one], bounds, plan.buckets.low[one], plan.windows[one])
            yield end, consume(run, False)
            return
        bounds = np.append(0, np.cumsum(plan.windows[begin:end])).astype(np.int64)
        self._scatter(begin, end, bounds, keys)
        buckets = self._split_large(begin, end, bounds, keys)

        def sort(chosen: tuple[int, int]) -> tuple[int, Kept]:
            first, last = chosen
            run = self._sort(buckets, first, last, keys)
            done = begin + int(np.searchsorted(bounds, buckets.bounds[last], "left"))
            return done, consume(run, not buckets.split[first])

        yield from self.pool.map(sort, self._ranges(buckets))

    def _scatter(self, begin: int, end: int, bounds: I64, keys: U64) -> None:
        """Write the key of each window of the pass into its bucket.

        Each thread writes after the threads before it, so they never overlap.
        """
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

        self.pool.for_each(scatter, range(len(chunks)))
        expected = bounds[:-1].copy()
        as_counted = True
        for reached, windows in zip(offsets, counts, strict=True):
            np.add(expected, windows, out=expected, casting="unsafe")
            as_counted &= np.array_equal(reached, expected)
        if not as_counted:
            raise CorpusError(
                "the second reading of the corpus found other windows than the first: a shard "
                "changed while it was read. Run again when nothing writes to it."
            )

    def _split_large(self, begin: int, end: int, bounds: I64, keys: U64) -> _PassBuckets:
        """Split the buckets that are too large to be sorted whole, in place."""
        sizes = np.diff(bounds)
        large = np.flatnonzero(sizes > self.limits.bucket_windows)
        cuts = list(
            self.pool.map(lambda b: self._split_keys(keys, int(bounds[b]), int(sizes[b])), large)
        )
        repeats = np.ones(len(sizes), np.int64)
        repeats[large] = [len(cut) for cut in cuts]
        begins = np.repeat(bounds[:-1], repeats)
        split = np.repeat(self.plan.split[begin:end], repeats)
        split_here = np.zeros(len(sizes), np.bool_)
        split_here[large] = True
        rows = np.repeat(split_here, repeats)
        begins[rows] = [first for cut in cuts for first in cut]
        leads = np.repeat(self.plan.leads[begin:end], repeats)
        return _PassBuckets(leads, np.append(begins, bounds[-1]), split | rows)

    def _split_keys(self, keys: U64, begin: int, size: int) -> list[int]:
        """Split a bucket until each part is small or has equal keys; return where parts begin."""
        bounds = np.zeros(257, np.int64)
        largest = self.limits.bucket_windows
        check(self.work.backend.kernels.split_keys(keys[begin : begin + size], largest, bounds))
        begins = []
        for first, last in pairwise(bounds.tolist()):
            if last - first <= largest or last - first == size:
                begins += [begin + first] if last > first else []
            else:
                begins += self._split_keys(keys, begin + first, last - first)
        return begins

    def _ranges(self, buckets: _PassBuckets) -> Iterator[tuple[int, int]]:
        """Yield ranges of buckets that a thread sorts at a time.

        Buckets of split leads do not share a range with buckets of whole leads.
        """
        split, bounds = buckets.split, buckets.bounds
        edges = np.flatnonzero(split[1:] != split[:-1]) + 1
        for low, high in pairwise([0, *edges.tolist(), len(split)]):
            first = low
            while first < high:
                limit = bounds[first] + self.limits.sort_windows
                last = max(first + 1, int(np.searchsorted(bounds, limit, "right")) - 1)
                last = min(last, high)
                yield first, last
                first = last

    def _sort(self, buckets: _PassBuckets, first: int, last: int, keys: U64) -> SortedRun:
        """Sort a range of buckets into one run."""
        bounds, leads = buckets.bounds[first : last + 1], buckets.leads[first:last]
        start, size = int(bounds[0]), int(bounds[-1] - bounds[0])
        if size > self.limits.bucket_windows and last - first == 1:
            # The bucket could not be split: all its windows are equal.
            one = np.array([size], np.uint64)
            return SortedRun(leads, np.array([0, 1], np.int64), keys[start : start + 1], one)
        largest = int(np.diff(bounds).max(initial=0))
        counts = self.buffers.counts.words(size, 1)[:, 0]
        scratch = self.buffers.scratch.words(largest, keys.shape[1])
        distinct = np.zeros(len(leads), np.int64)
        check(self.work.backend.kernels.sort_runs(bounds, keys, counts, scratch, distinct))
        packed = np.append(0, np.cumsum(distinct)).astype(np.int64)
        counts = counts[: packed[-1]]
        if buckets.split[first]:
            # A run lists a lead once, however many of its buckets were sorted here.
            leads, firsts = np.unique(leads, return_index=True)
            packed = np.append(packed[firsts], packed[-1])
            # It is scanned later, in key order, when this thread's counts are in use again.
            counts = counts.copy()
        return SortedRun(leads, packed, keys[start : start + packed[-1]], counts)


class _ThreadScans:
    """One scan per thread, of the leads that are whole in a run."""

    def __init__(self, new: Callable[[], SpectraScan]) -> None:
        self._new = new
        self._here = threading.local()
        self.all: list[SpectraScan] = []

    def here(self) -> SpectraScan:
        """Return the scan of this thread."""
        if not hasattr(self._here, "scan"):
            self._here.scan = self._new()
            self.all.append(self._here.scan)
        scan: SpectraScan = self._here.scan
        return scan
