"""Wild bootstrap: intervals of least-squares fits from residuals with random signs (Wu 1986)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

_REPLICATES, _INTERVAL = 300, (2.5, 97.5)

#: Smallest number of blocks that gives a useful interval.
_FEWEST_BLOCKS = 12


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % interval.

    Attributes:
        estimate: fitted value.
        low: lower end.
        high: upper end.
    """

    estimate: float
    low: float
    high: float


def interval(values: _Floats) -> Interval:
    """Return the interval of an estimate (values[0]) from its bootstraps (values[1:]).

    The interval is widened to contain the estimate if necessary.

    >>> interval(np.array([5.0, *range(101)]))
    Interval(estimate=5.0, low=2.5, high=97.5)
    """
    low, high = percentiles(values[1:])
    estimate = float(values[0])
    return Interval(estimate, min(estimate, float(low)), max(estimate, float(high)))


def percentiles(values: _Floats) -> _Floats:
    """Return both ends of the 95 % interval along the first axis."""
    return np.asarray(np.percentile(values, _INTERVAL, axis=0))


def wild_residuals(residuals: _Floats, constants: int, seed: int) -> tuple[_Floats, bool]:
    """Return the residuals of each replicate, and whether the residuals are autocorrelated.

    Each residual gets a random sign. Autocorrelated residuals, as of smoothed losses, are resampled
    in blocks that share a sign; otherwise intervals would be too narrow (Shao 2010). The block
    width doubles until block sums are no longer autocorrelated or fewer than 12 blocks would
    remain. Block edges are drawn anew for each replicate. A factor sqrt(n / (n - constants))
    corrects for the degrees of freedom of the fit.

    Args:
        residuals: f64[points].
        constants: number of fitted constants.
        seed: seed of the signs.

    Returns:
        f64[300, points] and a flag.
    """
    points = len(residuals)
    autocorrelated = _autocorrelated(residuals, 1.0)
    width = 1.0
    while _autocorrelated(residuals, width) and points / width >= 2 * _FEWEST_BLOCKS:
        width *= 2
    draw = np.random.default_rng(seed)
    index = np.arange(points) / width + draw.uniform(0, 1, (_REPLICATES, 1))
    signs = draw.choice([-1.0, 1.0], (_REPLICATES, int(points / width) + 2))
    taken = np.take_along_axis(signs, index.astype(np.int64), axis=1)
    free = points / width
    return taken * residuals * np.sqrt(free / (free - constants)), autocorrelated


def _autocorrelated(residuals: _Floats, width: float) -> bool:
    """Return whether block sums have a lag-1 autocorrelation above two standard errors."""
    sums = np.bincount((np.arange(len(residuals)) / width).astype(np.int64), residuals)
    power = float(sums @ sums)
    return bool(power > 0 and sums[1:] @ sums[:-1] > 2 / np.sqrt(len(sums)) * power)
