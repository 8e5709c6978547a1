"""What a counting pass will take, said before it begins.

Memory, passes and windows follow from the plan. Seconds, and the size of a table, are extrapolated
from a small sample of the corpus that goes through the same kernels.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from icfast.backends.arrays import I64, U64, Status
from icfast.backends.counting import SortedRun
from icfast.corpus.documents import DocumentSet, ShardChunk, check_ids, sample
from icfast.errors import check
from icfast.ngrams.alphabet import Symbols
from icfast.ngrams.blocks import pack_blocks
from icfast.ngrams.plan import Budget, Plan, fixed_bytes
from icfast.ngrams.scan import SpectraScan
from icfast.ngrams.sorted_runs import empty_ends
from icfast.parallel.buffers import zeros
from icfast.parallel.cost import Cost
from icfast.parallel.threads import Work

#: The part of the tokens that is tried, and the bounds of that.
_SAMPLE_SHARE = 1 / 128
_LEAST_SAMPLE = 1 << 15
_MOST_SAMPLE = 1 << 20

#: In so many chunks at most, each long enough for its cut histories to count little.
_CHUNKS = 512
_CHUNK_TOKENS = 256

#: Bytes of an entry of a table beside its key: its count, and its share of leads and headers.
_ENTRY_BYTES = 2

#: The same at most: a lead of its own, and a count of eight bytes.
_MOST_ENTRY_BYTES = 20

#: The interpreter's share of a group: 60 to 80 us on the machines tried.
_GROUP_SECONDS = 70e-6

#: What becomes of the sorted windows: nothing, a table, or one that is removed when it has served.
Table = Literal["none", "kept", "temporary"]


@dataclass(frozen=True)
class _Tried:
    """A sample that went through the kernels; seconds of one thread."""

    windows: int
    distinct: int
    scatter_seconds: float
    sort_seconds: float
    consume_seconds: float


@dataclass(frozen=True)
class Forecast:
    """Knows a plan, and says what it costs."""

    documents: DocumentSet
    symbols: Symbols
    plan: Plan
    limits: Budget
    work: Work
    table: Table

    @property
    def _keeps(self) -> bool:
        return self.table != "none"

    @cached_property
    def cost(self) -> Cost:
        """What the whole takes; a sample is tried once."""
        windows = self.documents.tokens
        limits = self.limits
        held = limits.bucket_windows if limits.spills else limits.pass_windows // 4
        tokens = min(sample_tokens(windows), held)
        # A part of it first: how fast distinct windows grow, which only a table's size needs to
        # know well; and where kernels are still to be compiled, that is when they are.
        chunks = max(1, min(_CHUNKS, tokens // _CHUNK_TOKENS))
        share = 2 if self._keeps else 16
        some = max(1, tokens // share)
        part = self._try(sample(self.documents, some, max(1, chunks // (share // 2))))
        whole = self._try(sample(self.documents, tokens, chunks))
        distinct = _extrapolated(part, whole, windows)
        entry_bytes = self.symbols.shape.key_bytes + _ENTRY_BYTES
        table_bytes = round(distinct * entry_bytes) if self._keeps else 0
        temporary_bytes = self._spilled_bytes + (table_bytes if self.table == "temporary" else 0)
        return Cost(
            order=self.symbols.shape.order,
            windows=windows,
            passes=len(self.plan.passes),
            memory_bytes=self._memory_bytes(distinct / max(windows, 1)),
            table_bytes=table_bytes,
            temporary_bytes=temporary_bytes,
            seconds=self._seconds(whole, windows, distinct),
        )

    @property
    def most_table_bytes(self) -> int:
        """What a table takes whose windows are all distinct."""
        return self.documents.tokens * (self.symbols.shape.key_bytes + _MOST_ENTRY_BYTES)

    @property
    def _spilled_bytes(self) -> int:
        """Keys in a temporary file."""
        return self.plan.pass_windows * self.symbols.shape.key_bytes if self.limits.spills else 0

    def _memory_bytes(self, distinct_share: float) -> int:
        """What the passes allocate: of counts and of what is kept, only so much as is distinct."""
        limits, shape, threads = self.limits, self.symbols.shape, self.work.threads
        held = self.plan.pass_windows
        sizes = np.sort(self.plan.windows)[::-1][:threads].clip(max=limits.bucket_windows)
        largest = sizes.astype(np.int64).tolist()
        groups = [max(size, limits.group_windows) for size in largest]
        counts = 8 * distinct_share * min(held, sum(groups))
        scratch = shape.key_bytes * sum(largest)
        # Results that wait, two more than threads; of one pass, since the next one waits for them.
        cut = self.plan.windows.max(initial=0) > limits.bucket_windows or self.plan.split.any()
        each = (8 if cut else 0) + (shape.key_bytes + _ENTRY_BYTES if self._keeps else 0)
        waiting = each * distinct_share * min(held, (threads + 2) * max(groups, default=0))
        fixed = fixed_bytes(self.documents, self.symbols, threads)
        keys = held * shape.key_bytes - self._spilled_bytes
        return int(fixed + keys + scratch + counts + waiting)

    def _seconds(self, tried: _Tried, windows: int, distinct: float) -> float:
        if not tried.windows:
            return 0.0
        by_window = tried.scatter_seconds / tried.windows
        sorting = tried.sort_seconds / tried.windows * windows
        consuming = tried.consume_seconds / tried.distinct * distinct
        passes = len(self.plan.passes)
        scattering = by_window * self.windows_read
        if passes > 1:
            scattering += self._sieve_seconds() * windows * passes
        shared = (scattering + sorting + consuming) / self.work.threads
        # The interpreter runs for one thread at a time.
        return shared + _GROUP_SECONDS * self.groups

    @property
    def windows_read(self) -> int:
        """Windows that are looked at, over all passes: a lead cut by re-reading in each that holds
        a bucket of it."""
        of_lead = np.bincount(self.plan.leads, self.plan.windows).astype(np.int64)
        return sum(
            int(of_lead[np.unique(self.plan.leads[begin:end])].sum())
            for begin, end in self.plan.passes
            if not self.plan.equal[begin]
        )

    @property
    def groups(self) -> int:
        """About how many groups are sorted: a pass begins a new one, and so does a large lead."""
        size = max(1, self.limits.group_windows)
        behind = np.append(0, np.cumsum(self.plan.windows)).astype(np.int64)
        held = np.array([behind[end] - behind[begin] for begin, end in self.plan.passes])
        large = int(np.count_nonzero(self.plan.windows > self.limits.bucket_windows))
        return int((-(-held // size)).sum()) + large

    def _sieve_seconds(self) -> float:
        """Of a token that a pass does not keep."""
        chunks = sample(self.documents, _MOST_SAMPLE, 1)
        size = len(self.plan.leads)
        offsets, keys = np.zeros(1, np.int64), np.zeros((0, self.symbols.shape.words), np.uint64)
        read = sum(chunk.end - chunk.begin for chunk, _ in chunks)
        return self._timed(chunks, "scatter_windows", size - 1, size, offsets, keys) / max(read, 1)

    def _try(self, chunks: Sequence[ShardChunk]) -> _Tried:
        """A pass over the sample, on this thread."""
        shape, size = self.symbols.shape, len(self.plan.leads)
        slots, depths = np.arange(size, dtype=np.int32), np.zeros(size, np.int32)
        sizes = np.zeros((size, 1), np.uint64)
        self._timed(chunks, "count_windows", slots, depths, sizes)
        bounds = np.append(0, np.cumsum(sizes)).astype(np.int64)
        keys = zeros((int(bounds[-1]), shape.words), np.uint64)
        offsets = bounds[:-1].copy()
        scatter_seconds = self._timed(chunks, "scatter_windows", 0, size, offsets, keys)
        group = self.limits.group_windows
        counts = zeros(max(group, int(sizes.max(initial=0))), np.uint64)
        scratch = zeros((int(sizes.max(initial=0)), shape.words), np.uint64)
        # The sample ends fewer documents than the corpus does; their number changes nothing here.
        scan = SpectraScan(self.work.backend.kernels, shape, empty_ends(shape))
        distinct, sort_seconds, consume_seconds, first = 0, 0.0, 0.0, 0
        while first < size:
            last = max(first + 1, int(np.searchsorted(bounds, bounds[first] + group, "right")) - 1)
            begun = time.thread_time()
            run = self._sorted(bounds[first : last + 1], first, keys, counts, scratch)
            sorted_at = time.thread_time()
            scan.add(run, flush=True)
            if self._keeps and len(run.counts):
                pack_blocks(run)
            distinct += len(run.counts)
            sort_seconds += sorted_at - begun
            consume_seconds += time.thread_time() - sorted_at
            first = last
        windows = int(bounds[-1])
        return _Tried(windows, distinct, scatter_seconds, sort_seconds, consume_seconds)

    def _sorted(self, bounds: I64, bucket: int, keys: U64, counts: U64, scratch: U64) -> SortedRun:
        distinct = np.zeros(len(bounds) - 1, np.int64)
        check(self.work.backend.kernels.sort_runs(bounds, keys, counts, scratch, distinct))
        packed = np.append(0, np.cumsum(distinct)).astype(np.int64)
        leads = self.plan.leads[bucket : bucket + len(distinct)]
        return SortedRun(leads, packed, keys[bounds[0] :][: packed[-1]], counts[: packed[-1]])

    def _timed(self, chunks: Sequence[ShardChunk], kernel: str, *rest: object) -> float:
        """Seconds of a kernel that reads windows."""
        call: Callable[..., Status] = getattr(self.work.backend.kernels, kernel)
        begun = time.thread_time()
        for chunk, shard in chunks:
            status = call(self.symbols.view(chunk), self.symbols.alphabet, self.plan.buckets, *rest)
            check_ids(status, shard, self.symbols.vocab_size)
        return time.thread_time() - begun


def sample_tokens(windows: int) -> int:
    """How many tokens of so many are tried."""
    return min(max(int(windows * _SAMPLE_SHARE), _LEAST_SAMPLE), _MOST_SAMPLE)


def _extrapolated(part: _Tried, whole: _Tried, windows: int) -> float:
    """Distinct windows of the corpus by Heaps' law, its exponent from two samples."""
    if not part.distinct or whole.windows >= windows or part.windows >= whole.windows:
        return float(whole.distinct)
    exponent = math.log(whole.distinct / part.distinct) / math.log(whole.windows / part.windows)
    growth = float((windows / whole.windows) ** min(max(exponent, 0.0), 1.0))
    return min(whole.distinct * growth, float(windows))
