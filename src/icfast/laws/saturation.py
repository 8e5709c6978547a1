"""Saturation of a loss curve: fit of E + A D^-alpha, with intervals."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from icfast.errors import OptionError
from icfast.laws.balance import require_positive
from icfast.laws.bootstrap import Interval, interval, percentiles, wild_residuals
from icfast.laws.result_table import ResultTable

_Floats = NDArray[np.float64]

#: Range of alpha; a fit at either end does not count.
_LEAST_EXPONENT, _MOST_EXPONENT = 0.02, 3.0

#: Bins of equal width in ln D. A fit needs this many with losses, over this ratio of D.
_BINS, _FEWEST_BINS, _LEAST_SPAN = 48, 8, 4.0

#: Number of fitted points, evenly spaced in ln D, and the largest D over the last D.
_POINTS, _BEYOND = 41, 4.0


@dataclass(frozen=True)
class FittedPoint:
    """Fit at one D.

    Attributes:
        tokens: D.
        loss_nats: E + A D^-alpha, nats per token.
        low_nats: lower end of its 95 % interval.
        high_nats: upper end.
    """

    tokens: float
    loss_nats: float
    low_nats: float
    high_nats: float


@dataclass(frozen=True)
class Saturation(ResultTable):
    """Result of :func:`saturation`; losses in nats per token.

    Attributes:
        verdict: ``saturated``, ``not saturated``, ``undecided`` or ``unknown``.
        floor_nats: E, the limit of the fitted form.
        exponent: alpha.
        reducible_nats: A D^-alpha at the last token, the distance to E.
        doubling_gain_nats: A D^-alpha (1 - 2^-alpha), the loss that twice the tokens save.
        threshold_nats: smallest saving that counts as a gain.
        fitted_from_tokens: D at which the fitted part of the curve begins.
        bins: number of bins fitted.
        fitted: the fit from there to four times the last D; empty without a fit.
        flags: warnings for the reader, in words.
    """

    verdict: str
    floor_nats: Interval | None
    exponent: Interval | None
    reducible_nats: Interval | None
    doubling_gain_nats: Interval | None
    threshold_nats: float
    fitted_from_tokens: float
    bins: int
    fitted: tuple[FittedPoint, ...] = field(repr=False)
    flags: tuple[str, ...]


def saturation(
    tokens: _Floats,
    loss_nats: _Floats,
    *,
    threshold_nats: float = 0.01,
    fit_from_tokens: float | None = None,
    seed: int = 0,
) -> Saturation:
    """Fit L = E + A D^-alpha to a loss curve and judge how much loss twice the tokens would save.

    Losses are averaged in bins of ln D. E and A >= 0 are least squares weighted by the losses per
    bin; a search finds alpha. Intervals come from 300 wild bootstraps (residuals with random signs;
    Wu 1986), in blocks if neighbouring residuals are correlated, as with smoothed losses.

    The verdict is ``saturated`` if the whole interval of the saving is below the threshold,
    ``not saturated`` if it is above, ``undecided`` if it contains the threshold, and ``unknown``
    without a fit.

    Args:
        tokens: f64[rows], D > 0 of each loss, ascending.
        loss_nats: f64[rows], L(D) in nats per token.
        threshold_nats: smallest saving that counts as a gain, nats per token.
        fit_from_tokens: D at which the fit begins; the default is the last D / 100.
        seed: seed of the random signs.

    Raises:
        OptionError: there are no losses, lengths differ, D is not positive and ascending, a loss is
            not finite, or the threshold is not positive.

    >>> d = np.arange(1.0, 10_001.0)
    >>> found = saturation(d, 2 + 5 * d**-0.5)
    >>> found.verdict, round(found.floor_nats.estimate, 3), round(found.exponent.estimate, 3)
    ('not saturated', 2.0, 0.5)
    """
    require_positive("threshold_nats", threshold_nats)
    tokens, losses = np.asarray(tokens, np.float64), np.asarray(loss_nats, np.float64)
    if not len(tokens) or len(tokens) != len(losses):
        raise OptionError(
            "tokens and losses must be equally many and not empty, found "
            f"{len(tokens)} and {len(losses)}"
        )
    if tokens[0] <= 0 or (np.diff(tokens) <= 0).any() or not np.isfinite(losses).all():
        raise OptionError("tokens must be positive and ascend, and losses must be finite")
    begin = tokens[-1] / 100 if fit_from_tokens is None else fit_from_tokens
    kept = tokens >= begin
    u, y, weights = _binned(tokens[kept] / tokens[-1], losses[kept])
    if len(u) < _FEWEST_BINS or u[-1] < _LEAST_SPAN * u[0]:
        return unknown_saturation(begin, len(u), threshold_nats)
    fits, autocorrelated = _replicates(u, y, weights, seed)
    floor, reducible, exponent = (interval(column) for column in fits.T)
    gain = interval(fits[:, 1] * -np.expm1(-fits[:, 2] * np.log(2.0)))
    at_end = not _LEAST_EXPONENT * 1.001 < exponent.estimate < _MOST_EXPONENT / 1.001
    flags = ["the form does not fit: the exponent reaches the end of its range"] if at_end else []
    if autocorrelated:
        flags.append(
            "residuals are autocorrelated: they are resampled in blocks, and intervals are rough"
        )
    if reducible.estimate == 0.0:
        flags.append("the curve does not fall: A is 0")
    if floor.low == 0.0:
        flags.append("E is unknown: its interval reaches 0")
    return Saturation(
        verdict(gain, threshold_nats, at_end and reducible.estimate > 0),
        floor,
        exponent,
        reducible,
        gain,
        threshold_nats,
        float(begin),
        len(u),
        _fitted(fits, begin, tokens[-1]),
        tuple(flags),
    )


def unknown_saturation(begin: float, bins: int, threshold_nats: float) -> Saturation:
    """Return the result for a curve that is too short for a fit."""
    flag = f"{bins} bins from {begin:.4g} tokens: too short a curve for a fit"
    none = (None, None, None, None)
    return Saturation("unknown", *none, threshold_nats, float(begin), bins, (), (flag,))


def verdict(gain: Interval, threshold: float, unfit: bool) -> str:
    """Compare the interval of a saving with a threshold; `unfit`: the form does not fit."""
    if gain.high < threshold:
        return "saturated"
    if unfit:
        return "unknown"
    return "not saturated" if gain.low > threshold else "undecided"


def _fitted(fits: _Floats, begin: float, end: float) -> tuple[FittedPoint, ...]:
    tokens = np.geomspace(begin, _BEYOND * end, _POINTS)
    losses = fits[:, :1] + fits[:, 1:2] * (tokens / end) ** -fits[:, 2:]
    low, high = percentiles(losses[1:])
    rows = np.column_stack([tokens, losses[0], low, high])
    return tuple(FittedPoint(*map(float, row)) for row in rows)


def _binned(u: _Floats, y: _Floats) -> tuple[_Floats, _Floats, _Floats]:
    """Return means over bins of equal width in ln u: of u, of y, and the rows per bin."""
    if not len(u):
        return u, y, u
    x = np.log(u)
    width = (x[-1] - x[0]) / _BINS or 1.0
    index = np.minimum(((x - x[0]) / width).astype(np.int64), _BINS - 1)
    counts = np.bincount(index)
    used = counts > 0
    rows = counts[used].astype(np.float64)
    centres, means = (np.bincount(index, values)[used] / rows for values in (x, y))
    return np.exp(centres), means, rows


def _replicates(u: _Floats, y: _Floats, weights: _Floats, seed: int) -> tuple[_Floats, bool]:
    """Return (E, A D^-alpha at the last D, alpha) of the data and of each bootstrap, and a flag."""
    best = _fit(u, y, weights)
    expected = best[0] + best[1] * u ** -best[2]
    residuals, autocorrelated = wild_residuals(y - expected, len(best), seed)
    return np.array(
        [best, *(_fit(u, expected + row, weights) for row in residuals)]
    ), autocorrelated


def _fit(u: _Floats, y: _Floats, weights: _Floats) -> tuple[float, float, float]:
    from scipy.optimize import minimize_scalar

    def left(log_exponent: float) -> float:
        return _linear(u ** -np.exp(log_exponent), y, weights)[2]

    grid = np.linspace(np.log(_LEAST_EXPONENT), np.log(_MOST_EXPONENT), 41)
    best = int(np.argmin([left(point) for point in grid]))
    bounds = (grid[max(best - 1, 0)], grid[min(best + 1, len(grid) - 1)])
    found = minimize_scalar(left, bounds=bounds, method="bounded", options={"xatol": 1e-6})
    exponent = float(np.exp(found.x))
    floor, scale, _ = _linear(u**-exponent, y, weights)
    return floor, scale, exponent


def _linear(v: _Floats, y: _Floats, weights: _Floats) -> tuple[float, float, float]:
    """Return E and A >= 0 of y = E + A v by weighted least squares, and the squares that remain."""
    total = weights.sum()
    mean_v, mean_y = weights @ v / total, weights @ y / total
    scale = max(weights @ ((v - mean_v) * y) / (weights @ ((v - mean_v) ** 2)), 0.0)
    floor = mean_y - scale * mean_v
    if floor < 0:
        floor, scale = 0.0, weights @ (v * y) / (weights @ (v * v))
    return float(floor), float(scale), float(weights @ (y - floor - scale * v) ** 2)
