"""Cutting the windows into buckets and the buckets into passes that fit the memory cap.

A bucket is a lead token, or a part of one where its windows alone exceed a pass: then it is cut by
the next history symbol, and again, until it fits or all its windows are equal.
Every pass re-reads the mapped corpus and keeps one range of buckets, so no temporary disk is used
and the result cannot depend on the cap. Where there would be many passes and a folder for temporary
files is given, there is one pass instead, whose keys are held in a file.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import Buckets, Chunk
from icfast.corpus.documents import DocumentSet, check_ids, sample
from icfast.errors import ResourceError
from icfast.ngrams.alphabet import Symbols, count_type, thread_chunks
from icfast.ngrams.keys import KeyShape
from icfast.ngrams.scan import scan_bytes
from icfast.parallel.buffers import zeros
from icfast.parallel.threads import Pool, Work
from icfast.units import format_bytes

#: Windows sorted by one thread at a time, where memory allows: 8 MiB of one-word keys.
_GROUP_WINDOWS = 1 << 20

#: Interpreter objects, modules loaded on first use, allocator slack; and as much again a thread.
_OVERHEAD_BYTES = 2 << 20
_THREAD_BYTES = 1 << 19

#: The part of the cap, after tables, that threads sort in: less makes groups too small to be worth
#: their bookkeeping, more takes keys from the passes.
_SORT_SHARE = 12

#: With a temporary folder, more passes than these are replaced by one through a file: at 13 both
#: took 0.56 s of processor time (48 M tokens, file and corpus in the page cache), 22 passes 1.05.
_MOST_PASSES = 13

#: Tokens, in so many chunks, that tell whether one window makes up much of a lead.
_SAMPLE_TOKENS = 1 << 16
_SAMPLE_CHUNKS = 64

#: Fewest windows worth a group; below it the cap is refused.
_LEAST_GROUP_WINDOWS = 1 << 10


@dataclass(frozen=True)
class Budget:
    """How the memory cap is shared out.

    Attributes:
        pass_windows: keys held at once.
        group_windows: windows one thread sorts at a time, unless one bucket has more.
        bucket_windows: the most of one bucket that is sorted whole; larger ones are cut in place.
        spills: keys are held in a temporary file, all of them at once.
    """

    pass_windows: int
    group_windows: int
    bucket_windows: int
    spills: bool = False


def budget(documents: DocumentSet, symbols: Symbols, work: Work, keeps: bool) -> Budget:
    """Share out the cap: tables, then a share for what threads sort, the rest for keys.

    Args:
        keeps: runs are packed and kept for the consumer, besides being scanned.

    Raises:
        ResourceError: the cap does not hold the tables and the smallest pass.
    """
    fixed = fixed_bytes(documents, symbols, work.threads)
    free = work.memory_bytes - fixed
    per_window = sorting_bytes(symbols.shape, work.threads, keeps)
    group = min(_GROUP_WINDOWS, free // (_SORT_SHARE * per_window))
    if group < _LEAST_GROUP_WINDOWS:
        least = fixed + _SORT_SHARE * per_window * _LEAST_GROUP_WINDOWS
        raise ResourceError(
            f"--memory {format_bytes(work.memory_bytes)} is too little: "
            f"{len(symbols.ids)} ids and {len(documents)} documents need at least "
            f"{format_bytes(least)}"
        )
    # All of that share for one bucket keeps hot leads whole: one sort, one scan.
    bucket = free // (_SORT_SHARE * per_window)
    keys = (free - per_window * bucket) // symbols.shape.key_bytes
    if work.temporary is not None and documents.tokens > _MOST_PASSES * keys:
        return _spilling(documents, free // per_window)
    return Budget(keys, group, bucket)


def _spilling(documents: DocumentSet, windows: int) -> Budget:
    """All memory is for sorting, half of it left as slack."""
    group = min(_GROUP_WINDOWS, windows // 2)
    return Budget(documents.tokens, group, group, spills=True)


def fixed_bytes(documents: DocumentSet, symbols: Symbols, threads: int) -> int:
    """What a pass allocates whatever the cap."""
    key_bytes = symbols.shape.key_bytes
    # Per lead: rows of counts, one of ids and one of windows, and of offsets; low key, sizes and
    # bounds.
    rows = 2 * np.dtype(count_type(documents.tokens)).itemsize + 8
    tables = symbols.leads * (rows * threads + key_bytes + 70) + symbols.alphabet.ranks.nbytes
    ends = len(documents) * 3 * (key_bytes + 16)
    scans = (threads + 1) * scan_bytes(symbols.shape)
    return _OVERHEAD_BYTES + threads * _THREAD_BYTES + tables + ends + scans


def sorting_bytes(shape: KeyShape, threads: int, keeps: bool) -> int:
    """What sorting takes for each window of a group, besides its key.

    A thread sorts with its keys again as scratch, and counts. Two results more than threads wait
    for the consumer: the counts of parts of a lead, and what was kept.
    """
    waiting = 8 + (shape.key_bytes + 8 if keeps else 0)
    return threads * (shape.key_bytes + 8) + (threads + 2) * waiting


@dataclass(frozen=True, eq=False)
class Plan:
    """Buckets in key order, and how many windows each thread has of each.

    Attributes:
        buckets: the partition, as kernels read it.
        leads: u32[buckets], the lead of each.
        counts: u32 or u64[threads, buckets] windows.
        equal: bool[buckets]: all its windows are the same, whose key is the bucket's low one.
        split: bool[buckets]: the lead has several buckets.
        passes: ranges of buckets done in one reading of the corpus.
    """

    buckets: Buckets
    leads: NDArray[np.uint32]
    counts: NDArray[np.unsignedinteger]
    equal: NDArray[np.bool_]
    split: NDArray[np.bool_]
    passes: tuple[tuple[int, int], ...]

    @property
    def windows(self) -> NDArray[np.uint64]:
        """u64[buckets]: windows of each."""
        return _added(self.counts)

    @property
    def pass_windows(self) -> int:
        """The most windows whose keys are held at once."""
        behind = np.append(0, np.cumsum(self.windows)).astype(np.int64)
        held = [behind[end] - behind[begin] for begin, end in self.passes if not self.equal[begin]]
        return int(max(held, default=0))


@dataclass(frozen=True, eq=False)
class _Partition:
    """Buckets in the making, in key order.

    Attributes:
        leads: u32[buckets].
        low: u64[buckets, W], the first key of each.
        depths: i32[buckets], how many history symbols all its windows share.
        counts: u32 or u64[threads, buckets] windows.
    """

    leads: NDArray[np.uint32]
    low: NDArray[np.uint64]
    depths: NDArray[np.int32]
    counts: NDArray[np.unsignedinteger]

    @property
    def windows(self) -> NDArray[np.uint64]:
        """u64[buckets]: windows of each."""
        return _added(self.counts)

    def buckets(self, leads: int) -> Buckets:
        """As kernels read them."""
        first = np.searchsorted(self.leads, np.arange(leads + 1)).astype(np.uint32)
        return Buckets(first, self.low)

    def cut(self, chosen: NDArray[np.int64], cuts: list[list[_Cut]]) -> _Partition:
        """Replace each chosen bucket by the buckets it is cut into."""
        often = np.ones(len(self.leads), np.int64)
        often[chosen] = [len(into) for into in cuts]
        new = _Partition(
            np.repeat(self.leads, often),
            np.repeat(self.low, often, axis=0),
            np.repeat(self.depths, often),
            np.repeat(self.counts, often, axis=1),
        )
        is_chosen = np.zeros(len(self.leads), np.bool_)
        is_chosen[chosen] = True
        rows = np.flatnonzero(np.repeat(is_chosen, often))
        flat = [cut for into in cuts for cut in into]
        words = self.low.shape[1]
        new.low[rows] = [_words(cut.low, words) for cut in flat]
        new.depths[rows] = [cut.depth for cut in flat]
        new.counts[:, rows] = np.transpose([cut.counts for cut in flat])
        return new


class _Cut(NamedTuple):
    """A bucket cut out of a larger one: its first key as an integer, u64[threads] windows."""

    low: int
    depth: int
    counts: NDArray[np.uint64]


def _words(key: int, words: int) -> list[int]:
    return [key >> (64 * (words - 1 - w)) & (1 << 64) - 1 for w in range(words)]


def _whole(words: NDArray[np.uint64]) -> int:
    return int.from_bytes(words.astype(">u8").tobytes(), "big")


def make_plan(
    documents: DocumentSet, symbols: Symbols, limits: Budget, work: Work, pool: Pool
) -> Plan:
    """Count the windows of each lead, cut what is too large, and pack passes."""
    counter = _Counter(documents, symbols, limits, work, pool)
    leads = symbols.leads
    partition = _Partition(
        np.arange(leads, dtype=np.uint32),
        np.zeros((leads, symbols.shape.words), np.uint64),
        np.zeros(leads, np.int32),
        np.zeros((1, leads), np.uint64),
    )
    counts = counter.per_lead()
    if counts is None:
        counts = counter.per_thread(partition)
    counts = counts.astype(count_type(documents.tokens), copy=False)
    partition = replace(partition, counts=counts)
    # Kernels sort with 32-bit offsets.
    limit = min(limits.pass_windows, 2**31 - 1)
    partition = _part_frequent(partition, limit, counter)
    partition = _refine(partition, limit, counter, symbols.shape)
    windows = partition.windows
    equal = windows > limit
    return Plan(
        buckets=partition.buckets(leads),
        leads=partition.leads,
        counts=partition.counts,
        equal=equal,
        split=np.bincount(partition.leads, minlength=leads)[partition.leads] > 1,
        passes=tuple(_passes(windows, equal, limits.pass_windows)),
    )


def _added(counts: NDArray[np.unsignedinteger]) -> NDArray[np.uint64]:
    """Sum over the first axis, as a rule the threads."""
    return np.asarray(counts.sum(axis=0, dtype=np.uint64))


def _part_frequent(partition: _Partition, limit: int, counter: _Counter) -> _Partition:
    """Cut leads above the limit around a window that alone seems to be above it: one reading of
    the corpus, where symbol by symbol it takes one for each."""
    chosen, cuts = [], []
    for lead in np.flatnonzero(partition.windows > limit).tolist():
        found = counter.frequent(partition, lead, limit)
        if found is not None:
            chosen.append(lead)
            cuts.append(found)
    if not chosen:
        return partition
    return counter.counted(partition.cut(np.array(chosen), cuts), np.array(chosen))


def _refine(partition: _Partition, limit: int, counter: _Counter, shape: KeyShape) -> _Partition:
    """Cut buckets above the limit by their next symbol until none is left to cut."""
    while True:
        can_cut = (partition.windows > limit) & (partition.depths < shape.order - 1)
        chosen = np.flatnonzero(can_cut)[: counter.most_chosen]
        if not len(chosen):
            return partition
        cuts = [
            list(_cuts(_whole(partition.low[b]), int(partition.depths[b]), counts, limit, shape))
            for b, counts in zip(chosen, counter.by_next_symbol(partition, chosen), strict=True)
        ]
        partition = partition.cut(chosen, cuts)


def _cuts(
    low: int, depth: int, counts: NDArray[np.uint64], limit: int, shape: KeyShape
) -> Iterator[_Cut]:
    """Neighbouring symbols together while they fit; a symbol above the limit alone, deeper.

    Args:
        counts: u64[threads, symbols].
    """
    step = shape.bits * (shape.order - 2 - depth)
    shared = low >> step + shape.bits << step + shape.bits
    total = _added(counts)
    begin, held = 0, 0

    def cut(first: int, last: int, deeper: int = 0) -> _Cut:
        key = max(low, shared + (first << step))
        return _Cut(key, depth + deeper, _added(counts[:, first:last].T))

    for symbol in np.flatnonzero(total).tolist():
        windows = int(total[symbol])
        if held and held + windows > limit:
            yield cut(begin, symbol)
            begin, held = symbol, 0
        if windows > limit:
            yield cut(symbol, symbol + 1, deeper=1)
            begin = symbol + 1
        else:
            held += windows
    if held:
        yield cut(begin, len(total))


def _passes(
    windows: NDArray[np.uint64], equal: NDArray[np.bool_], pass_windows: int
) -> Iterator[tuple[int, int]]:
    """Consecutive buckets while they fit; one of equal windows needs no keys, so goes alone."""
    behind = np.cumsum(windows)
    alone = np.append(np.flatnonzero(equal), len(windows))
    begin = 0
    while begin < len(windows):
        room = np.uint64(pass_windows) + (behind[begin - 1] if begin else np.uint64(0))
        until = int(alone[np.searchsorted(alone, begin)])
        end = min(until, int(np.searchsorted(behind, room, "right")))
        end = max(end, begin + 1)
        yield begin, end
        begin = end


def _ended(chunk: Chunk) -> int:
    """Documents whose last token the chunk holds."""
    return int(np.count_nonzero(chunk.stops <= chunk.end))


@dataclass(frozen=True)
class _Counter:
    """Counts windows by bucket, one reading of the corpus a call."""

    documents: DocumentSet
    symbols: Symbols
    limits: Budget
    work: Work
    pool: Pool

    @property
    def _columns(self) -> int:
        return len(self.symbols.ids) + 1

    @property
    def most_chosen(self) -> int:
        """Buckets whose next symbols can be counted at once, in half the room of a pass's keys."""
        limits = self.limits
        windows = limits.bucket_windows if limits.spills else limits.pass_windows
        room = windows * self.symbols.shape.key_bytes
        return max(1, room // (16 * self._columns * (self.work.threads + 1)))

    def per_lead(self) -> NDArray[np.unsignedinteger] | None:
        """As `per_thread` of whole leads, from the counts of ids, where these were kept.

        A window ends at every token, so a lead has as many as its id; and one at every end mark.
        """
        of_ids = self.symbols.thread_counts
        if of_ids is None:
            return None
        counts = np.zeros((len(of_ids), self.symbols.leads), of_ids.dtype)
        counts[:, 1 : of_ids.shape[1] + 1] = of_ids
        if self.symbols.end_mark:
            chunks = thread_chunks(self.documents, self.work)
            counts[:, -1] = [sum(_ended(chunk) for chunk, _ in own) for own in chunks]
        return counts

    def per_thread(self, partition: _Partition) -> NDArray[np.uint64]:
        """u64[threads, buckets] windows."""
        slots = np.arange(len(partition.leads), dtype=np.int32)
        return self._count(partition, slots, np.zeros(len(slots), np.int32), 1)[:, :, 0]

    def by_next_symbol(self, partition: _Partition, chosen: NDArray[np.intp]) -> NDArray[np.uint64]:
        """u64[chosen, threads, U + 1]: windows of those buckets by the first symbol they don't
        share."""
        slots = np.full(len(partition.leads), -1, np.int32)
        slots[chosen] = np.arange(len(chosen))
        counts = self._count(partition, slots, partition.depths[chosen] + 1, self._columns)
        return counts.transpose(1, 0, 2)

    def frequent(self, partition: _Partition, lead: int, limit: int) -> list[_Cut] | None:
        """A lead cut around its most frequent window, not counted; None where a sample does not
        show it above the limit."""
        shape, size = self.symbols.shape, min(_SAMPLE_TOKENS, limit // 4)
        keys, offsets = np.zeros((size, shape.words), np.uint64), np.zeros(1, np.int64)
        buckets, alphabet = partition.buckets(self.symbols.leads), self.symbols.alphabet
        for chunk, shard in sample(self.documents, size, min(_SAMPLE_CHUNKS, max(size, 1))):
            status = self.work.backend.kernels.scatter_windows(
                self.symbols.view(chunk), alphabet, buckets, lead, lead + 1, offsets, keys
            )
            check_ids(status, shard, self.symbols.vocab_size)
        found, often = np.unique(keys[: int(offsets[0])], axis=0, return_counts=True)
        if not len(found):
            return None
        share = often.max() / often.sum()
        if share * int(partition.windows[lead]) <= limit:
            return None
        key, none = _whole(found[often.argmax()]), np.zeros(len(partition.counts), np.uint64)
        cuts = [_Cut(key, shape.order - 1, none)]
        if key:
            cuts.insert(0, _Cut(0, 0, none))
        if key + 1 < 1 << shape.bits * (shape.order - 1):
            cuts.append(_Cut(key + 1, 0, none))
        return cuts

    def counted(self, partition: _Partition, leads: NDArray[np.int64]) -> _Partition:
        """The partition with the buckets of those leads counted."""
        chosen = np.flatnonzero(np.isin(partition.leads, leads))
        slots = np.full(len(partition.leads), -1, np.int32)
        slots[chosen] = np.arange(len(chosen))
        found = self._count(partition, slots, np.zeros(len(chosen), np.int32), 1)
        counts = partition.counts.copy()
        counts[:, chosen] = found[:, :, 0]
        return replace(partition, counts=counts)

    def _count(
        self,
        partition: _Partition,
        slots: NDArray[np.int32],
        depths: NDArray[np.int32],
        columns: int,
    ) -> NDArray[np.uint64]:
        buckets, alphabet = partition.buckets(self.symbols.leads), self.symbols.alphabet
        chunks = thread_chunks(self.documents, self.work)
        counts = zeros((len(chunks), len(depths), columns), np.uint64)

        def count(thread: int) -> None:
            for chunk, shard in chunks[thread]:
                status = self.work.backend.kernels.count_windows(
                    self.symbols.view(chunk), alphabet, buckets, slots, depths, counts[thread]
                )
                check_ids(status, shard, self.symbols.vocab_size)

        for _ in self.pool.map(count, range(len(chunks))):
            pass
        return counts
