"""Counts of windows by bucket. Each call reads the corpus at most once."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import Chunk
from icfast.corpus.chunks import check_ids, sample
from icfast.corpus.documents import DocumentSet
from icfast.ngrams.alphabet import Symbols, thread_chunks
from icfast.ngrams.budget import Budget
from icfast.ngrams.partition import Cut, Partition, key_integer
from icfast.parallel.buffers import zeros
from icfast.parallel.threads import Pool, Work

#: Tokens sampled to estimate whether one window makes up most of a lead.
_SAMPLE_TOKENS = 1 << 16

#: Places in the corpus that the sample is taken from.
_SAMPLE_PLACES = 64


@dataclass(frozen=True)
class BucketCounter:
    """Counts the windows of a corpus by bucket, on all threads."""

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
        """Number of buckets whose next symbols fit in half the memory of a pass's keys."""
        limits = self.limits
        windows = limits.bucket_windows if limits.spills else limits.pass_windows
        free = windows * self.symbols.shape.key_bytes
        return max(1, free // (16 * self._columns * (self.work.threads + 1)))

    def per_lead(self) -> NDArray[np.unsignedinteger]:
        """Return u64 or u32[threads, leads] windows of whole leads.

        One window ends at every token and one at every end mark, so the counts of ids are enough.
        Sparse ids have no counts: their windows are counted.
        """
        of_ids = self.symbols.thread_counts
        leads = self.symbols.leads
        if of_ids is None:
            return self._count(whole_leads(self.symbols), np.arange(leads, dtype=np.int32))
        counts = np.zeros((len(of_ids), leads), of_ids.dtype)
        counts[:, 1 : of_ids.shape[1] + 1] = of_ids
        if self.symbols.end_mark:
            chunks = thread_chunks(self.documents, self.work)
            counts[:, -1] = [sum(_ended(chunk) for chunk, _ in own) for own in chunks]
        return counts

    def by_next_symbol(self, partition: Partition, chosen: NDArray[np.intp]) -> NDArray[np.uint64]:
        """Return u64[chosen, threads, U + 1] windows of buckets by the first symbol not shared."""
        depths = partition.depths[chosen] + 1
        slots = _slots(partition, chosen)
        return self._count_columns(partition, slots, depths, self._columns).transpose(1, 0, 2)

    def recounted(self, partition: Partition, leads: NDArray[np.int64]) -> Partition:
        """Return the partition with the buckets of these leads counted again."""
        chosen = np.flatnonzero(np.isin(partition.leads, leads))
        counts = partition.counts.copy()
        counts[:, chosen] = self._count(partition, _slots(partition, chosen))
        return replace(partition, counts=counts)

    def around_frequent(self, partition: Partition, lead: int, limit: int) -> list[Cut] | None:
        """Cut a lead around its most frequent window, without counting the cuts.

        Returns:
            the cuts, or None if a sample does not show the window above the limit.
        """
        keys = self._sampled_keys(partition, lead, min(_SAMPLE_TOKENS, limit // 4))
        found, counts = np.unique(keys, axis=0, return_counts=True)
        if not len(found):
            return None
        share = counts.max() / counts.sum()
        if share * int(partition.windows[lead]) <= limit:
            return None
        shape = self.symbols.shape
        key, none = key_integer(found[counts.argmax()]), np.zeros(len(partition.counts), np.uint64)
        cuts = [Cut(key, shape.order - 1, none)]
        if key:
            cuts.insert(0, Cut(0, 0, none))
        if key + 1 < 1 << shape.bits * (shape.order - 1):
            cuts.append(Cut(key + 1, 0, none))
        return cuts

    def _sampled_keys(self, partition: Partition, lead: int, size: int) -> NDArray[np.uint64]:
        """Return the keys of a lead's windows in a sample of `size` tokens."""
        keys, offsets = np.zeros((size, self.symbols.shape.words), np.uint64), np.zeros(1, np.int64)
        buckets, alphabet = partition.buckets(self.symbols.leads), self.symbols.alphabet
        for chunk, shard in sample(self.documents, size, min(_SAMPLE_PLACES, max(size, 1))):
            status = self.work.backend.kernels.scatter_windows(
                self.symbols.view(chunk), alphabet, buckets, lead, lead + 1, offsets, keys
            )
            check_ids(status, shard, self.symbols.vocab_size)
        return keys[: int(offsets[0])]

    def _count(self, partition: Partition, slots: NDArray[np.int32]) -> NDArray[np.uint64]:
        """Return u64[threads, slots] windows; slot -1 is not counted."""
        depths = np.zeros(int(slots.max(initial=-1)) + 1, np.int32)
        return self._count_columns(partition, slots, depths, 1)[:, :, 0]

    def _count_columns(
        self,
        partition: Partition,
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

        self.pool.for_each(count, range(len(chunks)))
        return counts


def whole_leads(symbols: Symbols) -> Partition:
    """Return the partition with one bucket per lead, not counted."""
    leads = symbols.leads
    return Partition(
        np.arange(leads, dtype=np.uint32),
        np.zeros((leads, symbols.shape.words), np.uint64),
        np.zeros(leads, np.int32),
        np.zeros((1, leads), np.uint64),
    )


def _slots(partition: Partition, chosen: NDArray[np.intp]) -> NDArray[np.int32]:
    """Return i32[buckets]: the index of a bucket among the chosen ones, or -1."""
    slots = np.full(len(partition.leads), -1, np.int32)
    slots[chosen] = np.arange(len(chosen))
    return slots


def _ended(chunk: Chunk) -> int:
    """Return the number of documents whose last token is in the chunk."""
    return int(np.count_nonzero(chunk.stops <= chunk.end))
