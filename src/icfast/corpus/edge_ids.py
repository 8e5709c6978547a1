"""The most frequent first and last ids of documents: they show an end or begin id that is missing.

Where the end id cuts the documents, each of them has it at one edge. The ids next to it are counted
there instead.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icfast.corpus.corpus import Corpus

#: Ids that are listed per edge.
_LISTED = 3


@dataclass(frozen=True)
class IdShare:
    """An id at an edge of documents.

    Attributes:
        id: the id.
        documents: number of documents that have it there.
        share: the same as a share of all documents that have a token there.
    """

    id: int
    documents: int
    share: float


def edge_ids(corpora: Sequence[Corpus]) -> tuple[list[IdShare], list[IdShare]]:
    """Return the most frequent first ids and last ids of the documents of several corpora."""
    first, last = Counter[int](), Counter[int]()
    for corpus in corpora:
        for shard in corpus.shards:
            cut_by_id = shard.index_stops is None and not corpus.cross_documents
            found = corpus.content(shard) if cut_by_id else corpus.documents_of(shard)
            full = found.starts < found.stops
            _count(first, shard.tokens[found.starts[full]])
            _count(last, shard.tokens[found.stops[full] - 1])
    return _most_frequent(first), _most_frequent(last)


def _count(counter: Counter[int], ids: NDArray[np.unsignedinteger]) -> None:
    values, counts = np.unique(ids, return_counts=True)
    counter.update(dict(zip(values.tolist(), counts.tolist(), strict=True)))


def _most_frequent(counter: Counter[int]) -> list[IdShare]:
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    return [IdShare(id_, n, n / counter.total()) for id_, n in ordered[:_LISTED]]
