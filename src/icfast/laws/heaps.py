"""Heaps' law: number of types in a text of n tokens, in text order and shuffled."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from icfast.errors import OptionError
from icfast.laws.gamma import F64, stirling_remainder
from icfast.laws.result_table import ResultTable
from icfast.sums.spectrum import Spectrum

#: Largest number of factors that are multiplied directly.
_FACTORS = 64


@dataclass(frozen=True)
class HeapsLaw(ResultTable):
    """V(n) = k n^beta; built by :func:`fit_heaps`.

    Attributes:
        k: fitted number of types in a text of one token.
        beta: exponent; the share of new types among tokens falls as n^(beta - 1).
    """

    k: float
    beta: float


def observed_types(ids: ArrayLike, sizes: ArrayLike) -> NDArray[np.int64]:
    """Return V(n), the number of distinct ids among the first n, for each n in sizes.

    Args:
        ids: integers[tokens], the text in its order.
        sizes: integers, numbers of tokens n.

    Raises:
        OptionError: ids or sizes are not 1-D, or a size is not in 0..len(ids).

    >>> observed_types(list(b"abracadabra"), [1, 4, 11]).tolist()
    [1, 3, 5]
    """
    tokens = np.asarray(ids)
    if tokens.ndim != 1:
        raise OptionError(f"ids must be a 1-D array, found {tokens.ndim} dimensions")
    prefixes = _checked_sizes(sizes, 0, len(tokens))
    first = np.sort(np.unique(tokens, return_index=True)[1])
    return np.searchsorted(first, prefixes).astype(np.int64)


def shuffled_types(spectrum: Spectrum, sizes: ArrayLike) -> F64:
    """Return E V(n) for tokens in random order: the sum over types of 1 - C(N - r, n)/C(N, n).

    The value is exact; ecology calls it the rarefaction curve (Hurlbert 1971). An observed curve
    below it shows that words come in bursts. For r or n up to 64, C(N - r, n)/C(N, n) is the
    product over i < r of 1 - n/(N - i). For larger values Stirling's formula gives its logarithm,
    with ln((N-r)(N-n)/((N-n-r) N)) = log1p(n r/((N-n-r) N)), which avoids cancellation.

    Args:
        spectrum: spectrum of order 1, with N tokens.
        sizes: numbers of tokens n, whole, in 0..N.

    Raises:
        OptionError: nothing was counted, or a size is not whole or not in 0..N.

    >>> shuffled_types(Spectrum.from_counts([2, 1]), [0, 1, 2, 3]).round(12).tolist()
    [0.0, 1.0, 1.666666666667, 2.0]
    """
    total = spectrum.windows
    if total == 0:
        raise OptionError("the spectrum is empty: nothing was counted")
    prefixes = _checked_sizes(sizes, 0, total)
    rows, types = spectrum.multiplicity.astype(np.float64), spectrum.types.astype(np.float64)
    missed = (_log_missing(rows, float(n), float(total)) for n in prefixes.tolist())
    return np.array([math.fsum((types * -np.expm1(logs)).tolist()) for logs in missed])


def fit_heaps(sizes: ArrayLike, types: ArrayLike) -> HeapsLaw:
    """Fit ln V = ln k + beta ln n by least squares.

    Args:
        sizes: n of each point.
        types: V(n) of each point.

    Raises:
        OptionError: there are fewer than two different n, or a number is not positive and finite.

    >>> round(fit_heaps([1, 100, 10000], [2, 20, 200]).beta, 12)
    0.5
    """
    n, v = (np.asarray(values, np.float64) for values in (sizes, types))
    if n.ndim != 1 or n.shape != v.shape or len(np.unique(n)) < 2:
        raise OptionError("a fit needs as many types as sizes, and at least two different sizes")
    if not all(np.all(np.isfinite(values) & (values > 0)) for values in (n, v)):
        raise OptionError("sizes and types must be positive and finite")
    x, y = np.log(n), np.log(v)
    off = x - x.mean()
    beta = float(off @ y / (off @ off))
    return HeapsLaw(math.exp(float(y.mean()) - beta * float(x.mean())), beta)


def _checked_sizes(sizes: ArrayLike, low: int, high: int) -> NDArray[np.int64]:
    given = np.asarray(sizes)
    if given.ndim != 1:
        raise OptionError(f"sizes must be a 1-D array, found {given.ndim} dimensions")
    if not np.all((given >= low) & (given <= high) & (given == np.floor(given))):
        raise OptionError(f"sizes must be whole numbers of tokens in {low}..{high}")
    return given.astype(np.int64)


def _log_missing(rows: F64, n: float, total: float) -> F64:
    """Return ln [C(N - r, n)/C(N, n)] per row, the log probability that n tokens miss a type."""
    logs = np.full(len(rows), -np.inf)
    left = total - n - rows
    if n <= _FACTORS:
        possible = left >= 0
        chosen = rows[possible]
        logs[possible] = sum(
            (np.log1p(-chosen / (total - i)) for i in range(int(n))), np.zeros(len(chosen))
        )
        return logs
    few = (left >= 0) & (rows <= _FACTORS)
    products = np.cumsum(np.log1p(-n / (total - np.arange(min(_FACTORS, total - n)))))
    logs[few] = products[rows[few].astype(np.int64) - 1]
    # With no token left over, the probability is below 1/C(130, 65) < 1e-37.
    many = (left > 0) & ~few
    if not many.any():
        return logs
    r, rest = rows[many], left[many]
    both, alone = np.log1p(n * r / (rest * total)), np.log1p(np.append(-r, -n) / total)
    logs[many] = (rest + 0.5) * both + n * alone[:-1] + r * alone[-1]
    known = stirling_remainder(np.array([total - n, total]))
    logs[many] += stirling_remainder(total - r) - stirling_remainder(rest) + known[0] - known[1]
    return logs
