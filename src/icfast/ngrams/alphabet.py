"""The alphabet of a count: the ids that occur, numbered by rank.

Ranks keep the order of ids, so that sorted runs of two corpora can be merged. For vocabularies of
up to a few million ids a dense table maps each id to its rank. For larger vocabularies (up to 2^32
ids) a binary search in the sorted list of ids translates one chunk at a time.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import Alphabet, Chunk
from icfast.corpus import outside_vocabulary
from icfast.corpus.chunks import ShardChunk, check_ids, chunks_by_thread
from icfast.corpus.documents import DocumentSet
from icfast.ngrams.keys import KeyShape
from icfast.parallel.threads import Pool, Work

#: Maximum vocabulary with a dense table, of four bytes per id.
_DENSE_IDS = 1 << 22

#: Tokens of a chunk if ids are translated by search.
_CHUNK_TOKENS = 1 << 20


@dataclass(frozen=True, eq=False)
class Symbols:
    """The ranks of an alphabet: 0 is the begin mark, 1..U are the ids, U + 1 is the end mark.

    Attributes:
        ids: u32[U], the ids that occur, ascending.
        vocab_size: V; ids are below it.
        end_mark: whether rank U + 1 is a predicted end mark.
        shape: packing of the keys.
        thread_counts: u32 or u64[threads, U], occurrences of each id in the chunks of each thread;
            None for sparse ids, which are listed without counting.
        strangers: whether other ids become one more symbol, the last; otherwise they are errors.
    """

    ids: NDArray[np.uint32]
    vocab_size: int
    end_mark: bool
    shape: KeyShape
    thread_counts: NDArray[np.unsignedinteger] | None = None
    strangers: bool = False

    def __post_init__(self) -> None:
        if is_sparse(self.vocab_size):
            table = np.arange(len(self.ids) + 1, dtype=np.uint32)
        else:
            table = np.zeros(self.vocab_size, np.uint32)
            table[self.ids] = np.arange(1, len(self.ids) + 1, dtype=np.uint32)
        if self.strangers:
            table[table == 0] = self.leads - 1
        object.__setattr__(self, "_table", table)

    @property
    def leads(self) -> int:
        """Number of leads: ranks that a window can end with, and the unused rank 0."""
        return len(self.ids) + 1 + int(self.end_mark) + int(self.strangers)

    def of_order(self, order: int) -> Symbols:
        """Return these symbols with keys for windows of this order."""
        return replace(self, shape=KeyShape.of(order, len(self.ids)))

    @property
    def alphabet(self) -> Alphabet:
        """The alphabet as kernels read it."""
        end_rank = len(self.ids) + 1 if self.end_mark else 0
        table: NDArray[np.uint32] = self._table  # type: ignore[attr-defined]
        return Alphabet(table, end_rank, self.shape.order, self.shape.bits)

    def view(self, chunk: Chunk) -> Chunk:
        """Return the chunk with tokens that the table of `alphabet` maps to ranks."""
        if not is_sparse(self.vocab_size) or not len(chunk.starts):
            return chunk
        if not len(self.ids):  # only end marks are counted
            return chunk._replace(tokens=np.zeros(chunk.end, np.uint32))
        history = chunk.begin - (self.shape.order - 1)
        low = max(int(min(chunk.starts[0], chunk.begin)), history, 0)
        tokens = np.asarray(chunk.tokens[low : chunk.end])
        place = np.minimum(np.searchsorted(self.ids, tokens), len(self.ids) - 1)
        ranks = np.where(self.ids[place] == tokens, place + 1, 0).astype(np.uint32)
        starts = np.maximum(chunk.starts - low, 0)
        return Chunk(ranks, starts, chunk.stops - low, chunk.begin - low, chunk.end - low)

    def tails(self, chunk: Chunk) -> Chunk:
        """Return the chunk as `view` does, with only the last window of each document."""
        if not is_sparse(self.vocab_size):
            return chunk
        starts = np.maximum(chunk.starts, chunk.stops - self.shape.order)
        lengths = chunk.stops - starts
        stops = np.cumsum(lengths)
        at = np.arange(int(stops[-1])) + np.repeat(starts - (stops - lengths), lengths)
        tails = Chunk(chunk.tokens[at], stops - lengths, stops, 0, int(stops[-1]))
        return self.view(tails)


def is_sparse(vocab_size: int) -> bool:
    """Return whether the vocabulary is too large for a dense table."""
    return vocab_size > _DENSE_IDS


def count_type(tokens: int) -> type[np.unsignedinteger]:
    """Return the type that holds counts of up to this many windows."""
    return np.uint32 if tokens < 1 << 32 else np.uint64


def thread_chunks(documents: DocumentSet, work: Work) -> list[list[ShardChunk]]:
    """Cut the documents into one list of chunks per thread, small ones where ids are sparse."""
    largest = _CHUNK_TOKENS if is_sparse(documents.corpus.vocab_size) else None
    return chunks_by_thread(documents, work.threads, largest)


def list_symbols(documents: DocumentSet, order: int, work: Work, pool: Pool) -> Symbols:
    """Find the ids that occur, and check that each is in the vocabulary.

    Raises:
        CorpusError: an id is outside the vocabulary.
    """
    vocab_size = documents.corpus.vocab_size
    by_thread = thread_chunks(documents, work)
    counts = None
    if is_sparse(vocab_size):
        used = list(pool.map(lambda chunks: _unique_ids(chunks, vocab_size), by_thread))
        ids = np.unique(np.concatenate(used)).astype(np.uint32)
    else:
        rows = list(pool.map(lambda chunks: _count_ids(chunks, vocab_size, work), by_thread))
        ids = np.flatnonzero(np.any(rows, axis=0)).astype(np.uint32)
        counts = np.array([row[ids] for row in rows], count_type(documents.tokens))
    return Symbols(ids, vocab_size, documents.end_mark, KeyShape.of(order, len(ids)), counts)


def _count_ids(chunks: list[ShardChunk], vocab_size: int, work: Work) -> NDArray[np.uint64]:
    counts = np.zeros(vocab_size, np.uint64)
    for chunk, shard in chunks:
        check_ids(work.backend.kernels.count_ids(chunk, counts), shard, vocab_size)
    return counts


def _unique_ids(chunks: list[ShardChunk], vocab_size: int) -> NDArray[np.uint32]:
    ids = np.zeros(0, np.uint32)
    for chunk, shard in chunks:
        for start, stop in zip(chunk.starts, chunk.stops, strict=True):
            low = max(int(start), chunk.begin)
            tokens = chunk.tokens[low : min(int(stop), chunk.end)]
            ids = np.union1d(ids, tokens)
            if len(ids) and ids[-1] >= vocab_size:
                at = low + int(np.argmax(tokens))
                raise outside_vocabulary(shard, at, vocab_size)
    return ids
