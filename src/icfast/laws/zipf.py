"""Zipf's law: tail of the count spectrum, and share of types seen once."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from icfast.errors import OptionError
from icfast.laws.result_table import ResultTable
from icfast.sums.spectrum import U64, Spectrum

#: Range of alpha. At the upper end one type in 2^63 is seen more than once.
_EXPONENTS = (1.0 + 1e-9, 64.0)


@dataclass(frozen=True)
class ZipfTail(ResultTable):
    """Result of :func:`zipf_tail`.

    Attributes:
        minimum_count: r_min.
        types: number of types seen r_min times or more.
        spectrum_exponent: alpha of phi_r ~ r^-alpha.
        standard_error: standard error of alpha, from the curvature of the likelihood, assuming
            independent types.
        rank_exponent: s = 1/(alpha - 1) of count ~ rank^-s; 1 is Zipf's law.
        distance: Kolmogorov-Smirnov distance between the observed and the fitted share of types
            seen r times or more. The tail with the smallest distance is nearest to a power law.
    """

    minimum_count: int
    types: int
    spectrum_exponent: float
    standard_error: float
    rank_exponent: float
    distance: float


def zipf_tail(spectrum: Spectrum, minimum_count: int = 1) -> ZipfTail:
    """Fit P(r) = r^-alpha / zeta(alpha, r_min) to the types with r >= r_min by maximum likelihood.

    The fit uses discrete counts, without bins or regression on ranks (Clauset, Shalizi & Newman
    2009, sec. 3). alpha is accurate to about 1e-7.

    Args:
        spectrum: spectrum of order 1.
        minimum_count: r_min.

    Raises:
        OptionError: minimum_count is below 1, or fewer than two different counts reach it.

    >>> counts = [10**6 // rank for rank in range(1, 10**5)]
    >>> found = zipf_tail(Spectrum.from_counts(counts), 100)
    >>> round(found.spectrum_exponent, 2), round(found.rank_exponent, 2)
    (2.0, 1.0)
    """
    from scipy.optimize import minimize_scalar
    from scipy.special import zeta

    if minimum_count < 1:
        raise OptionError(f"minimum_count must be at least 1, found {minimum_count}")
    tail = spectrum.multiplicity >= np.uint64(minimum_count)
    counts, types = spectrum.multiplicity[tail], spectrum.types[tail]
    if len(counts) < 2:
        raise OptionError(
            f"a tail needs two different counts of {minimum_count} or more, found {len(counts)}"
        )
    held = int(types.sum())
    # ln(r / r_min): the largest terms cancel before the summation.
    logs = np.log(counts.astype(np.float64) / minimum_count) * types.astype(np.float64)
    mean_log = math.fsum(logs.tolist()) / held

    def loss(alpha: float) -> float:
        """Return minus the mean log likelihood of a type."""
        scaled = float(zeta(alpha, minimum_count)) * float(minimum_count) ** alpha
        return math.log(scaled) + alpha * mean_log if scaled < math.inf else math.inf

    found = minimize_scalar(loss, bounds=_EXPONENTS, method="bounded", options={"xatol": 1e-10})
    alpha = float(found.x)
    step = 1e-3 * (alpha - 1.0)
    curvature = (loss(alpha + step) - 2 * loss(alpha) + loss(alpha - step)) / step**2
    return ZipfTail(
        minimum_count=minimum_count,
        types=held,
        spectrum_exponent=alpha,
        standard_error=1.0 / math.sqrt(held * curvature),
        rank_exponent=1.0 / (alpha - 1.0),
        distance=_distance(counts, types, alpha, minimum_count),
    )


def _distance(counts: U64, types: U64, alpha: float, minimum_count: int) -> float:
    from scipy.special import zeta

    rows, share = counts.astype(np.float64), types[::-1].cumsum()[::-1] / float(types.sum())
    # Between two observed counts the fitted share falls while the observed one is constant.
    at, after = (zeta(alpha, r) / zeta(alpha, minimum_count) for r in (rows, rows + 1))
    return float(max(np.abs(share - at).max(), np.abs(np.append(share[1:], 0) - after).max()))


def hapax_share(spectrum: Spectrum) -> float:
    """Return phi_1 / K, the share of types seen once; about 1/2 under Zipf's law.

    Raises:
        OptionError: nothing was counted.

    >>> hapax_share(Spectrum.from_counts([5, 2, 1, 1]))
    0.5
    """
    if spectrum.distinct == 0:
        raise OptionError("the spectrum is empty: nothing was counted")
    return spectrum.singletons / spectrum.distinct
