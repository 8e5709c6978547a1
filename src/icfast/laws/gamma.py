"""Differences of log-gamma functions, computed without cancellation."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from icfast.sums.spectrum import Spectrum

F64 = NDArray[np.float64]


def rising_excess(spectrum: Spectrum, start: float) -> float:
    """Return the sum over types of ln[G(r+z)/G(z)] - r ln r + r, with z = start; in nats.

    By Stirling's formula a term is r ln(1+z/r) + (z-1/2) ln(1+r/z) + s(r+z) - s(z), where s is the
    remainder, so no term grows like r ln r. The linear part cancels in the difference of two
    spectra with equal sums.
    """
    rows = spectrum.multiplicity.astype(np.float64)
    remainder = stirling_remainder(np.append(rows + start, start))
    excess = rows * np.log1p(start / rows) + (start - 0.5) * np.log1p(rows / start)
    excess += remainder[:-1] - remainder[-1]
    return math.fsum((spectrum.types.astype(np.float64) * excess).tolist())


def stirling_remainder(x: F64) -> F64:
    """Return lnG(x) - [(x-1/2) ln x - x + ln(2 pi)/2] for x > 0, elementwise."""
    from scipy.special import gammaln

    inverse = 1.0 / np.maximum(x, 16.0)
    square = inverse * inverse
    tail = 1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))
    near = gammaln(x) - ((x - 0.5) * np.log(x) - x + 0.5 * math.log(2 * math.pi))
    return np.where(x < 16.0, near, inverse * (1 / 12 - square * tail))
