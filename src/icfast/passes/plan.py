"""Cutting the windows into buckets and the buckets into passes that fit the memory cap.

A bucket is a lead token, or a part of one where its windows alone exceed their share of the cap:
then it is cut by the next history symbol, and again, until it fits or all its windows are equal.
Every pass re-reads the mapped corpus and keeps one range of buckets, so no temporary disk is used
and the result cannot depend on the cap.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icfast.errors import ResourceError
from icfast.kernels.contract import Buckets
from icfast.measure.runs import KeyShape
from icfast.passes.alphabet import Symbols, lanes_of
from icfast.passes.documents import DocumentSet, check_ids
from icfast.passes.threads import Pool, Work
from icfast.units import format_bytes

#: Windows sorted by one thread at a time, where memory allows: 8 MiB of one-word keys.
_GROUP_WINDOWS = 1 << 20

#: Fewest windows worth a group; below it the cap is refused.
_LEAST_GROUP_WINDOWS = 1 << 10


@dataclass(frozen=True)
class Budget:
    """How the memory cap is shared out.

    Attributes:
        pass_windows: keys held at once.
        group_windows: windows one thread sorts at a time; no bucket is larger.
    """

    pass_windows: int
    group_windows: int


def budget(documents: DocumentSet, symbols: Symbols, work: Work) -> Budget:
    """Share out the cap: tables, then a quarter for the threads' groups, the rest for keys.

    Raises:
        ResourceError: the cap does not hold the tables and the smallest pass.
    """
    key_bytes = 8 * symbols.shape.words
    # Per lead: two u64 rows of counts per lane, the bucket's low key and size.
    tables = symbols.leads * (16 * work.threads + 2 * key_bytes + 32)
    tables += symbols.alphabet.ranks.nbytes
    ends = len(documents) * 3 * (key_bytes + 16)
    free = work.memory_bytes - tables - ends
    # A group needs its keys again as scratch, its counts, and the same waiting to be consumed.
    per_window = 3 * key_bytes + 24
    group = min(_GROUP_WINDOWS, free // (4 * work.threads * per_window))
    if group < _LEAST_GROUP_WINDOWS:
        least = tables + ends + 4 * work.threads * per_window * _LEAST_GROUP_WINDOWS
        raise ResourceError(
            f"--memory {format_bytes(work.memory_bytes)} is too little: "
            f"{len(symbols.ids)} ids and {len(documents)} documents need at least "
            f"{format_bytes(least)}"
        )
    keys = (free - work.threads * per_window * group) // key_bytes
    return Budget(pass_windows=keys, group_windows=group)


@dataclass(frozen=True, eq=False)
class Plan:
    """Buckets in key order, and how many windows each lane has of each.

    Attributes:
        buckets: the partition, as kernels read it.
        leads: u32[buckets], the lead of each.
        counts: u64[lanes, buckets] windows.
        equal: bool[buckets]: all its windows are the same, whose key is the bucket's low one.
        split: bool[buckets]: the lead has several buckets.
        passes: ranges of buckets done in one reading of the corpus.
    """

    buckets: Buckets
    leads: NDArray[np.uint32]
    counts: NDArray[np.uint64]
    equal: NDArray[np.bool_]
    split: NDArray[np.bool_]
    passes: tuple[tuple[int, int], ...]

    @property
    def windows(self) -> NDArray[np.uint64]:
        """u64[buckets]: windows of each."""
        return _added(self.counts)


@dataclass
class _Part:
    """A bucket in the making: its first key as a whole number, and how many symbols it fixes."""

    lead: int
    low: int
    depth: int
    windows: int


def make_plan(
    documents: DocumentSet, symbols: Symbols, limits: Budget, work: Work, pool: Pool
) -> Plan:
    """Count the windows of each lead, cut what is too large, and pack passes."""
    counter = _Counter(documents, symbols, work, pool)
    parts = [_Part(lead, 0, 0, 0) for lead in range(symbols.leads)]
    counts = counter.per_lane(parts)
    _set_windows(parts, counts)
    # A lead must fit a pass and a 32-bit offset; cutting below that would only cost readings.
    limit = min(_bucket_limit(limits), 2**31 - 1)
    if any(_too_large(part, limit, symbols.shape) for part in parts):
        parts = _refine(parts, limit, counter, symbols.shape)
        counts = counter.per_lane(parts)
        _set_windows(parts, counts)
    equal = np.array([p.windows > limit for p in parts], np.bool_)
    leads = np.array([part.lead for part in parts], np.uint32)
    often = np.bincount(leads, minlength=symbols.leads)
    return Plan(
        buckets=_buckets(parts, symbols),
        leads=leads,
        counts=counts,
        equal=equal,
        split=often[leads] > 1,
        passes=tuple(_passes(parts, equal, limits.pass_windows)),
    )


def _added(counts: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """Sum over the lanes."""
    return np.asarray(counts.sum(axis=0, dtype=np.uint64))


def _bucket_limit(limits: Budget) -> int:
    # With room for large groups a hot lead stays whole: one sort, scanned beside the others.
    whole = limits.group_windows == _GROUP_WINDOWS
    return max(limits.group_windows, limits.pass_windows // 16) if whole else limits.group_windows


def _too_large(part: _Part, limit: int, shape: KeyShape) -> bool:
    return part.windows > limit and part.depth < shape.order - 1


def _set_windows(parts: list[_Part], counts: NDArray[np.uint64]) -> None:
    for part, windows in zip(parts, counts.sum(axis=0).tolist(), strict=True):
        part.windows = windows


def _refine(parts: list[_Part], limit: int, counter: _Counter, shape: KeyShape) -> list[_Part]:
    """Cut parts above the limit by their next symbol until none is left to cut."""
    while large := [i for i, part in enumerate(parts) if _too_large(part, limit, shape)]:
        by_symbol = dict(zip(large, counter.by_next_symbol(parts, large), strict=True))
        parts = [
            piece
            for i, part in enumerate(parts)
            for piece in (_cut(part, by_symbol[i], limit, shape) if i in by_symbol else [part])
        ]
    return parts


def _cut(part: _Part, counts: NDArray[np.uint64], limit: int, shape: KeyShape) -> Iterator[_Part]:
    """Neighbouring symbols together while they fit; a symbol above the limit alone, deeper."""
    step = shape.bits * (shape.order - 2 - part.depth)
    begin, held = 0, 0
    for symbol in np.flatnonzero(counts).tolist():
        windows = int(counts[symbol])
        if held and held + windows > limit:
            yield _Part(part.lead, part.low + (begin << step), part.depth, held)
            begin, held = symbol, 0
        if windows > limit:
            yield _Part(part.lead, part.low + (symbol << step), part.depth + 1, windows)
            begin = symbol + 1
        else:
            held += windows
    if held:
        yield _Part(part.lead, part.low + (begin << step), part.depth, held)


def _buckets(parts: list[_Part], symbols: Symbols) -> Buckets:
    words = symbols.shape.words
    mask = (1 << 64) - 1
    low = np.zeros((len(parts), words), np.uint64)
    for row, part in zip(low, parts, strict=True):
        if part.low:
            row[:] = [part.low >> (64 * (words - 1 - w)) & mask for w in range(words)]
    leads = np.array([part.lead for part in parts])
    first = np.searchsorted(leads, np.arange(symbols.leads + 1)).astype(np.uint32)
    return Buckets(first, low)


def _passes(
    parts: list[_Part], equal: NDArray[np.bool_], windows: int
) -> Iterator[tuple[int, int]]:
    """Consecutive buckets while they fit; one of equal windows needs no keys, so goes alone."""
    begin, held = 0, 0
    for i, part in enumerate(parts):
        alone = bool(equal[i])
        if i > begin and (alone or held + part.windows > windows):
            yield begin, i
            begin, held = i, 0
        if alone:
            yield i, i + 1
            begin = i + 1
        else:
            held += part.windows
    if begin < len(parts):
        yield begin, len(parts)


@dataclass(frozen=True)
class _Counter:
    """Counts windows by bucket, one reading of the corpus a call."""

    documents: DocumentSet
    symbols: Symbols
    work: Work
    pool: Pool

    def per_lane(self, parts: list[_Part]) -> NDArray[np.uint64]:
        """u64[lanes, parts] windows."""
        slots = np.arange(len(parts), dtype=np.int32)
        return self._count(parts, slots, np.zeros(len(parts), np.int32), 1)[:, :, 0]

    def by_next_symbol(self, parts: list[_Part], chosen: list[int]) -> NDArray[np.uint64]:
        """u64[chosen, U + 1]: windows of those parts by the first symbol they don't fix."""
        slots = np.full(len(parts), -1, np.int32)
        slots[chosen] = np.arange(len(chosen))
        depths = np.array([parts[i].depth + 1 for i in chosen], np.int32)
        columns = len(self.symbols.ids) + 1
        return _added(self._count(parts, slots, depths, columns))

    def _count(
        self,
        parts: list[_Part],
        slots: NDArray[np.int32],
        depths: NDArray[np.int32],
        columns: int,
    ) -> NDArray[np.uint64]:
        buckets, alphabet = _buckets(parts, self.symbols), self.symbols.alphabet
        lanes = lanes_of(self.documents, self.work)
        counts = np.zeros((len(lanes), len(depths), columns), np.uint64)

        def count(lane: int) -> None:
            for piece, shard in lanes[lane]:
                status = self.work.backend.kernels.count_windows(
                    self.symbols.view(piece), alphabet, buckets, slots, depths, counts[lane]
                )
                check_ids(status, shard, self.symbols.vocab_size)

        for _ in self.pool.map(count, range(len(lanes))):
            pass
        return counts
