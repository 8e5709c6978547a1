"""Whether a curve scatters as losses of batches do, or was smoothed."""

from __future__ import annotations

import numpy as np

from icfast.logs.log import Floats

#: Fewer rows, and chance alone may look smooth.
FEWEST_ROWS = 128

#: Of what a batch's loss differs by from the trend, how much may be left in the next one's.
_MOST_KEPT = 0.6


def kept_scatter(losses: Floats) -> float | None:
    """phi of AR(1): the share of a loss's deviation that the next one still has; None: few rows.

    Losses of disjoint batches deviate from their trend independently, so their differences have
    the autocorrelation -1/2 at lag 1; under an exponential moving mean of weight phi it is
    -(1 - phi)/2. Looked at in the later half, with the linear trend of differences taken off.

    >>> kept_scatter(np.zeros(10)) is None
    True
    """
    if len(losses) < FEWEST_ROWS:
        return None
    differences = np.diff(losses[len(losses) // 2 :])
    x = np.arange(len(differences), dtype=np.float64)
    differences = differences - np.polyval(np.polyfit(x, differences, 1), x)
    power = float(differences @ differences)
    # Nothing but rounding is left: no scatter at all.
    if power <= 1e-24 * float(losses @ losses):
        return 1.0
    return 1.0 + 2.0 * float(differences[1:] @ differences[:-1]) / power


def is_smoothed(losses: Floats) -> bool:
    """Whether successive losses share what batches would not: weights of 0.6 and more are found."""
    kept = kept_scatter(losses)
    return kept is not None and kept > _MOST_KEPT
