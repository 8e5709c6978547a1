"""N-grams of a model by order, with links to the two shorter n-grams that each consists of."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.models import Weights
from icfast.kneser_ney.model import NgramModel

F64 = NDArray[np.float64]
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]


#: Loss in nats that represents probability 0.
MOST_NATS = 700.0


class Level(NamedTuple):
    """All n-grams (h w) of one order, in suffix order. An n-gram is numbered within its level.

    Attributes:
        parents: u32[n], number of the n-gram without its oldest symbol, one order lower; ascending.
        contexts: u32[n], number of h, the n-gram without its newest symbol, one order lower.
        nats: f64[n], -ln p(w | h). Node 0 of order 1 (the begin mark) has the loss of an unknown
            symbol.
        backoffs: f64[n], -ln of the n-gram's backoff weight as a context; empty at order N.
        counts: occurrences of each n-gram.
    """

    parents: U32
    contexts: U32
    nats: F64
    backoffs: F64
    counts: NDArray[np.unsignedinteger]


def levels_of(model: NgramModel, weights: Weights) -> list[Level]:
    """Return the levels of orders 1..N. Order 1 has no parents and contexts."""
    found: list[Level] = []
    trie, edges = model.trie, model.trie.levels.tolist()
    keys = np.zeros(0, np.uint64)  # (parent, symbol) of the previous level's n-grams, ascending
    for n in range(1, model.order + 1):
        here = slice(edges[n - 1], edges[n])
        parents = contexts = np.zeros(0, np.uint32)
        if n > 1:
            before = trie.child[edges[n - 2] : edges[n - 1] + 1].astype(np.int64)
            parents = np.repeat(np.arange(len(before) - 1, dtype=np.uint32), np.diff(before))
            symbols = trie.symbols[here]
            contexts = symbols
            if n > 2:
                # h extends the context of the parent by the oldest symbol.
                wanted = _keys(found[-1].contexts[parents], symbols)
                contexts = np.searchsorted(keys, wanted).astype(np.uint32)
            keys = _keys(parents, symbols)
        nats = _nats(weights.probabilities[here])
        backoffs = _nats(weights.backoffs[here] if n < model.order else np.zeros(0))
        found.append(Level(parents, contexts, nats, backoffs, trie.counts[here]))
    return found


def _nats(values: F64) -> F64:
    with np.errstate(divide="ignore"):
        return np.minimum(-np.log(values), MOST_NATS)


def _keys(nodes: U32, symbols: U32) -> U64:
    return nodes.astype(np.uint64) << np.uint64(32) | symbols


def places(levels: Sequence[Level]) -> list[U32]:
    """Return the position of each n-gram among the children of its parent, for each order.

    Order 1 has no parents; the position is the number of the n-gram.
    """
    found = [np.arange(len(levels[0].nats), dtype=np.uint32)]
    for shorter, level in pairwise(levels):
        first = first_children(level, len(shorter.nats))
        own = np.arange(len(level.nats), dtype=np.int64)
        found.append((own - first[level.parents]).astype(np.uint32))
    return found


def first_children(level: Level, parents: int) -> NDArray[np.int64]:
    """Return i64[parents + 1], the number of the first child of each n-gram one order lower."""
    sizes = np.bincount(level.parents, minlength=parents)
    return np.append(0, np.cumsum(sizes))


def masses(levels: Sequence[Level]) -> list[F64]:
    """Return Z(h) = sum over all w of p(w | h) for every n-gram h of orders 1..N-1.

    Z is 1 for an exact model and about 1 for a rounded one. With h' for h without its oldest symbol
    and sums over the successors w of h:
    Z(h) = sum p(w|h) + backoff(h) (Z(h') - sum p(w|h')). The unigrams sum to 1.
    """
    found: list[F64] = []
    for shorter, level in pairwise(levels):
        contexts = len(shorter.nats)
        below = found[-1][shorter.parents] if found else np.ones(contexts)
        own = np.bincount(level.contexts, np.exp(-level.nats), contexts)
        lower = np.bincount(level.contexts, np.exp(-shorter.nats[level.parents]), contexts)
        found.append(own + np.exp(-shorter.backoffs) * (below - lower))
    return found


def mean_log2_mass(levels: Sequence[Level]) -> float:
    """Return the mean of log2 Z(h) over contexts of N-1 symbols, weighted by their counts.

    It is 0 for order 1. The loss of a rounded model understates the length of a proper code by this
    many bits per token.
    """
    sums = masses(levels)
    if not sums or not len(sums[-1]):
        return 0.0
    return float(np.average(np.log2(sums[-1]), weights=levels[-2].counts))
