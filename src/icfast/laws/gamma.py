"""Logarithms of gamma functions where the textbook difference would lose its digits."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from icfast.sums.spectrum import Spectrum

F64 = NDArray[np.float64]


def rising_excess(spectrum: Spectrum, start: float) -> float:
    """Sum over types of ln[G(r+z)/G(z)] - r ln r + r, z = start; nats.

    By Stirling it is r ln(1+z/r) + (z-1/2) ln(1+r/z) + s(r+z) - s(z), s the remainder: no term
    grows like r ln r. The linear part drops out of any difference of two spectra of equal sum.
    """
    rows = spectrum.multiplicity.astype(np.float64)
    remainder = stirling_remainder(np.append(rows + start, start))
    excess = rows * np.log1p(start / rows) + (start - 0.5) * np.log1p(rows / start)
    excess += remainder[:-1] - remainder[-1]
    return math.fsum((spectrum.types.astype(np.float64) * excess).tolist())


def stirling_remainder(x: F64) -> F64:
    """LnG(x) - [(x-1/2) ln x - x + ln(2 pi)/2], x > 0."""
    from scipy.special import gammaln

    inverse = 1.0 / np.maximum(x, 16.0)
    square = inverse * inverse
    tail = 1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188))
    near = gammaln(x) - ((x - 0.5) * np.log(x) - x + 0.5 * math.log(2 * math.pi))
    return np.where(x < 16.0, near, inverse * (1 / 12 - square * tail))
