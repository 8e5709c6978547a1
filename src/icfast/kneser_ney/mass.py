"""What a model's probabilities sum to: 1 where it is exact, about 1 where they were rounded."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from icfast.kneser_ney.levels import Level

F64 = NDArray[np.float64]


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
