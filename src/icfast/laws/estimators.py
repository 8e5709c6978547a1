"""Entropy estimators as functions of a count spectrum, in nats.

Data in: a spectrum that is not empty. Data out: nats per type. Nothing expands a spectrum, so
every estimator costs O(rows), and equal spectra give bit-identical results.

Notation: N windows, K types, phi_r types seen r times, S = sum phi_r r ln r, psi the digamma
function. Most estimators are a mean over windows of a *gap* such as ln N - ln r or
psi(N) - psi(r). The gap is computed as such: the textbook form, one large sum less another, loses
the digits that matter when one type dominates or N is large.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from icfast.errors import OptionError
from icfast.sums.spectrum import Spectrum

F64 = NDArray[np.float64]

#: From here on the asymptotic series below are good to a relative 1e-15.
_SERIES_FROM = 64.0


def log_gap(spectrum: Spectrum) -> F64:
    """ln(N/r) per row, good to the last digit where r is nearly N too."""
    rows = spectrum.multiplicity.astype(np.float64)
    gap: F64 = np.log1p((float(spectrum.windows) - rows) / rows)
    return gap


def mean_over_windows(spectrum: Spectrum, gap: F64) -> float:
    """(1/N) sum phi_r r gap_r, rounded once, so independent of any order of summation."""
    weight = spectrum.types.astype(np.float64) * spectrum.multiplicity.astype(np.float64)
    return math.fsum((weight * gap).tolist()) / spectrum.windows


def lagged_gap(spectrum: Spectrum, lag: Callable[[F64], F64]) -> F64:
    """g(N) - g(r) per row for g(x) = ln x - lag(x), the lag being small where x is large."""
    rows = np.append(spectrum.multiplicity.astype(np.float64), float(spectrum.windows))
    lags = lag(rows)
    gap: F64 = log_gap(spectrum) + (lags[:-1] - lags[-1])
    return gap


def digamma_lag(x: F64) -> F64:
    """Ln x - psi(x), x >= 1."""
    from scipy.special import digamma

    inverse = 1.0 / x
    square = inverse * inverse
    tail = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)))
    return np.where(x < _SERIES_FROM, np.log(x) - digamma(x), inverse / 2 + tail)


def _alternating_sum(x: F64) -> F64:
    """Sum over k >= 0 of (-1)^k / (x + k) = [psi((x+1)/2) - psi(x/2)] / 2, x >= 1."""
    from scipy.special import digamma

    inverse = 1.0 / x
    square = inverse * inverse
    tail = 1 / 4 - square * (1 / 8 - square * (1 / 4 - square * (17 / 16 - square * 31 / 4)))
    near = (digamma((x + 1) / 2) - digamma(x / 2)) / 2
    return np.where(x < _SERIES_FROM, near, inverse / 2 + square * tail)


def _jackknife_lag(x: F64) -> F64:
    """1 + (x - 1) ln(1 - 1/x), x >= 1."""
    below = x - 1.0
    near = 1.0 - below * np.log1p(1.0 / np.maximum(below, 1.0))
    series = np.zeros_like(x)
    for power in range(9, 0, -1):
        series = (series + 1.0 / (power * (power + 1))) / x
    return np.where(x < _SERIES_FROM, near, series)


def ml(spectrum: Spectrum) -> float:
    """ln N - S/N, the entropy of the counts themselves, nats per type.

    >>> round(ml(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 12)
    1.968382408728
    """
    return mean_over_windows(spectrum, log_gap(spectrum))


def miller_madow(spectrum: Spectrum) -> float:
    """ml + (K-1)/(2N), nats per type (Miller 1955).

    >>> round(miller_madow(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 12)
    2.152592935044
    """
    return ml(spectrum) + (spectrum.distinct - 1) / (2 * spectrum.windows)


def jackknife(spectrum: Spectrum) -> float:
    """N ml - (N-1) * mean of ml over the samples with one window left out, nats (Zahl 1977).

    >>> round(jackknife(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 12)
    2.23127431418
    """
    # N ML - (N-1)/N sum phi r ML^(-r) is N times a difference of two nearly equal numbers; the
    # S in both cancels exactly, which leaves a mean gap of g(x) = x ln x - (x-1) ln(x-1).
    return mean_over_windows(spectrum, lagged_gap(spectrum, _jackknife_lag))


def zhang(spectrum: Spectrum) -> float:
    """psi(N) - (1/N) sum phi_r r psi(r), nats per type (Zhang 2012).

    >>> round(zhang(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 12)
    2.170546674688
    """
    return mean_over_windows(spectrum, lagged_gap(spectrum, digamma_lag))


def schurmann(spectrum: Spectrum, xi: float = math.exp(-0.5)) -> float:
    """psi(N) - (1/N) sum phi_r r [psi(r) + (-1)^r I_r], nats per type (Schuermann 2004).

    I_r = integral from 0 to 1/xi - 1 of t^(r-1)/(1+t) dt. xi = 1 is :func:`zhang`, xi = 1/2
    :func:`grassberger`; e^-1/2 is the choice of that paper.

    Args:
        spectrum: not empty.
        xi: in [1/2, 1].

    >>> round(schurmann(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 12)
    2.173616924763
    """
    if not 0.5 <= xi <= 1.0:
        raise OptionError(f"xi must lie in 0.5..1, found {xi}")
    sign = np.where(spectrum.multiplicity % np.uint64(2) == 0, 1.0, -1.0)
    wave = sign * _ratio_integral(spectrum.multiplicity.astype(np.float64), 1.0 / xi - 1.0)
    return mean_over_windows(spectrum, lagged_gap(spectrum, digamma_lag) - wave)


def _ratio_integral(r: F64, x: float) -> F64:
    """Integral from 0 to x of t^(r-1)/(1+t) dt, r >= 1, 0 <= x <= 1.

    By Pfaff's transformation of 2F1(1, r; r+1; -x) all terms are positive, with z = x/(1+x):
    x^r/((1+x) r) * sum over j of j! z^j / ((r+1)...(r+j)), each at most z <= 1/2 of the last.
    """
    z = x / (1.0 + x)
    total = term = x**r / ((1.0 + x) * r)
    for j in range(1, 56):
        term = term * (j * z / (r + j))
        total = total + term
    return total


def grassberger(spectrum: Spectrum) -> float:
    """psi(N) - (1/N) sum phi_r r G_r, nats per type (Grassberger 2003).

    G_r = psi(r) + (-1)^r/2 * [psi((r+1)/2) - psi(r/2)]. With psi(N), not ln N, it is exactly
    unbiased for a fair coin.

    >>> round(grassberger(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 12)
    2.11807982016
    """
    sign = np.where(spectrum.multiplicity % np.uint64(2) == 0, 1.0, -1.0)
    wave = sign * _alternating_sum(spectrum.multiplicity.astype(np.float64))
    return mean_over_windows(spectrum, lagged_gap(spectrum, digamma_lag) - wave)


def chao_shen(spectrum: Spectrum) -> float:
    """-sum phi_r p ln p / (1 - (1-p)^N), p = C r/N, C = 1 - phi_1/N, nats per type.

    Chao and Shen (2003). Where every type was seen once, C = 1/N.

    >>> round(chao_shen(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 12)
    2.20113710128
    """
    total = spectrum.windows
    # phi_1 = N would make the coverage 0 and every term with it.
    unseen = min(spectrum.singletons, total - 1)
    coverage = (total - unseen) / total
    rows = spectrum.multiplicity.astype(np.float64)
    with np.errstate(divide="ignore"):  # one type, full coverage: ln 0, inclusion probability 1
        missed = total * np.log1p(-coverage * rows / total)
    gap = log_gap(spectrum) + math.log1p(unseen / (total - unseen))
    return coverage * mean_over_windows(spectrum, gap / -np.expm1(missed))


def cwj(spectrum: Spectrum) -> float:
    """Zhang + (phi_1/N) sum_{j>=0} (1-A)^(j+1)/(N+j), nats per type.

    Chao, Wang and Jost (2013); A as in :func:`doubleton_share`. No tail where phi_1 = 0 or A = 1.

    >>> round(cwj(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 12)
    2.197116039017
    """
    share = doubleton_share(spectrum)
    if share == 1:
        return zhang(spectrum)
    once, total = spectrum.singletons, spectrum.windows
    decay = -math.log1p(-float(share))
    return zhang(spectrum) + once / total * _geometric_tail(total, decay)


def doubleton_share(spectrum: Spectrum) -> Fraction:
    """A, the estimated mean probability of the types seen once; exact (Chao & Jost 2012).

    2 phi_2/((N-1) phi_1 + 2 phi_2), or where phi_2 = 0, 2/((N-1)(phi_1-1) + 2); 1 where phi_1 = 0.

    >>> doubleton_share(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1]))
    Fraction(1, 7)
    """
    once, twice, total = spectrum.singletons, spectrum.doubletons, spectrum.windows
    if once == 0:
        return Fraction(1)
    if twice == 0:
        return Fraction(2, (total - 1) * (once - 1) + 2)
    return Fraction(2 * twice, (total - 1) * once + 2 * twice)


def _geometric_tail(total: int, decay: float) -> float:
    """Sum over j >= 0 of e^(-decay (j+1)) / (total + j).

    The textbook form, a logarithm less a partial sum, is O(N) and cancels. Fast decay: the sum
    itself. Slow decay: Euler-Maclaurin from 1000 on, below which its fifth-order end term shows.
    """
    if decay > 0.02:
        return _direct_tail(total, decay, math.ceil(40 / decay))
    head = max(0, 1000 - total)
    far = _euler_maclaurin_tail(float(total + head), decay)
    return _direct_tail(total, decay, head) + math.exp(-decay * head) * far


def _direct_tail(total: int, decay: float, terms: int) -> float:
    return math.fsum(math.exp(-decay * (j + 1)) / (total + j) for j in range(terms))


def _euler_maclaurin_tail(n: float, q: float) -> float:
    first = (q / n + 1 / n**2) / 12
    third = (q**3 / n + 3 * q**2 / n**2 + 6 * q / n**3 + 6 / n**4) / 720
    return math.exp(-q) * (_scaled_exp1(q * n) + 1 / (2 * n) + first - third)


def _scaled_exp1(x: float) -> float:
    """e^x E1(x), x > 0; relative error under 1e-15 where e^x overflows too."""
    if x < 1.0:
        from scipy.special import exp1

        return math.exp(x) * float(exp1(x))
    fraction = 0.0
    for k in range(math.ceil(20 + 80 / x), 0, -1):
        fraction = k * k / (x + 2 * k + 1 - fraction)
    return 1.0 / (x + 1.0 - fraction)
