"""The merge of count tables: buckets of leads, each merged independently, on all cores.

The windows of a lead are contiguous in every table, so buckets of leads add up. Buckets begin
where blocks begin. A bucket that one frequent lead makes large is streamed, not held in memory.
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
from icfast.ngrams.manifest import Totals
from icfast.ngrams.scan import SpectraScan, self_check
from icfast.ngrams.sorted_runs import add_runs, merge_streams, sum_ends
from icfast.ngrams.table import CountTable
from icfast.ngrams.table_writer import write_table
from icfast.parallel.mapped_file import unchanged

#: Entries that one thread merges at a time.
_BUCKET_ENTRIES = 1 << 19

#: Maximum entries of a bucket that is held in memory.
_LARGE_ENTRIES = 1 << 22


class _Bucket(NamedTuple):
    """Leads [low, high) of the merged table, and about the entries of all tables there."""

    low: int
    high: int
    entries: int


class _Merged(NamedTuple):
    """Merged bucket: its scan, its blocks, and i64[tables] windows read of each table."""

    scan: SpectraScan
    blocks: list[memoryview]
    seen: NDArray[np.int64]


#: Function that calls another on items, several at once, and yields the results in order.
OrderedMap = Callable[[Callable[[_Bucket], _Merged], Iterable[_Bucket]], Iterator[_Merged]]


def merge_tables(
    tables: Sequence[CountTable],
    output: Path,
    kernels: Kernels,
    ordered_map: OrderedMap,
    overwrite: bool = False,
) -> CountTable:
    """Write the table of all shards of the tables, as one count of these shards would.

    Raises:
        MergeError: the tables differ in order, tokenizer or a convention, or share a shard.
        OptionError: the merged ids make keys too long for the order.
        ArtefactError: a table is damaged.
    """
    if not tables:
        raise MergeError("there is nothing to merge. Name at least one table.")
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
    files = [file for table in tables for file in table.mapped_files]
    with (
        write_table(output, [table.directory for table in tables], overwrite) as writer,
        unchanged(files),
    ):
        writer.begin(shape)
        total, seen = SpectraScan(kernels, shape, ends), np.zeros(len(tables), np.int64)
        for large, buckets in groupby(_buckets(remaps), lambda b: b.entries > _LARGE_ENTRIES):
            if large:
                for bucket in buckets:
                    for run in merging.runs(bucket, seen):
                        total.add(run)
                        writer.add(pack_blocks(run))
                continue
            for merged in ordered_map(merging.whole, buckets):
                total.absorb(merged.scan)
                writer.add(merged.blocks)
                seen += merged.seen
        total.flush()
        for table, windows in zip(tables, seen.tolist(), strict=True):
            table.check_total(windows)
        spectra = total.spectra(totals.tokens, totals.documents)
        self_check(spectra, totals.windows)
        writer.finish(source, shape, totals, ids, ends, spectra)
    return CountTable.load(output)


def _buckets(remaps: Sequence[_Remap]) -> list[_Bucket]:
    """Return all leads in buckets that begin where a block of some table begins."""
    starts: dict[int, int] = {}
    for lead, entries in (block for remap in remaps for block in remap.blocks()):
        starts[lead] = starts.get(lead, 0) + entries
    cuts, sizes = [0], [0]
    for lead, entries in sorted(starts.items()):
        if sizes[-1] >= _BUCKET_ENTRIES:
            cuts.append(lead)
            sizes.append(0)
        sizes[-1] += entries
    return [
        _Bucket(*edges, size) for edges, size in zip(pairwise([*cuts, 2**32]), sizes, strict=True)
    ]


@dataclass(frozen=True)
class _Merging:
    kernels: Kernels
    remaps: Sequence[_Remap]
    shape: KeyShape
    ends: Ends

    def runs(self, bucket: _Bucket, seen: NDArray[np.int64]) -> Iterator[SortedRun]:
        """Yield the merged runs of a bucket; add the windows read of each table to `seen`."""
        return merge_streams(self.kernels, self._streams(bucket, seen))

    def whole(self, bucket: _Bucket) -> _Merged:
        """Merge a bucket in memory, scan it and pack it."""
        seen = np.zeros(len(self.remaps), np.int64)
        scan = SpectraScan(self.kernels, self.shape, self.ends)
        runs = [*chain(*self._streams(bucket, seen))]
        if not runs:
            return _Merged(scan, [], seen)
        run = add_runs(self.kernels, runs)
        scan.add(run, flush=True)
        return _Merged(scan, pack_blocks(run), seen)

    def _streams(self, bucket: _Bucket, seen: NDArray[np.int64]) -> list[Iterator[SortedRun]]:
        return [
            remap.runs(bucket.low, bucket.high, seen[i : i + 1])
            for i, remap in enumerate(self.remaps)
        ]


@dataclass(frozen=True)
class _Remap:
    """Table whose keys are translated to the ranks of the merged ids."""

    kernels: Kernels
    table: CountTable
    ids: NDArray[np.uint32]
    shape: KeyShape
    sound: set[int] = field(default_factory=set)

    def runs(self, low: int, high: int, seen: NDArray[np.int64]) -> Iterator[SortedRun]:
        """Yield the windows with a new lead in [low, high); add their number to seen[0]."""
        ranks = self._ranks
        old_low, old_high = np.searchsorted(ranks, [low, high]).tolist()
        for run in self.table.runs_of(old_low, old_high, self.sound):
            seen += int(run.counts.sum())
            yield run._replace(leads=ranks[run.leads], keys=self._keys(run.keys, ranks))

    def blocks(self) -> list[tuple[int, int]]:
        """Return (new first lead, entries) of each block."""
        ranks = self._ranks
        return [(int(ranks[lead]), entries) for lead, entries in self.table.blocks()]

    def ends(self) -> Ends:
        ranks, ends = self._ranks, self.table.ends()
        return Ends(ranks[ends.leads], self._keys(ends.keys, ranks), ends.counts)

    @cached_property
    def _ranks(self) -> NDArray[np.uint32]:
        """u32[U + 2]: new rank of each old rank (begin mark, ids, end mark)."""
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
