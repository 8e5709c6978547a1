"""Detection of smoothed training losses."""

from __future__ import annotations

import numpy as np

from icfast.logs.log import Floats

#: With fewer rows, noise can look smooth by chance.
FEWEST_ROWS = 128

#: Largest phi that counts as not smoothed.
_MOST_KEPT = 0.6


def lag_correlation(losses: Floats) -> float | None:
    """Return phi of an AR(1) model of the deviations from the trend; None if there are few rows.

    Losses of disjoint batches deviate from their trend independently, so their differences have an
    autocorrelation of -1/2 at lag 1. Under an exponential moving mean with weight phi it is
    -(1 - phi)/2. The estimate uses the later half of the run and removes the linear trend of the
    differences.

    >>> lag_correlation(np.zeros(10)) is None
    True
    """
    if len(losses) < FEWEST_ROWS:
        return None
    differences = np.diff(losses[len(losses) // 2 :])
    x = np.arange(len(differences), dtype=np.float64)
    differences = differences - np.polyval(np.polyfit(x, differences, 1), x)
    power = float(differences @ differences)
    # Only rounding errors remain: the curve has no noise.
    if power <= 1e-24 * float(losses @ losses):
        return 1.0
    return 1.0 + 2.0 * float(differences[1:] @ differences[:-1]) / power


def is_smoothed(losses: Floats) -> bool:
    """Return whether the losses are a moving mean; weights of 0.6 or more are detected."""
    kept = lag_correlation(losses)
    return kept is not None and kept > _MOST_KEPT
