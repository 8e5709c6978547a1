"""The end id at the edges of documents: which boundary it shows, and which one is used.

Some edges are known without the end id: those of documents in an index, and those of files. How
many of these documents begin and how many end with the id shows the boundary of the corpus.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from icfast.corpus.shard import Shard
from icfast.errors import CorpusError, OptionError
from icfast.units import format_percent


@dataclass(frozen=True)
class EdgeCounts:
    """Documents whose edges are known without the end id.

    Attributes:
        documents: number of documents of an index, and of files without an index.
        begin: how many of them begin with the end id.
        end: how many of them end with the end id.

    >>> EdgeCounts(4, 4, 1).shown(7)
    'of 4 files and indexed documents, 100.00 % begin with id 7 and 25.00 % end with it'
    """

    documents: int = 0
    begin: int = 0
    end: int = 0

    def __add__(self, other: EdgeCounts) -> EdgeCounts:
        return EdgeCounts(
            self.documents + other.documents, self.begin + other.begin, self.end + other.end
        )

    @property
    def boundary(self) -> str | None:
        """The boundary that the larger share shows, or None if the shares are equal."""
        if self.begin == self.end:
            return None
        return "start" if self.begin > self.end else "end"

    def shown(self, eos_id: int) -> str:
        """Return both shares as text."""
        begin, end = (format_percent(n / max(self.documents, 1)) for n in (self.begin, self.end))
        return (
            f"of {self.documents} files and indexed documents, {begin} begin with id {eos_id} and "
            f"{end} end with it"
        )


def count_edges(shards: Iterable[Shard], eos_id: int, cross_documents: bool = False) -> EdgeCounts:
    """Count the documents that begin and end with the id, as an index or the files define them.

    Args:
        shards: the shards.
        eos_id: the end id.
        cross_documents: whether each file is one document, with or without an index.
    """
    return sum((_edges(shard, eos_id, cross_documents) for shard in shards), EdgeCounts())


def _edges(shard: Shard, eos_id: int, cross_documents: bool) -> EdgeCounts:
    tokens = shard.tokens
    if not len(tokens):
        return EdgeCounts()
    if shard.index_stops is None or cross_documents:
        return EdgeCounts(1, int(tokens[0] == eos_id), int(tokens[-1] == eos_id))
    stops = np.unique(shard.index_stops)  # an empty document repeats an end
    stops = stops[stops > 0]
    starts = np.concatenate([[0], stops[:-1]])
    begin, end = (np.count_nonzero(tokens[at] == eos_id) for at in (starts, stops - 1))
    return EdgeCounts(len(stops), int(begin), int(end))


def choose_boundary(
    shards: Iterable[Shard], asked: str | None, eos_id: int | None, cross_documents: bool
) -> str:
    """Return the boundary to use: "end" or "start".

    Args:
        shards: the shards.
        asked: "end", "start", "auto" to decide from the shares of documents that begin and end with
            the id, or None for the format's own boundary.
        eos_id: the end id. Without one, only documents of an index exist.
        cross_documents: whether each file is one document.

    Raises:
        OptionError: "auto" is given without an end id.
        CorpusError: the shares of "auto" are equal, or the formats have different boundaries.
    """
    shards = list(shards)
    if asked == "auto":
        return _from_shares(shards, eos_id, cross_documents)
    if asked is not None or eos_id is None:
        return asked or "end"
    first = {shard.boundary: shard for shard in reversed(shards)}
    if len(first) > 1:
        formats = " and ".join(
            f"{shard.path} ({shard.format}: {name})" for name, shard in sorted(first.items())
        )
        raise CorpusError(
            f"the files have formats with different boundaries: {formats}. Pass --boundary end, "
            "start or auto."
        )
    return next(iter(first), "end")


def _from_shares(shards: list[Shard], eos_id: int | None, cross_documents: bool) -> str:
    if eos_id is None:
        raise OptionError(
            "boundary 'auto' needs an end id, and none is given or recorded. Pass --eos-id."
        )
    counts = count_edges(shards, eos_id, cross_documents)
    if counts.boundary is None:
        raise CorpusError(
            f"boundary 'auto' cannot decide: {counts.shown(eos_id)}. "
            "Pass --boundary end or --boundary start."
        )
    return counts.boundary
