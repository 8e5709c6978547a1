"""The growth curve of a corpus: distinct ids as a function of tokens, and counts per shard."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import Chunk
from icfast.corpus.chunks import ShardChunk, check_ids
from icfast.corpus.documents import DocumentSet
from icfast.ngrams.alphabet import is_sparse, list_symbols
from icfast.parallel.mapped_file import refuses_changes
from icfast.parallel.threads import Work
from icfast.sums.spectrum import Spectrum

#: Points of the curve, evenly spaced in the logarithm of the tokens.
_POINTS = 64

#: Tokens that one thread reads at a time.
_CHUNK_TOKENS = 1 << 21


@dataclass(frozen=True, eq=False)
class Growth:
    """Growth curve of a corpus, read shard by shard.

    Attributes:
        tokens: i64[points], numbers of tokens n, ascending; the last one is D.
        types: i64[points], V(n), distinct ids among the first n tokens.
        shards: unigram spectrum of each shard that has tokens.
    """

    tokens: NDArray[np.int64]
    types: NDArray[np.int64]
    shards: tuple[Spectrum, ...]


class _CurveChunk(NamedTuple):
    """A chunk, the number of its shard, and whether a point of the curve follows."""

    read: ShardChunk
    shard: int
    marked: bool


@refuses_changes
def growth(documents: DocumentSet, work: Work) -> Growth:
    """Count distinct ids along the corpus, and the ids of each shard.

    The memory is one row of counts over the alphabet for each thread, and one for the shard.

    Raises:
        CorpusError: an id is outside the vocabulary.
    """
    with work.pool() as pool:
        ids = None
        if is_sparse(documents.corpus.vocab_size):
            ids = list_symbols(documents, 1, work, pool).ids
        size = documents.corpus.vocab_size if ids is None else len(ids)

        def count(chunk: _CurveChunk) -> tuple[_CurveChunk, NDArray[np.int64], NDArray[np.uint64]]:
            if ids is not None:
                return chunk, *_found_in(chunk.read.chunk, ids)
            return chunk, *_counted(chunk.read, size, work)

        seen, of_shard = np.zeros(size, np.bool_), np.zeros(size, np.uint64)
        points: list[tuple[int, int]] = []
        shards: list[Spectrum] = []
        tokens = types = shard = 0
        for chunk, places, counts in pool.map(count, _curve_chunks(documents)):
            if chunk.shard != shard:
                shards.append(Spectrum.from_counts(of_shard))
                of_shard[:] = 0
                shard = chunk.shard
            of_shard[places] += counts
            tokens += int(counts.sum())
            types += int(np.count_nonzero(~seen[places]))
            seen[places] = True
            if chunk.marked and tokens and (not points or points[-1][0] < tokens):
                points.append((tokens, types))
        shards.append(Spectrum.from_counts(of_shard))
    curve = np.array(points, np.int64).reshape(-1, 2)
    return Growth(curve[:, 0], curve[:, 1], tuple(held for held in shards if held.windows))


def _curve_chunks(documents: DocumentSet) -> Iterator[_CurveChunk]:
    total = sum(len(held.shard.tokens) for held in documents.by_shard)
    if not total:
        return
    marks = np.unique(np.geomspace(1, total, _POINTS).round().astype(np.int64))
    origin = 0
    for number, held in enumerate(documents.by_shard):
        size = len(held.shard.tokens)
        edges = np.union1d(marks - origin, np.arange(0, size, _CHUNK_TOKENS))
        edges = np.append(edges[(edges > 0) & (edges < size)], size)
        begin = 0
        for end in edges.tolist():
            if end > begin:
                chunk = held.chunk(begin, end)
                yield _CurveChunk(
                    ShardChunk(chunk, held.shard), number, bool(np.isin(origin + end, marks))
                )
            begin = end
        origin += size


def _counted(
    read: ShardChunk, size: int, work: Work
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    counts = np.zeros(size, np.uint64)
    check_ids(work.backend.kernels.count_ids(read.chunk, counts), read.shard, size)
    places = np.flatnonzero(counts)
    return places, counts[places]


def _found_in(
    chunk: Chunk, ids: NDArray[np.uint32]
) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
    documents = zip(chunk.starts.tolist(), chunk.stops.tolist(), strict=True)
    inside = [chunk.tokens[max(a, chunk.begin) : min(b, chunk.end)] for a, b in documents]
    if not inside:
        return np.zeros(0, np.int64), np.zeros(0, np.uint64)
    held, counts = np.unique(np.concatenate(inside), return_counts=True)
    return np.searchsorted(ids, held), counts.astype(np.uint64)
