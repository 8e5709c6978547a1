"""From documents to sorted distinct windows, in key order, on all cores and within the cap."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from icfast.errors import check
from icfast.kernels.contract import Ends, Run
from icfast.measure.runs import sum_ends
from icfast.passes.alphabet import Symbols, lanes_of
from icfast.passes.buffers import Room, ThreadRooms
from icfast.passes.documents import DocumentSet, check_ids
from icfast.passes.plan import Budget, Plan
from icfast.passes.threads import Pool, Work

Result = TypeVar("Result")


class Group(NamedTuple):
    """Neighbouring buckets one thread sorts at a time.

    Attributes:
        whole: no lead in it goes on in another group.
    """

    run: Run
    whole: bool


def document_ends(documents: DocumentSet, symbols: Symbols, work: Work) -> Ends:
    """The windows that end a document, sorted, with how many documents end so."""
    ends = []
    for part in documents.parts:
        leads = np.zeros(len(part.starts), np.uint32)
        keys = np.zeros((len(part.starts), symbols.shape.words), np.uint64)
        if len(leads):
            piece = symbols.tails(part.piece())
            status = work.backend.kernels.end_windows(piece, symbols.alphabet, leads, keys)
            check_ids(status, part.shard, symbols.vocab_size)
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
    keys: Room = field(default_factory=Room)
    rooms: ThreadRooms = field(default_factory=ThreadRooms)

    def map(self, consume: Callable[[Group], Result]) -> Iterator[Result]:
        """consume(group) for every group, called in the threads, results in key order.

        The arrays of a group that is whole are used again: consume copies what it keeps.
        """
        done = np.append(0, np.cumsum(self.plan.windows))
        for begin, end in self.plan.passes:
            for last, result in self._pass(begin, end, consume):
                self.work.progress("counting", int(done[last]) / max(1, int(done[-1])))
                yield result

    def _pass(
        self, begin: int, end: int, consume: Callable[[Group], Result]
    ) -> Iterator[tuple[int, Result]]:
        """(bucket behind the group, result) for every group of one pass."""
        if self.plan.equal[begin]:
            yield end, consume(Group(self._equal_run(begin), whole=False))
            return
        bounds = np.append(0, np.cumsum(self.plan.windows[begin:end])).astype(np.int64)
        keys = self.keys.words(int(bounds[-1]), self.symbols.shape.words)
        self._scatter(begin, end, bounds, keys)
        groups = list(self._groups(begin, end, bounds))

        def sort(group: tuple[int, int, bool]) -> tuple[int, Result]:
            first, last, whole = group
            leads = self.plan.leads[begin + first : begin + last]
            run = self._sorted(leads, bounds[first : last + 1], keys)
            # The parts of a lead are scanned later, in order.
            kept = run if whole else run._replace(keys=run.keys.copy(), counts=run.counts.copy())
            return begin + last, consume(Group(kept, whole))

        yield from self.pool.map(sort, groups)

    def _equal_run(self, bucket: int) -> Run:
        """A bucket whose windows are all the same needs no sorting, only its count."""
        return Run(
            self.plan.leads[bucket : bucket + 1],
            np.array([0, 1], np.int64),
            self.plan.buckets.low[bucket : bucket + 1],
            self.plan.windows[bucket : bucket + 1],
        )

    def _scatter(
        self, begin: int, end: int, bounds: NDArray[np.int64], keys: NDArray[np.uint64]
    ) -> None:
        """Each lane writes behind the lanes before it, so lanes never meet."""
        counts = self.plan.counts[:, begin:end].astype(np.int64)
        offsets = bounds[:-1] + np.cumsum(counts, axis=0) - counts
        lanes = lanes_of(self.documents, self.work)

        def scatter(lane: int) -> None:
            for piece, shard in lanes[lane]:
                status = self.work.backend.kernels.scatter_windows(
                    self.symbols.view(piece),
                    self.symbols.alphabet,
                    self.plan.buckets,
                    begin,
                    end,
                    offsets[lane],
                    keys,
                )
                check_ids(status, shard, self.symbols.vocab_size)

        for _ in self.pool.map(scatter, range(len(lanes))):
            pass

    def _groups(
        self, begin: int, end: int, bounds: NDArray[np.int64]
    ) -> Iterator[tuple[int, int, bool]]:
        """(first, last, whole): buckets up to the group size; parts of one lead stay apart."""
        split = self.plan.split[begin:end]
        edges = np.flatnonzero(split[1:] != split[:-1]) + 1
        for low, high in zip([0, *edges], [*edges, end - begin], strict=True):
            first = int(low)
            while first < high:
                room = bounds[first] + self.limits.group_windows
                last = max(first + 1, int(np.searchsorted(bounds, room, "right")) - 1)
                last = min(last, int(high))
                yield first, last, not split[first]
                first = last

    def _sorted(
        self, leads: NDArray[np.uint32], bounds: NDArray[np.int64], keys: NDArray[np.uint64]
    ) -> Run:
        size = int(bounds[-1] - bounds[0])
        largest = int(np.diff(bounds).max(initial=0))
        counts = self.rooms.counts.words(size, 1)[:, 0]
        scratch = self.rooms.scratch.words(largest, keys.shape[1])
        distinct = np.zeros(len(leads), np.int64)
        check(self.work.backend.kernels.sort_runs(bounds, keys, counts, scratch, distinct))
        packed = np.append(0, np.cumsum(distinct)).astype(np.int64)
        start = int(bounds[0])
        return Run(leads, packed, keys[start : start + packed[-1]], counts[: packed[-1]])
