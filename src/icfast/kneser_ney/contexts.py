"""Walks over all n-grams by context, on several threads: what linking and weighing share."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_matrix

from icfast.backends.models import Bigrams, ContextRoom, Trie

#: Runs a call over each item, perhaps at once.
ForEach = Callable[[Callable[[tuple[int, int]], None], Iterable[tuple[int, int]]], None]

#: Ranges of context symbols: many, since hot ones have most n-grams.
_RANGES = 64


def for_each_range(
    trie: Trie, call: Callable[[Bigrams, int, int, ContextRoom], None], for_each: ForEach
) -> None:
    """call(bigrams, low, high, room) for ranges of context symbols that cover all of them."""
    bigrams = _bigrams(trie)
    rooms = _Rooms(trie)

    def run(symbols: tuple[int, int]) -> None:
        call(bigrams, *symbols, rooms.mine)

    for_each(run, _symbol_ranges(bigrams))


def _bigrams(trie: Trie) -> Bigrams:
    """Level 2 by its older symbol: a matrix of nodes, transposed."""
    ranks = int(trie.levels[1])
    if len(trie.levels) == 2:
        return Bigrams(
            np.zeros(ranks + 1, np.int64), np.zeros(0, np.uint32), trie.counts[:0].copy()
        )
    level = slice(int(trie.levels[1]), int(trie.levels[2]))
    nodes = np.arange(level.start, level.stop, dtype=trie.counts.dtype)
    starts = trie.child[: ranks + 1].astype(np.int64) - level.start
    by_word = csr_matrix((nodes, trie.symbols[level].astype(np.int64), starts), (ranks, ranks))
    by_older = by_word.tocsc()
    return Bigrams(
        by_older.indptr.astype(np.int64), by_older.indices.astype(np.uint32), by_older.data
    )


def _symbol_ranges(bigrams: Bigrams) -> Iterator[tuple[int, int]]:
    """Ranges of context symbols with about equally many bigrams."""
    symbols = np.arange(len(bigrams.starts))
    weight = bigrams.starts + symbols
    marks = np.linspace(0, int(weight[-1]), _RANGES + 1)
    edges = np.unique(np.append(np.searchsorted(weight, marks[:-1]), symbols[-1]))
    yield from pairwise(edges.tolist())


class _Rooms(threading.local):
    """Each thread's room; of the lists only what the hottest context needs is ever touched."""

    def __init__(self, trie: Trie) -> None:
        sizes = np.diff(trie.levels)
        entries = int(sizes[1:-2].sum() + sizes[2:-1].sum()) + 1
        self.mine = ContextRoom(
            np.zeros(int(trie.levels[1]), np.uint32), np.empty(entries, trie.counts.dtype)
        )
