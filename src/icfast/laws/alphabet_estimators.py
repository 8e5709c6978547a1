"""Entropy estimators that use the alphabet size, in nats. For unigrams only.

Input: a non-empty spectrum, and the alphabet size K, which includes unseen cells and is at least
the number of types seen. Output: nats per type. Most of the V^n possible n-grams never occur, so
for n > 1 these estimates mostly reflect the prior.

Notation: N windows, phi_r types seen r times, n_i the count of cell i of K.
"""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np

from icfast.errors import OptionError
from icfast.laws.estimators import F64, digamma_lag
from icfast.laws.gamma import rising_excess
from icfast.sums.spectrum import Spectrum

#: NSB's integral omits weights this far below the largest, in log units.
_NEGLIGIBLE = 45.0


def james_stein(spectrum: Spectrum, alphabet_size: int) -> float:
    """Return the entropy of th = n/N shrunk towards 1/K, nats per type (Hausser & Strimmer 2009).

    p_i = lambda/K + (1 - lambda) th_i, with lambda from :func:`james_stein_share`.

    >>> round(james_stein(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1]), 11), 12)
    2.37960289531
    """
    exact = james_stein_share(spectrum, alphabet_size)
    shrunk, kept = float(exact), float(1 - exact)
    counts, cells = _cells(spectrum, alphabet_size)
    total = spectrum.windows
    share = shrunk / alphabet_size + kept * (counts / total)
    rest = shrunk * (alphabet_size - 1) / alphabet_size + kept * ((total - counts) / total)
    return _entropy(cells, share, rest)


def james_stein_share(spectrum: Spectrum, alphabet_size: int) -> Fraction:
    """Return lambda = (1 - sum th^2) / ((N-1) sum (1/K - th)^2), clipped to 0..1, exactly.

    lambda is 1 if the divisor is 0.

    >>> float(james_stein_share(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1]), 11))
    0.7663934426229508
    """
    rows = zip(spectrum.multiplicity.tolist(), spectrum.types.tolist(), strict=True)
    squares = sum(types * r * r for r, types in rows)
    total = spectrum.windows
    # sum (1/K - th)^2 = sum th^2 - 1/K.
    divisor = (total - 1) * (alphabet_size * squares - total * total)
    if divisor == 0:
        return Fraction(1)
    return min(Fraction(1), Fraction(alphabet_size * (total * total - squares), divisor))


def dirichlet(spectrum: Spectrum, alphabet_size: int, concentration: float) -> float:
    """Return the entropy of p_i = (n_i + a)/(N + a K) with concentration a, nats per type.

    >>> round(dirichlet(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1]), 11, 1.0), 12)
    2.257875518693
    """
    if not (math.isfinite(concentration) and concentration > 0):
        raise OptionError(f"concentration must be positive and finite, found {concentration}")
    counts, cells = _cells(spectrum, alphabet_size)
    whole = spectrum.windows + concentration * alphabet_size
    rest = (spectrum.windows - counts) + concentration * (alphabet_size - 1)
    return _entropy(cells, (counts + concentration) / whole, rest / whole)


def jeffreys(spectrum: Spectrum, alphabet_size: int) -> float:
    """Return :func:`dirichlet` at a = 1/2, the prior of Jeffreys (1946) and Krichevsky-Trofimov.

    >>> round(jeffreys(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1]), 11), 12)
    2.179480382724
    """
    return dirichlet(spectrum, alphabet_size, 0.5)


def laplace(spectrum: Spectrum, alphabet_size: int) -> float:
    """Return :func:`dirichlet` at a = 1, the uniform prior of Bayes and Laplace.

    >>> round(laplace(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1]), 11), 12)
    2.257875518693
    """
    return dirichlet(spectrum, alphabet_size, 1.0)


def perks(spectrum: Spectrum, alphabet_size: int) -> float:
    """Return :func:`dirichlet` at a = 1/K (Perks 1947; Schuermann & Grassberger 1996).

    >>> round(perks(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1]), 11), 12)
    2.036887808124
    """
    return dirichlet(spectrum, alphabet_size, 1.0 / alphabet_size)


def minimax(spectrum: Spectrum, alphabet_size: int) -> float:
    """Return :func:`dirichlet` at a = sqrt(N)/K, minimax for squared error (Trybula 1958).

    >>> round(minimax(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1]), 11), 12)
    2.154091189931
    """
    return dirichlet(spectrum, alphabet_size, math.sqrt(spectrum.windows) / alphabet_size)


def nsb(spectrum: Spectrum, alphabet_size: int) -> float:
    """Return the posterior mean entropy under a nearly flat prior on the entropy, in nats.

    Nemenman et al. (2002) mix Dirichlet priors over b > 0 so that the prior mean entropy
    psi(Kb+1) - psi(b+1) is uniform. The weight of b is [K psi1(Kb+1) - psi1(b+1)] G(Kb)/G(N+Kb)
    prod G(n_i+b)/G(b), and its mean entropy is
    psi(N+Kb+1) - sum (n_i+b)/(N+Kb) psi(n_i+b+1). The integral over ln b is a sum over equal steps;
    it converges exponentially, because the integrand is smooth and vanishes on both sides.

    >>> round(nsb(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1]), 11), 6)
    2.187774
    """
    if alphabet_size == 1:
        return 0.0
    whole = Spectrum.from_counts([spectrum.windows])

    def log_weights(logs: F64) -> F64:
        return np.array(
            [
                log_b
                + _log_prior(math.exp(log_b), alphabet_size)
                + rising_excess(spectrum, math.exp(log_b))
                - rising_excess(whole, alphabet_size * math.exp(log_b))
                for log_b in logs.tolist()
            ]
        )

    logs = np.linspace(-80.0, 80.0, 161)
    low, high = _range(logs, log_weights(logs))
    while high - low < 0.5 * (logs[-1] - logs[0]):
        logs = np.linspace(low, high, 65)
        low, high = _range(logs, log_weights(logs))
    logs = np.linspace(low, high, 257)
    weights = log_weights(logs)
    shares = np.exp(weights - weights.max())
    means = [_dirichlet_mean(spectrum, alphabet_size, math.exp(log_b)) for log_b in logs.tolist()]
    return math.fsum((shares * means).tolist()) / math.fsum(shares.tolist())


def _range(logs: F64, log_weights: F64) -> tuple[float, float]:
    """Return the range of ln b with relevant weights, one step wider for a peak off the grid."""
    some = np.flatnonzero(log_weights > log_weights.max() - _NEGLIGIBLE)
    return float(logs[max(some[0] - 1, 0)]), float(logs[min(some[-1] + 1, len(logs) - 1)])


def _log_prior(b: float, cells: int) -> float:
    """Return ln [K psi1(Kb+1) - psi1(b+1)], which makes the prior mean entropy uniform."""
    from scipy.special import polygamma

    if b < 1e3:
        return math.log(cells * float(polygamma(1, cells * b + 1)) - float(polygamma(1, b + 1)))
    # psi1(x+1) = 1/x - 1/2x^2 + 1/6x^3 - 1/30x^5: the leading terms cancel.
    series = (1 - 1 / cells) / 2 - ((1 - cells**-2) / 6 - (1 - cells**-4) / 30 / b**2) / b
    return math.log(series) - 2 * math.log(b)


def _dirichlet_mean(spectrum: Spectrum, alphabet_size: int, b: float) -> float:
    """Return the posterior mean entropy under one Dirichlet prior (Wolpert & Wolf 1995)."""
    counts, cells = _cells(spectrum, alphabet_size)
    whole = spectrum.windows + alphabet_size * b
    rest = (spectrum.windows - counts) + (alphabet_size - 1) * b
    lags = digamma_lag(np.append(counts + b + 1, whole + 1))
    gap = np.log1p(rest / (counts + b + 1)) + (lags[:-1] - lags[-1])
    return math.fsum((cells * (counts + b) * gap).tolist()) / whole


def _cells(spectrum: Spectrum, alphabet_size: int) -> tuple[F64, F64]:
    """Return the counts and the number of cells with each count; unseen cells come last."""
    counts = np.append(spectrum.multiplicity.astype(np.float64), 0.0)
    return counts, np.append(spectrum.types.astype(np.float64), alphabet_size - spectrum.distinct)


def _entropy(cells: F64, share: F64, rest: F64) -> float:
    """Return -sum p ln p; rest = 1 - p is a separate argument to keep its digits if p is near 1."""
    used = (cells > 0) & (share > 0)
    share, rest = share[used], rest[used]
    return math.fsum((cells[used] * share * np.log1p(rest / share)).tolist())
