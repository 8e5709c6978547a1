"""A model's n-grams order by order, each knowing the two shorter ones it is made of."""

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


#: What stands for the loss of probability 0.
MOST_NATS = 700.0


class Level(NamedTuple):
    """All n-grams (h w) of one order, in suffix order. Numbers of n-grams are within their level.

    Attributes:
        parents: u32[n], the n-gram less its oldest symbol, in the level below; ascending.
        contexts: u32[n], the n-gram less its newest symbol, h, in the level below.
        nats: f64[n], -ln p(w | h); of node 0 of order 1, the begin mark, that of an unknown symbol.
        backoffs: f64[n], -ln of the n-gram's backoff as a context; empty at order N.
        counts: how often the n-gram occurred.
    """

    parents: U32
    contexts: U32
    nats: F64
    backoffs: F64
    counts: NDArray[np.unsignedinteger]


def levels_of(model: NgramModel, weights: Weights) -> list[Level]:
    """The levels of orders 1..N; those of order 1 have no parents and contexts."""
    found: list[Level] = []
    trie, edges = model.trie, model.trie.levels.tolist()
    keys = np.zeros(0, np.uint64)  # parent and symbol of each n-gram of the level before, ascending
    for n in range(1, model.order + 1):
        here = slice(edges[n - 1], edges[n])
        parents = contexts = np.zeros(0, np.uint32)
        if n > 1:
            before = trie.child[edges[n - 2] : edges[n - 1] + 1].astype(np.int64)
            parents = np.repeat(np.arange(len(before) - 1, dtype=np.uint32), np.diff(before))
            symbols = trie.symbols[here]
            contexts = symbols
            if n > 2:
                # The oldest symbol, left of the context that the parent has.
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
    """Per order the place of each n-gram among those of one parent; at order 1, its number."""
    found = [np.arange(len(levels[0].nats), dtype=np.uint32)]
    for shorter, level in pairwise(levels):
        first = first_children(level, len(shorter.nats))
        own = np.arange(len(level.nats), dtype=np.int64)
        found.append((own - first[level.parents]).astype(np.uint32))
    return found


def first_children(level: Level, parents: int) -> NDArray[np.int64]:
    """i64[parents + 1]: where the children of each n-gram of the level below begin."""
    sizes = np.bincount(level.parents, minlength=parents)
    return np.append(0, np.cumsum(sizes))


def masses(levels: Sequence[Level]) -> list[F64]:
    """Z(h) = sum over all w of p(w | h), of every n-gram h of orders 1..N-1; the unigrams sum to 1.

    With sums over the successors w of h, and h' for h less its oldest symbol:
    Z(h) = sum of p(w|h) + backoff(h) (Z(h') - sum of p(w|h')).
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
    """Mean of log2 Z(h) over contexts of N-1 symbols, each as often as it occurs; 0 for order 1.

    What the loss of a rounded model falls short, per token, of a proper code's.
    """
    sums = masses(levels)
    if not sums or not len(sums[-1]):
        return 0.0
    return float(np.average(np.log2(sums[-1]), weights=levels[-2].counts))
