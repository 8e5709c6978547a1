"""Relative-entropy pruning: n-grams go whose loss changes the model least (Stolcke 1998).

Without n-gram (h w) its probability is a' p(w | h'), where the backoff a of h becomes a', so that h
still sums to one. With sums over the successors v of h that stay, and h' for h less its oldest
symbol:

    a = (1 - sum of p(v|h)) / (1 - sum of p(v|h'))
    D = p(h) {p(w|h) [ln p(w|h) - ln p(w|h') - ln a'] + (1 - sum of p(v|h)) [ln a - ln a']}

(h w) goes where exp(D) - 1, the relative change of the perplexity as the model itself expects it,
is below the threshold, unless a longer n-gram that stays is made of it. Longest n-grams first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from icfast.kneser_ney.compression.levels import Level

F64 = NDArray[np.float64]


def prune(levels: list[Level], threshold: float, documents: int) -> list[Level]:
    """The levels without the n-grams whose relative entropy is below the threshold.

    Args:
        documents: how often the begin mark occurred, whose share of all symbols is its probability.
    """
    shares = _shares(levels, documents)
    kept: list[Level] = list(levels)
    needed = np.zeros(len(levels[-1].nats), np.bool_)
    stays = [np.ones(len(levels[0].nats), np.bool_)]
    for n in range(len(levels), 1, -1):
        shorter, level = kept[n - 2], kept[n - 1]
        free = _free(shorter, level, np.ones(len(level.nats), np.bool_))
        keep = needed | (np.expm1(_costs(shorter, level, shares[n - 2], free)) >= threshold)
        stays.insert(1, keep)
        kept[n - 2] = shorter._replace(backoffs=_renormalised(shorter, level, keep))
        needed = np.zeros(len(shorter.nats), np.bool_)
        needed[level.parents[keep]] = True
        needed[level.contexts[keep]] = True
    return _selected(kept, stays)


def _shares(levels: list[Level], documents: int) -> list[F64]:
    """p(h) of the n-grams of orders 1..N-1 as contexts."""
    first = np.exp(-levels[0].nats)
    first[0] = documents / max(1, int(levels[0].counts.sum()))
    shares = [first]
    for level in levels[1:-1]:
        shares.append(shares[-1][level.contexts] * np.exp(-level.nats))
    return shares


def _free(shorter: Level, level: Level, keep: NDArray[np.bool_]) -> F64:
    """1 - sum of p(w|h') over the kept successors w of each h: what backing off divides among."""
    lower = np.exp(-shorter.nats[level.parents[keep]])
    taken = np.bincount(level.contexts[keep], lower, len(shorter.nats))
    free: F64 = np.maximum(1.0 - taken, np.finfo(float).tiny)
    return free


def _costs(shorter: Level, level: Level, shares: F64, free: F64) -> F64:
    """D of every n-gram, in nats."""
    h = level.contexts
    p, below = np.exp(-level.nats), shorter.nats[level.parents]
    left = np.exp(-shorter.backoffs[h]) * free[h]
    backoff = -np.log((left + p) / (free[h] + np.exp(-below)))
    changes: F64 = p * (below + backoff - level.nats) + left * (backoff - shorter.backoffs[h])
    return shares[h] * changes


def _renormalised(shorter: Level, level: Level, keep: NDArray[np.bool_]) -> F64:
    """-ln backoff of each context once the others of its successors are gone."""
    gone = np.bincount(level.contexts[~keep], minlength=len(shorter.nats)) > 0
    everything = _free(shorter, level, np.ones(len(keep), np.bool_))
    lost = np.bincount(level.contexts[~keep], np.exp(-level.nats[~keep]), len(shorter.nats))
    left = np.exp(-shorter.backoffs) * everything + lost
    backoffs: F64 = np.where(gone, -np.log(left / _free(shorter, level, keep)), shorter.backoffs)
    return backoffs


def _selected(levels: list[Level], stays: list[NDArray[np.bool_]]) -> list[Level]:
    found: list[Level] = []
    renumber = np.zeros(0, np.uint32)
    for level, keep in zip(levels, stays, strict=True):
        links = (level.parents, level.contexts)
        if found:
            links = (renumber[level.parents[keep]], renumber[level.contexts[keep]])
        backoffs = level.backoffs[keep] if len(level.backoffs) else level.backoffs
        found.append(Level(*links, level.nats[keep], backoffs, level.counts[keep]))
        renumber = (np.cumsum(keep) - 1).astype(np.uint32)
    return found
