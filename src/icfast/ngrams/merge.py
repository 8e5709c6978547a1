"""The sum of count tables: ranges of leads, each merged on its own, on all cores.

A lead's windows stand together in every table, so ranges of leads add up. A range is cut where
blocks begin; one that a single hot lead makes large is streamed instead of held.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import chain, groupby, pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.contract import Kernels
from icfast.backends.counting import Ends, SortedRun
from icfast.corpus.source import merged_source
from icfast.errors import MergeError, check
from icfast.ngrams.blocks import pack_blocks
from icfast.ngrams.keys import KeyShape
from icfast.ngrams.scan import SpectraScan, self_check
from icfast.ngrams.sorted_runs import add_runs, merge_streams, sum_ends
from icfast.ngrams.table import CountTable, Totals, write_table

#: Entries merged by one thread at a time.
_RANGE_ENTRIES = 1 << 19

#: A range with more is not held in memory.
_LARGE_ENTRIES = 1 << 22


class _Range(NamedTuple):
    """Leads [low, high) of the merged table, and about how many entries all tables have there."""

    low: int
    high: int
    entries: int


class _Merged(NamedTuple):
    """What a thread made of a range; per table, how many windows it read."""

    scan: SpectraScan
    blocks: list[memoryview]
    seen: NDArray[np.int64]


#: Calls on items, perhaps several at once, results in their order.
OrderedMap = Callable[[Callable[[_Range], _Merged], Iterable[_Range]], Iterator[_Merged]]


def merge_tables(
    tables: Sequence[CountTable], directory: Path, kernels: Kernels, ordered_map: OrderedMap
) -> CountTable:
    """The table of all their shards, exactly as if these had been counted together.

    Raises:
        MergeError: they differ in order, tokenizer or a convention, or share a shard.
        OptionError: their ids together make keys too long for their order.
        ArtefactError: a table is damaged.
    """
    if not tables:
        raise MergeError("nothing to merge: name at least one table")
    source = merged_source([table.source for table in tables])
    ids = np.unique(np.concatenate([table.ids for table in tables]))
    shape = KeyShape.of(source.order, len(ids))
    remaps = [_Remap(kernels, table, ids, shape) for table in tables]
    ends = sum_ends([remap.ends() for remap in remaps], shape)
    totals = Totals(
        sum(table.totals.tokens for table in tables),
        sum(table.totals.documents for table in tables),
        tuple(map(sum, zip(*(table.totals.windows for table in tables), strict=True))),
    )
    merging = _Merging(kernels, remaps, shape, ends)
    with write_table(directory) as writer:
        writer.begin(shape)
        total, seen = SpectraScan(kernels, shape, ends), np.zeros(len(tables), np.int64)
        for large, ranges in groupby(_ranges(remaps), lambda r: r.entries > _LARGE_ENTRIES):
            if large:
                for leads in ranges:
                    for run in merging.runs(leads, seen):
                        total.add(run)
                        writer.add(pack_blocks(run))
                continue
            for merged in ordered_map(merging.whole, ranges):
                total.absorb(merged.scan)
                writer.add(merged.blocks)
                seen += merged.seen
        total.flush()
        for table, windows in zip(tables, seen.tolist(), strict=True):
            table.check_total(windows)
        spectra = total.spectra(totals.tokens, totals.documents)
        self_check(spectra, totals.windows)
        writer.finish(source, shape, totals, ids, ends, spectra)
    return CountTable.load(directory)


def _ranges(remaps: Sequence[_Remap]) -> list[_Range]:
    """All leads, cut where some table's block begins."""
    starts: dict[int, int] = {}
    for lead, entries in (block for remap in remaps for block in remap.blocks()):
        starts[lead] = starts.get(lead, 0) + entries
    cuts, sizes = [0], [0]
    for lead, entries in sorted(starts.items()):
        if sizes[-1] >= _RANGE_ENTRIES:
            cuts.append(lead)
            sizes.append(0)
        sizes[-1] += entries
    return [
        _Range(*edges, size) for edges, size in zip(pairwise([*cuts, 2**32]), sizes, strict=True)
    ]


@dataclass(frozen=True)
class _Merging:
    kernels: Kernels
    remaps: Sequence[_Remap]
    shape: KeyShape
    ends: Ends

    def runs(self, leads: _Range, seen: NDArray[np.int64]) -> Iterator[SortedRun]:
        """The sum over a range, run by run; windows read of each table are added to seen."""
        return merge_streams(self.kernels, self._streams(leads, seen))

    def whole(self, leads: _Range) -> _Merged:
        """A range, all of it in memory, scanned and packed."""
        seen = np.zeros(len(self.remaps), np.int64)
        scan = SpectraScan(self.kernels, self.shape, self.ends)
        runs = [*chain(*self._streams(leads, seen))]
        if not runs:
            return _Merged(scan, [], seen)
        run = add_runs(self.kernels, runs)
        scan.add(run, flush=True)
        return _Merged(scan, pack_blocks(run), seen)

    def _streams(self, leads: _Range, seen: NDArray[np.int64]) -> list[Iterator[SortedRun]]:
        return [
            remap.runs(leads.low, leads.high, seen[i : i + 1])
            for i, remap in enumerate(self.remaps)
        ]


@dataclass(frozen=True)
class _Remap:
    """A table as seen through the merged dictionary."""

    kernels: Kernels
    table: CountTable
    ids: NDArray[np.uint32]
    shape: KeyShape
    sound: set[int] = field(default_factory=set)

    def runs(self, low: int, high: int, seen: NDArray[np.int64]) -> Iterator[SortedRun]:
        """Its windows whose new lead lies in [low, high), their number added to seen[0]."""
        ranks = self._ranks
        old_low, old_high = np.searchsorted(ranks, [low, high]).tolist()
        for run in self.table.runs_of(old_low, old_high, self.sound):
            seen += int(run.counts.sum())
            yield run._replace(leads=ranks[run.leads], keys=self._keys(run.keys, ranks))

    def blocks(self) -> list[tuple[int, int]]:
        """(new first lead, entries) of each of its blocks."""
        ranks = self._ranks
        return [(int(ranks[lead]), entries) for lead, entries in self.table.blocks()]

    def ends(self) -> Ends:
        ranks, ends = self._ranks, self.table.ends()
        return Ends(ranks[ends.leads], self._keys(ends.keys, ranks), ends.counts)

    @cached_property
    def _ranks(self) -> NDArray[np.uint32]:
        """New rank of each old one: begin mark, ids, end mark."""
        ranks = np.zeros(len(self.table.ids) + 2, np.uint32)
        ranks[1:-1] = np.searchsorted(self.ids, self.table.ids) + 1
        ranks[-1] = len(self.ids) + 1
        return ranks

    def _keys(self, keys: NDArray[np.uint64], ranks: NDArray[np.uint32]) -> NDArray[np.uint64]:
        if self.shape == self.table.shape and np.array_equal(self.ids, self.table.ids):
            return keys
        new = np.empty((len(keys), self.shape.words), np.uint64)
        shape = self.table.shape
        keys = np.ascontiguousarray(keys)
        check(
            self.kernels.remap_keys(keys, ranks, shape.order, shape.bits, new, self.shape.bits),
            self.table.directory,
        )
        return new
