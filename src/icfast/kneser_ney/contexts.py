"""Visit all n-grams by context on several threads. Building and weighing a model share this."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise

import numpy as np
from scipy.sparse import csr_matrix

from icfast.backends.models import Bigrams, ContextScratch, Trie

#: Calls a function for each item, possibly on several threads.
ForEach = Callable[[Callable[[tuple[int, int]], None], Iterable[tuple[int, int]]], None]

#: Ranges of context symbols. A few frequent symbols have most n-grams, so threads share many
#: ranges.
_RANGES = 64


def for_each_range(
    trie: Trie, call: Callable[[Bigrams, int, int, ContextScratch], None], for_each: ForEach
) -> None:
    """Call a function with (bigrams, low, high, scratch) for ranges of all context symbols."""
    bigrams = _bigrams(trie)
    scratch = _Scratch(trie)

    def run(symbols: tuple[int, int]) -> None:
        call(bigrams, *symbols, scratch.mine)

    for_each(run, _symbol_ranges(bigrams))


def _bigrams(trie: Trie) -> Bigrams:
    """Return the bigrams grouped by their older symbol (the transpose of a sparse matrix)."""
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
    """Yield ranges of context symbols with about equally many bigrams."""
    symbols = np.arange(len(bigrams.starts))
    weight = bigrams.starts + symbols
    marks = np.linspace(0, int(weight[-1]), _RANGES + 1)
    edges = np.unique(np.append(np.searchsorted(weight, marks[:-1]), symbols[-1]))
    yield from pairwise(edges.tolist())


class _Scratch(threading.local):
    """Scratch arrays of each thread. Only pages that the largest context needs are touched."""

    def __init__(self, trie: Trie) -> None:
        sizes = np.diff(trie.levels)
        entries = int(sizes[1:-2].sum() + sizes[2:-1].sum()) + 1
        self.mine = ContextScratch(
            np.zeros(int(trie.levels[1]), np.uint32), np.empty(entries, trie.counts.dtype)
        )
