"""Entropy estimators as functions of a count spectrum, in nats.

Input: a non-empty spectrum. Output: nats per type. No function expands a spectrum, so each takes
O(rows), and equal spectra give bit-identical results.

Notation: N windows, K types, phi_r types seen r times, S = sum phi_r r ln r, psi the digamma
function. Most estimators are a mean over windows of a *gap* such as ln N - ln r or
psi(N) - psi(r). The code computes the gap itself. The textbook form, a difference of two large
sums, loses the relevant digits if one type dominates or N is large.
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

#: The asymptotic series below have a relative error under 1e-15 from here on.
_SERIES_FROM = 64.0


def log_gap(spectrum: Spectrum) -> F64:
    """Return ln(N/r) per row, to full precision even if r is close to N."""
    rows = spectrum.multiplicity.astype(np.float64)
    gap: F64 = np.log1p((float(spectrum.windows) - rows) / rows)
    return gap


def mean_over_windows(spectrum: Spectrum, gap: F64) -> float:
    """Return (1/N) sum phi_r r gap_r, rounded once and so independent of the summation order."""
    weight = spectrum.types.astype(np.float64) * spectrum.multiplicity.astype(np.float64)
    return math.fsum((weight * gap).tolist()) / spectrum.windows


def lagged_gap(spectrum: Spectrum, lag: Callable[[F64], F64]) -> F64:
    """Return g(N) - g(r) per row for g(x) = ln x - lag(x), where lag is small for large x."""
    rows = np.append(spectrum.multiplicity.astype(np.float64), float(spectrum.windows))
    lags = lag(rows)
    gap: F64 = log_gap(spectrum) + (lags[:-1] - lags[-1])
    return gap


def digamma_lag(x: F64) -> F64:
    """Return ln x - psi(x) for x >= 1, elementwise."""
    from scipy.special import digamma

    inverse = 1.0 / x
    square = inverse * inverse
    tail = square * (1 / 12 - square * (1 / 120 - square * (1 / 252 - square / 240)))
    return np.where(x < _SERIES_FROM, np.log(x) - digamma(x), inverse / 2 + tail)


def _alternating_sum(x: F64) -> F64:
    """Return the sum over k >= 0 of (-1)^k / (x + k) = [psi((x+1)/2) - psi(x/2)] / 2, x >= 1."""
    from scipy.special import digamma

    inverse = 1.0 / x
    square = inverse * inverse
    tail = 1 / 4 - square * (1 / 8 - square * (1 / 4 - square * (17 / 16 - square * 31 / 4)))
    near = (digamma((x + 1) / 2) - digamma(x / 2)) / 2
    return np.where(x < _SERIES_FROM, near, inverse / 2 + square * tail)


def _jackknife_lag(x: F64) -> F64:
    """Return 1 + (x - 1) ln(1 - 1/x) for x >= 1, elementwise."""
    below = x - 1.0
    near = 1.0 - below * np.log1p(1.0 / np.maximum(below, 1.0))
    series = np.zeros_like(x)
    for power in range(9, 0, -1):
        series = (series + 1.0 / (power * (power + 1))) / x
    return np.where(x < _SERIES_FROM, near, series)


def ml(spectrum: Spectrum) -> float:
    """Return ln N - S/N, the plug-in (maximum-likelihood) entropy, nats per type.

    >>> round(ml(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 12)
    1.968382408728
    """
    return mean_over_windows(spectrum, log_gap(spectrum))


def miller_madow(spectrum: Spectrum) -> float:
    """Return ml + (K-1)/(2N), nats per type (Miller 1955).

    >>> round(miller_madow(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 12)
    2.152592935044
    """
    return ml(spectrum) + (spectrum.distinct - 1) / (2 * spectrum.windows)


def jackknife(spectrum: Spectrum) -> float:
    """Return N ml - (N-1) * mean of ml over samples without one window, nats (Zahl 1977).

    >>> round(jackknife(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 12)
    2.23127431418
    """
    # N ML - (N-1)/N sum phi r ML^(-r) is N times a difference of nearly equal numbers. S cancels
    # exactly, which leaves a mean gap of g(x) = x ln x - (x-1) ln(x-1).
    return mean_over_windows(spectrum, lagged_gap(spectrum, _jackknife_lag))


def zhang(spectrum: Spectrum) -> float:
    """Return psi(N) - (1/N) sum phi_r r psi(r), nats per type (Zhang 2012).

    >>> round(zhang(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 12)
    2.170546674688
    """
    return mean_over_windows(spectrum, lagged_gap(spectrum, digamma_lag))


def schurmann(spectrum: Spectrum, xi: float = math.exp(-0.5)) -> float:
    """Return psi(N) - (1/N) sum phi_r r [psi(r) + (-1)^r I_r], nats per type (Schuermann 2004).

    I_r is the integral from 0 to 1/xi - 1 of t^(r-1)/(1+t) dt. xi = 1 gives :func:`zhang`, xi = 1/2
    :func:`grassberger`; the paper recommends e^-1/2.

    Args:
        spectrum: a non-empty spectrum.
        xi: parameter in [1/2, 1].

    Raises:
        OptionError: xi is out of range.

    >>> round(schurmann(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 12)
    2.173616924763
    """
    if not 0.5 <= xi <= 1.0:
        raise OptionError(f"xi must be in 0.5..1, found {xi}")
    sign = np.where(spectrum.multiplicity % np.uint64(2) == 0, 1.0, -1.0)
    wave = sign * _ratio_integral(spectrum.multiplicity.astype(np.float64), 1.0 / xi - 1.0)
    return mean_over_windows(spectrum, lagged_gap(spectrum, digamma_lag) - wave)


def _ratio_integral(r: F64, x: float) -> F64:
    """Return the integral from 0 to x of t^(r-1)/(1+t) dt, r >= 1, 0 <= x <= 1.

    Pfaff's transformation of 2F1(1, r; r+1; -x) makes all terms positive: with z = x/(1+x) it is
    x^r/((1+x) r) * sum over j of j! z^j / ((r+1)...(r+j)). Each term is at most z <= 1/2 of the
    previous one.
    """
    z = x / (1.0 + x)
    total = term = x**r / ((1.0 + x) * r)
    for j in range(1, 56):
        term = term * (j * z / (r + j))
        total = total + term
    return total


def grassberger(spectrum: Spectrum) -> float:
    """Return psi(N) - (1/N) sum phi_r r G_r, nats per type (Grassberger 2003).

    G_r = psi(r) + (-1)^r/2 * [psi((r+1)/2) - psi(r/2)]. With psi(N) instead of ln N the estimate is
    exactly unbiased for a fair coin.

    >>> round(grassberger(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 12)
    2.11807982016
    """
    sign = np.where(spectrum.multiplicity % np.uint64(2) == 0, 1.0, -1.0)
    wave = sign * _alternating_sum(spectrum.multiplicity.astype(np.float64))
    return mean_over_windows(spectrum, lagged_gap(spectrum, digamma_lag) - wave)


def chao_shen(spectrum: Spectrum) -> float:
    """Return -sum phi_r p ln p / (1 - (1-p)^N), p = C r/N, C = 1 - phi_1/N, nats per type.

    (Chao & Shen 2003.) If every type was seen once, C = 1/N.

    >>> round(chao_shen(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 12)
    2.20113710128
    """
    total = spectrum.windows
    # phi_1 = N would make the coverage and every term 0.
    unseen = min(spectrum.singletons, total - 1)
    coverage = (total - unseen) / total
    rows = spectrum.multiplicity.astype(np.float64)
    with np.errstate(divide="ignore"):  # one type, full coverage: ln 0, inclusion probability 1
        missed = total * np.log1p(-coverage * rows / total)
    gap = log_gap(spectrum) + math.log1p(unseen / (total - unseen))
    return coverage * mean_over_windows(spectrum, gap / -np.expm1(missed))


def cwj(spectrum: Spectrum) -> float:
    """Return zhang + (phi_1/N) sum_{j>=0} (1-A)^(j+1)/(N+j), nats per type.

    (Chao, Wang & Jost 2013.) A comes from :func:`doubleton_share`; the sum is 0 if phi_1 = 0 or
    A = 1.

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
    """Return A, the estimated mean probability of the types seen once; exact (Chao & Jost 2012).

    2 phi_2/((N-1) phi_1 + 2 phi_2), or if phi_2 = 0, 2/((N-1)(phi_1-1) + 2); 1 if phi_1 = 0.

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
    """Return the sum over j >= 0 of e^(-decay (j+1)) / (total + j).

    The textbook form, a logarithm minus a partial sum, takes O(N) and cancels. For fast decay the
    code adds the terms. For slow decay it uses Euler-Maclaurin from 1000 on; below 1000 the omitted
    fifth-order end term would matter.
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
    """Return e^x E1(x) for x > 0, with a relative error under 1e-15 even if e^x overflows."""
    if x < 1.0:
        from scipy.special import exp1

        return math.exp(x) * float(exp1(x))
    fraction = 0.0
    for k in range(math.ceil(20 + 80 / x), 0, -1):
        fraction = k * k / (x + 2 * k + 1 - fraction)
    return 1.0 / (x + 1.0 - fraction)
