"""Chunks of a corpus: what one thread or one kernel call reads at a time."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.arrays import Status
from icfast.backends.counting import Chunk
from icfast.corpus import Shard, outside_vocabulary
from icfast.corpus.documents import DocumentSet, ShardDocuments
from icfast.errors import ID_OUTSIDE_VOCABULARY, check


class ShardChunk(NamedTuple):
    """A chunk and its shard, whose path error messages name."""

    chunk: Chunk
    shard: Shard


def check_ids(status: Status, shard: Shard, vocab_size: int) -> None:
    """Raise the error that a kernel reported for a shard, or that reading it caused.

    Raises:
        CorpusError: an id is outside the vocabulary, or the file was cut.
    """
    shard.check_readable()
    if status[0] == ID_OUTSIDE_VOCABULARY:
        raise outside_vocabulary(shard, status[1], vocab_size)
    check(status, shard.path)


def chunks_by_thread(
    documents: DocumentSet, threads: int, largest: int | None = None
) -> list[list[ShardChunk]]:
    """Cut the documents into one list of chunks per thread, of about equally many tokens.

    Args:
        largest: most tokens of a chunk; None for no limit.
    """
    total = sum(len(held.shard.tokens) for held in documents.by_shard)
    edges = [total * i // threads for i in range(threads + 1)]
    return [
        list(_chunks(documents, low, high, largest or max(total, 1)))
        for low, high in pairwise(edges)
    ]


def sample(documents: DocumentSet, tokens: int, cuts: int) -> list[ShardChunk]:
    """Copy about `tokens` tokens from `cuts` places spread evenly over the shards.

    Returns:
        one chunk per shard; the tokens that a place has of a document are one of its documents.
    """
    total = sum(len(held.shard.tokens) for held in documents.by_shard)
    length = min(tokens, total) // cuts
    if length < 1 or tokens >= total:
        cuts, length = 1, min(tokens, total)
    lows = (2 * np.arange(cuts) + 1) * (total - length) // (2 * cuts)
    found, origin = [], 0
    for held in documents.by_shard:
        size = len(held.shard.tokens)
        cut = _overlaps(held, (lows - origin).clip(0, size), (lows + length - origin).clip(0, size))
        if cut:
            copied = np.concatenate([held.shard.tokens[low:high] for low, high in cut])
            stops = np.cumsum([high - low for low, high in cut]).astype(np.int64)
            starts = np.append(0, stops[:-1]).astype(np.int64)
            found.append(ShardChunk(Chunk(copied, starts, stops, 0, len(copied)), held.shard))
        origin += size
    return found


def _overlaps(
    held: ShardDocuments, lows: NDArray[np.int64], highs: NDArray[np.int64]
) -> list[tuple[int, int]]:
    """Return the overlaps of the documents with the ascending ranges [lows, highs)."""
    edges = np.unique(np.concatenate([held.starts, held.stops, lows, highs]))
    middle = edges[:-1]

    def inside(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.searchsorted(starts, middle, "right") > np.searchsorted(stops, middle, "right")

    kept = inside(held.starts, held.stops) & inside(lows, highs)
    return list(zip(middle[kept].tolist(), edges[1:][kept].tolist(), strict=True))


def _chunks(documents: DocumentSet, low: int, high: int, largest: int) -> Iterator[ShardChunk]:
    origin = 0
    for held in documents.by_shard:
        size = len(held.shard.tokens)
        first, last = max(0, low - origin), min(size, high - origin)
        for begin in range(first, last, largest):
            yield ShardChunk(held.chunk(begin, min(begin + largest, last)), held.shard)
        origin += size
