"""Contexts of one shard, divided into chunks and filled into batches."""

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
from icfast.neural.context_policy import Contexts, ResolvedPolicy
from icfast.neural.token_model import IGNORE_INDEX
from icfast.sums.by_position import position_bins

I64 = NDArray[np.int64]

#: Number of targets of one chunk, the work that is lost when a run is interrupted. Batches are
#: sorted by length within a chunk, so smaller chunks need more padding: 8 % at 2^14, 4 % at 2^16.
CHUNK_TARGETS = 1 << 15


class ContextChunk(NamedTuple):
    """Contexts first..last - 1 of a shard, and the documents of their scored targets."""

    first: int
    last: int
    first_document: int
    last_document: int


class Batch(NamedTuple):
    """Contexts that a model computes at once, and the sums that their losses belong to.

    Attributes:
        ids: i64[contexts, positions], ids to feed.
        targets: i64[contexts, positions]; IGNORE_INDEX at context and padding.
        documents: i64[contexts, positions], document of each target, counted from the chunk's
            first; -1 elsewhere.
        positions: i64[contexts, positions], bin of each target's position in its document; -1
            elsewhere.
    """

    ids: I64
    targets: I64
    documents: I64
    positions: I64


@dataclass(frozen=True, eq=False)
class ShardContexts:
    """Contexts of a shard's chosen documents under a policy.

    Positions count the tokens of the chosen documents one after another, without gaps.
    """

    part: ShardDocuments
    policy: ResolvedPolicy

    @cached_property
    def offsets(self) -> I64:
        """i64[documents + 1]: start of each document, and the end of the last."""
        return np.append(0, np.cumsum(self.part.stops - self.part.starts)).astype(np.int64)

    @cached_property
    def bounds(self) -> I64:
        """i64[sequences + 1]: start of each sequence, and the end of the last."""
        return self.offsets[[0, -1]] if self.policy.packed else self.offsets

    @cached_property
    def contexts(self) -> Contexts:
        """All contexts, in order."""
        return self.policy.contexts(np.diff(self.bounds))

    @property
    def first_tokens(self) -> I64:
        """Positions of the first tokens of sequences that are not empty."""
        return self.bounds[:-1][np.diff(self.bounds) > 0]

    def documents_of(self, tokens: I64) -> I64:
        """Return the document of each token."""
        return np.searchsorted(self.offsets, tokens, "right") - 1

    @cached_property
    def documents_sha256(self) -> str:
        """SHA-256 of the documents' starts and stops in the shard."""
        spans = np.concatenate([self.part.starts, self.part.stops]).astype("<i8")
        return hashlib.sha256(spans.tobytes()).hexdigest()

    def chunks(self) -> list[ContextChunk]:
        """Return the contexts in order, as chunks of about the same number of targets."""
        contexts = self.contexts
        if not len(contexts):
            return []
        done = np.cumsum(contexts.end - contexts.scored)
        edges = np.flatnonzero(np.diff((done - 1) // CHUNK_TARGETS)) + 1
        firsts = np.append(0, edges)
        lasts = np.append(edges, len(contexts))
        base = self.bounds[contexts.sequence]
        first_documents = self.documents_of((base + contexts.scored)[firsts])
        last_documents = self.documents_of((base + contexts.end)[lasts - 1] - 1) + 1
        fields = zip(firsts, lasts, first_documents, last_documents, strict=True)
        return [ContextChunk(*map(int, field)) for field in fields]

    def bins(self, chunk: ContextChunk) -> int:
        """Return the number of position bins of a chunk's documents."""
        longest = np.diff(self.offsets[chunk.first_document : chunk.last_document + 1]).max()
        return int(position_bins(longest - 1)) + 1

    def batches(
        self, chunk: ContextChunk, vocab_size: int, positions: int, most: int
    ) -> Iterator[Batch]:
        """Yield batches of a chunk, long contexts first, which needs little padding.

        Args:
            vocab_size: number of ids of the model.
            positions: maximum number of positions in a batch of more than one context.
            most: maximum number of contexts in a batch.

        Raises:
            CorpusError: an id is outside the model's vocabulary.
        """
        rows = _ChunkRows(self, chunk, vocab_size)
        order = np.argsort(-rows.lengths, kind="stable")
        first = 0
        while first < len(order):
            longest = int(rows.lengths[order[first]])
            last = first + max(1, min(most, positions // longest))
            yield rows.batch(order[first:last], longest)
            first = last

    def ids(self, begin: int, end: int) -> NDArray[np.unsignedinteger]:
        """Return the ids of tokens begin..end - 1 of the chosen documents."""
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


class _ChunkRows:
    """The tokens of a chunk with the sums that they belong to, and batches of its contexts."""

    def __init__(self, shard: ShardContexts, chunk: ContextChunk, vocab_size: int) -> None:
        contexts, chosen = shard.contexts, slice(chunk.first, chunk.last)
        self._bos_id = shard.policy.bos_id or 0
        base = shard.bounds[contexts.sequence[chosen]]
        # Positions among the chunk's tokens, which start with the token before the first target.
        low = int(base[0] + max(contexts.begin[chunk.first] - 1, 0))
        self._begin, self._scored, self._end = (
            base + targets[chosen] - low
            for targets in (contexts.begin, contexts.scored, contexts.end)
        )
        self._after_bos = contexts.begin[chosen] == 0
        high = low + int(self._end[-1])
        ids = shard.ids(low, high)
        shard.part.shard.check_readable()
        _refuse_foreign(ids, shard, low, vocab_size)
        self._ids = ids.astype(np.int64)
        place = np.arange(low, high, dtype=np.int64)
        document = shard.documents_of(place)
        self._documents = document - chunk.first_document
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
    ids: NDArray[np.unsignedinteger], shard: ShardContexts, low: int, vocab_size: int
) -> None:
    """Raise if an id is outside the model's vocabulary."""
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
        f"{part.shard.path}: id {value} at position {index} is outside the model's vocabulary "
        f"({vocab_size} ids). Was the corpus tokenised with another vocabulary?"
    )
