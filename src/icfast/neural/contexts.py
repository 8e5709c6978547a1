"""The windows of one shard, cut into units of work and filled into batches."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.corpus import outside_vocabulary
from icfast.corpus.documents import ShardDocuments
from icfast.corpus.shard import first_at_least
from icfast.errors import CorpusError
from icfast.neural.context_policy import WindowPolicy, Windows
from icfast.neural.token_model import IGNORE_INDEX
from icfast.sums.by_position import position_bins

I64 = NDArray[np.int64]

#: Targets of one unit, or one window's: what an interrupted pass does again at most. Batches are
#: sorted by length within a unit, so smaller ones are filled up more: by 8 % at 2^14, 4 % at 2^16.
UNIT_TARGETS = 1 << 15


class Unit(NamedTuple):
    """Windows first..last - 1 of a shard, and the documents that their scored targets are in."""

    first: int
    last: int
    first_document: int
    last_document: int


class Batch(NamedTuple):
    """What a model is given at once, i64[windows, positions] each, and where its losses go.

    Attributes:
        targets: IGNORE_INDEX where a position is context, or filled up.
        documents: the document of each target, counted from the unit's first; -1 elsewhere.
        positions: the bin of its position in the document; -1 elsewhere.
    """

    ids: I64
    targets: I64
    documents: I64
    positions: I64


@dataclass(frozen=True, eq=False)
class ShardWindows:
    """The windows of a shard under a policy.

    Its chosen documents stand one behind the other; `offsets` i64[documents + 1] says where.
    """

    part: ShardDocuments
    policy: WindowPolicy

    @cached_property
    def offsets(self) -> I64:
        """Where each document begins, and the last one ends."""
        return np.append(0, np.cumsum(self.part.stops - self.part.starts)).astype(np.int64)

    @cached_property
    def bounds(self) -> I64:
        """Where each sequence begins, and the last one ends."""
        return self.offsets[[0, -1]] if self.policy.packed else self.offsets

    @cached_property
    def windows(self) -> Windows:
        """All of them, in order."""
        return self.policy.windows(np.diff(self.bounds))

    @property
    def first_tokens(self) -> I64:
        """Where the first token of each sequence stands that has one."""
        return self.bounds[:-1][np.diff(self.bounds) > 0]

    def documents_of(self, tokens: I64) -> I64:
        """The document each token is in."""
        return np.searchsorted(self.offsets, tokens, "right") - 1

    @cached_property
    def documents_sha256(self) -> str:
        """Where the documents stand in the shard, as a digest."""
        spans = np.concatenate([self.part.starts, self.part.stops]).astype("<i8")
        return hashlib.sha256(spans.tobytes()).hexdigest()

    def units(self) -> list[Unit]:
        """The windows in order, cut so that each unit has about the same number of targets."""
        windows = self.windows
        if not len(windows):
            return []
        done = np.cumsum(windows.end - windows.scored)
        edges = np.flatnonzero(np.diff((done - 1) // UNIT_TARGETS)) + 1
        firsts = np.append(0, edges)
        lasts = np.append(edges, len(windows))
        base = self.bounds[windows.sequence]
        first_documents = self.documents_of((base + windows.scored)[firsts])
        last_documents = self.documents_of((base + windows.end)[lasts - 1] - 1) + 1
        fields = zip(firsts, lasts, first_documents, last_documents, strict=True)
        return [Unit(*map(int, field)) for field in fields]

    def bins(self, unit: Unit) -> int:
        """Bins of positions that the documents of a unit have."""
        longest = np.diff(self.offsets[unit.first_document : unit.last_document + 1]).max()
        return int(position_bins(longest - 1)) + 1

    def batches(self, unit: Unit, vocab_size: int, positions: int, most: int) -> Iterator[Batch]:
        """The windows of a unit, long ones first, so that little is filled up.

        Args:
            vocab_size: of the model.
            positions: of one batch at most, where it is more than a window.
            most: windows of one batch at most.

        Raises:
            CorpusError: an id is outside the model's vocabulary.
        """
        rows = _UnitRows(self, unit, vocab_size)
        order = np.argsort(-rows.lengths, kind="stable")
        first = 0
        while first < len(order):
            longest = int(rows.lengths[order[first]])
            last = first + max(1, min(most, positions // longest))
            yield rows.batch(order[first:last], longest)
            first = last

    def ids(self, begin: int, end: int) -> NDArray[np.unsignedinteger]:
        """The ids of tokens begin..end - 1 of the documents one behind the other."""
        first, last = int(self.documents_of(np.array(begin))), len(self.part.starts)
        last = int(np.searchsorted(self.offsets, end, "left"))
        starts = self.part.starts[first:last] - self.offsets[first:last]
        tokens = self.part.shard.tokens
        if (starts == starts[:1]).all():
            return tokens[starts[0] + begin : starts[0] + end]
        edges = self.offsets[first : last + 1].clip(begin, end).tolist()
        return np.concatenate(
            [
                tokens[start + low : start + high]
                for start, low, high in zip(starts.tolist(), edges[:-1], edges[1:], strict=True)
            ]
        )


class _UnitRows:
    """The tokens of a unit with where their losses go, and batches of its windows."""

    def __init__(self, shard: ShardWindows, unit: Unit, vocab_size: int) -> None:
        windows, chosen = shard.windows, slice(unit.first, unit.last)
        self._bos_id = shard.policy.bos_id or 0
        base = shard.bounds[windows.sequence[chosen]]
        # Positions among the unit's tokens: the first is what stands before the first target.
        low = int(base[0] + max(windows.begin[unit.first] - 1, 0))
        self._begin, self._scored, self._end = (
            base + targets[chosen] - low for targets in (windows.begin, windows.scored, windows.end)
        )
        self._after_bos = windows.begin[chosen] == 0
        high = low + int(self._end[-1])
        ids = shard.ids(low, high)
        _refuse_foreign(ids, shard, low, vocab_size)
        self._ids = ids.astype(np.int64)
        place = np.arange(low, high, dtype=np.int64)
        document = shard.documents_of(place)
        self._documents = document - unit.first_document
        self._positions = position_bins(place - shard.offsets[document])

    @property
    def lengths(self) -> I64:
        return self._end - self._begin

    def batch(self, rows: I64, longest: int) -> Batch:
        shape = (len(rows), longest)
        batch = Batch(
            np.zeros(shape, np.int64),
            np.full(shape, IGNORE_INDEX, np.int64),
            np.full(shape, -1, np.int64),
            np.full(shape, -1, np.int64),
        )
        for to, row in enumerate(rows.tolist()):
            begin, scored, end = self._begin[row], self._scored[row], self._end[row]
            after_bos = int(self._after_bos[row])
            batch.ids[to, after_bos : end - begin] = self._ids[begin - 1 + after_bos : end - 1]
            batch.ids[to, :after_bos] = self._bos_id
            here = slice(scored - begin, end - begin)
            batch.targets[to, here] = self._ids[scored:end]
            batch.documents[to, here] = self._documents[scored:end]
            batch.positions[to, here] = self._positions[scored:end]
        return batch


def _refuse_foreign(
    ids: NDArray[np.unsignedinteger], shard: ShardWindows, low: int, vocab_size: int
) -> None:
    """Raise where an id is none that the model predicts."""
    at = first_at_least(ids, vocab_size)
    if at is None:
        return
    document = int(shard.documents_of(np.array(low + at)))
    part = shard.part
    index = int(part.starts[document] + low + at - shard.offsets[document])
    value = int(part.shard.tokens[index])
    if part.shard.signed and value >= 1 << 31:
        raise outside_vocabulary(part.shard, index, vocab_size)
    raise CorpusError(
        f"the corpus holds id {value} (position {index} of {part.shard.path}), the model predicts "
        f"{vocab_size} ids: was it tokenised with another vocabulary?"
    )
