"""Relative-entropy pruning: remove the n-grams that change the model least (Stolcke 1998).

Without the n-gram (h w), the probability of w is a' p(w | h'). h' is h without its oldest symbol,
and the backoff a of h becomes a', so that the probabilities after h still sum to 1. With sums over
the remaining successors v of h:

    a = (1 - sum p(v|h)) / (1 - sum p(v|h'))
    D = p(h) {p(w|h) [ln p(w|h) - ln p(w|h') - ln a'] + (1 - sum p(v|h)) [ln a - ln a']}

exp(D) - 1 is the relative change of the perplexity that the model itself expects. (h w) is removed
if this is below the threshold and no remaining longer n-gram contains (h w). The longest n-grams
are pruned first.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from icfast.kneser_ney.compression.levels import Level

F64 = NDArray[np.float64]

#: Costs above this count as this: exp(D) would exceed the largest floating-point number.
_MOST_NATS = 700.0


def prune(levels: list[Level], threshold: float, documents: int) -> list[Level]:
    """Return the levels without the n-grams that change the perplexity by less than the threshold.

    Args:
        threshold: relative change of the perplexity.
        documents: occurrences of the begin mark. Their share of all symbols is its probability.
    """
    shares = _shares(levels, documents)
    kept: list[Level] = list(levels)
    needed = np.zeros(len(levels[-1].nats), np.bool_)
    stays = [np.ones(len(levels[0].nats), np.bool_)]
    for n in range(len(levels), 1, -1):
        shorter, level = kept[n - 2], kept[n - 1]
        free = _free(shorter, level, np.ones(len(level.nats), np.bool_))
        costs = np.minimum(_costs(shorter, level, shares[n - 2], free), _MOST_NATS)
        keep = needed | (np.expm1(costs) >= threshold)
        stays.insert(1, keep)
        kept[n - 2] = shorter._replace(backoffs=_renormalised(shorter, level, keep))
        needed = np.zeros(len(shorter.nats), np.bool_)
        needed[level.parents[keep]] = True
        needed[level.contexts[keep]] = True
    return _selected(kept, stays)


def _shares(levels: list[Level], documents: int) -> list[F64]:
    """Return p(h) for the n-grams h of orders 1..N-1."""
    first = np.exp(-levels[0].nats)
    first[0] = documents / max(1, int(levels[0].counts.sum()))
    shares = [first]
    for level in levels[1:-1]:
        shares.append(shares[-1][level.contexts] * np.exp(-level.nats))
    return shares


def _free(shorter: Level, level: Level, keep: NDArray[np.bool_]) -> F64:
    """Return 1 - sum p(w|h') over the kept successors w of each h."""
    lower = np.exp(-shorter.nats[level.parents[keep]])
    taken = np.bincount(level.contexts[keep], lower, len(shorter.nats))
    free: F64 = np.maximum(1.0 - taken, np.finfo(float).tiny)
    return free


def _costs(shorter: Level, level: Level, shares: F64, free: F64) -> F64:
    """Return D of every n-gram, in nats."""
    h = level.contexts
    p, below = np.exp(-level.nats), shorter.nats[level.parents]
    left = np.exp(-shorter.backoffs[h]) * free[h]
    backoff = -np.log((left + p) / (free[h] + np.exp(-below)))
    changes: F64 = p * (below + backoff - level.nats) + left * (backoff - shorter.backoffs[h])
    return shares[h] * changes


def _renormalised(shorter: Level, level: Level, keep: NDArray[np.bool_]) -> F64:
    """Return -ln backoff of each context after the removal of the other n-grams."""
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
