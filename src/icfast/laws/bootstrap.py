"""Intervals of curves fitted by least squares: residuals with random signs (Wu 1986)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_Floats = NDArray[np.float64]

_REPLICATES, _INTERVAL = 300, (2.5, 97.5)

#: Fewer signs than these say little of an interval.
_FEWEST_RUNS = 12


@dataclass(frozen=True)
class Interval:
    """An estimate and its 95 % interval."""

    estimate: float
    low: float
    high: float


def interval(values: _Floats) -> Interval:
    """The first value is the estimate, the others its bootstraps; it is within, come what may.

    >>> interval(np.array([5.0, *range(101)]))
    Interval(estimate=5.0, low=2.5, high=97.5)
    """
    low, high = percentiles(values[1:])
    estimate = float(values[0])
    return Interval(estimate, min(estimate, float(low)), max(estimate, float(high)))


def percentiles(values: _Floats) -> _Floats:
    """Both ends of the 95 % interval, along the first axis."""
    return np.asarray(np.percentile(values, _INTERVAL, axis=0))


def wild_residuals(residuals: _Floats, constants: int, seed: int) -> tuple[_Floats, bool]:
    """Residuals of each replicate, and whether neighbours' are alike.

    Errors that hang together, as those of smoothed losses do, must keep their sign together, or
    intervals come out too narrow (Shao 2010). Each point has a sign of its own, unless neighbours'
    residuals are alike; then runs of two have, of four, and so on, cut anew for each replicate,
    until they are not alike or fewer than 12 would be left. What a fit of so many constants takes
    off residuals is given back.
    """
    points = len(residuals)
    alike = _alike(residuals, 1.0)
    width = 1.0
    while _alike(residuals, width) and points / width >= 2 * _FEWEST_RUNS:
        width *= 2
    draw = np.random.default_rng(seed)
    index = np.arange(points) / width + draw.uniform(0, 1, (_REPLICATES, 1))
    signs = draw.choice([-1.0, 1.0], (_REPLICATES, int(points / width) + 2))
    taken = np.take_along_axis(signs, index.astype(np.int64), axis=1)
    free = points / width
    return taken * residuals * np.sqrt(free / (free - constants)), alike


def _alike(residuals: _Floats, width: float) -> bool:
    """Whether the sums of neighbouring runs have an autocorrelation above two standard errors."""
    sums = np.bincount((np.arange(len(residuals)) / width).astype(np.int64), residuals)
    power = float(sums @ sums)
    return bool(power > 0 and sums[1:] @ sums[:-1] > 2 / np.sqrt(len(sums)) * power)
