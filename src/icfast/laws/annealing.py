"""A loss curve under its learning rates: L0 + A S1^-alpha - C S2 fitted, with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icfast.errors import OptionError
from icfast.laws.balance import require_positive
from icfast.laws.bootstrap import Interval, interval, wild_residuals
from icfast.laws.saturation import verdict

_Floats = NDArray[np.float64]

#: Momenta looked at; Tissue et al. take 0.99 to 0.999.
_MOMENTA = (0.99, 0.993, 0.995, 0.9965, 0.9975, 0.998, 0.9985, 0.999, 0.9993, 0.9995)

#: Exponents looked at; a parabola finds what lies between.
_EXPONENTS = np.geomspace(0.02, 3.0, 121)

#: Bins, half of them evenly in steps and half in their logarithm; fewer tell nothing.
_BINS, _FEWEST_BINS, _LEAST_SPAN = 300, 24, 4.0

#: At most so many bins are told one by one.
_DRAWN = 120

#: A rate that falls by less of its height than this is constant.
_FALL = 0.01


@dataclass(frozen=True)
class AnnealedPoint:
    """A bin of the curve beside the fit.

    Attributes:
        step: its mean step.
        learning_rate: eta there.
        loss_nats: the mean loss of the bin.
        fitted_nats: what the law says.
        stable_nats: what it says without annealing, L0 + A S1^-alpha.
    """

    step: float
    learning_rate: float
    loss_nats: float
    fitted_nats: float
    stable_nats: float


@dataclass(frozen=True)
class Annealing:
    """Result of :func:`annealing`; losses in nats per token.

    Attributes:
        verdict: ``saturated``, ``not saturated``, ``undecided`` or ``unknown``, of more steps at
            the same annealing area.
        floor_nats: L0, where neither area is left to gain by.
        scale: A; its unit is nats times that of S1^alpha.
        exponent: alpha.
        annealing_nats: C, nats for each unit of S2; None where the rate is constant.
        momentum: lambda, of those looked at; None where the rate is constant.
        forward_area: S1 at the last step.
        annealing_area: S2 at the last step, 0 where the rate is constant.
        annealed_nats: C S2 at the last step: what annealing took off the loss; None without C.
            Its interval is the roughest: of runs made by the law it held 7 to 9 of 10.
        reducible_nats: A S1^-alpha at the last step.
        doubling_gain_nats: A S1^-alpha (1 - 2^-alpha): what as much forward area again would gain.
        threshold_nats: gains below it count as none.
        rms_error_nats: what bins of the curve are off the form.
        bins: points the form was fitted to.
        fitted_from_step: where the fitted part begins.
        fitted: the curve beside the fit, thinned; empty without one.
        flags: what a reader should be told, in words.
    """

    verdict: str
    floor_nats: Interval | None
    scale: Interval | None
    exponent: Interval | None
    annealing_nats: Interval | None
    momentum: float | None
    forward_area: float
    annealing_area: float
    annealed_nats: Interval | None
    reducible_nats: Interval | None
    doubling_gain_nats: Interval | None
    threshold_nats: float
    rms_error_nats: float | None
    bins: int
    fitted_from_step: float
    fitted: tuple[AnnealedPoint, ...]
    flags: tuple[str, ...]


@dataclass(frozen=True)
class _Points:
    """Bins of a curve: mean step, rate, S1 over its last value, S2 by momentum, loss; weight."""

    steps: _Floats
    rates: _Floats
    forward: _Floats
    annealed: dict[float, _Floats]
    losses: _Floats
    weights: _Floats


def learning_rate_areas(rates: _Floats, momentum: float) -> tuple[_Floats, _Floats]:
    """S1 = sum of eta_i and S2 = sum of m_i, m_i = lambda m_(i-1) + (eta_(i-1) - eta_i).

    After each step (Tissue et al. 2024, arXiv 2408.11029). Drops count from the highest rate on:
    warm-up is no annealing. Rates that rise again take area away.

    Args:
        rates: eta of each optimiser step, one by one.
        momentum: lambda, 0 <= lambda < 1.

    Raises:
        OptionError: a rate is negative or not finite, or the momentum is out of its range.

    >>> forward, annealed = learning_rate_areas(np.array([1.0, 2.0, 2.0, 1.0, 1.0]), 0.5)
    >>> forward.tolist(), annealed.tolist()
    ([1.0, 3.0, 5.0, 6.0, 7.0], [0.0, 0.0, 0.0, 1.0, 1.5])
    """
    from scipy.signal import lfilter

    rates = np.asarray(rates, np.float64)
    if not (np.isfinite(rates).all() and (rates >= 0).all()):
        raise OptionError("learning rates must be finite and not negative")
    if not 0 <= momentum < 1:
        raise OptionError(f"momentum must be within [0, 1), found {momentum}")
    drops = -np.diff(rates, prepend=rates[:1])
    drops[: int(rates.argmax()) + 1] = 0.0
    return np.cumsum(rates), np.cumsum(lfilter([1.0], [1.0, -momentum], drops))


def annealing(
    steps: NDArray[np.int64],
    learning_rates: _Floats,
    loss_nats: _Floats,
    *,
    loss_steps: _Floats | None = None,
    threshold_nats: float = 0.01,
    seed: int = 0,
) -> Annealing:
    """Fit L(s) = L0 + A S1^-alpha - C S2 (Tissue et al. 2024, arXiv 2408.11029) to a loss curve.

    S1 and S2 are of :func:`learning_rate_areas`, rates between logged steps on straight lines.
    Least squares over bins of steps from the highest rate on, and from a hundredth of the last
    step: alpha and lambda minimise what is left, the rest is linear. Intervals are of 300 wild
    bootstraps (`saturation`), lambda chosen again each time.

    Args:
        steps: optimiser steps with a learning rate, ascending, the first step being 1.
        learning_rates: eta at these steps.
        loss_nats: losses, one for each of them.
        loss_steps: where the losses stand, if not at these steps: means stand halfway.
        threshold_nats: a gain that does not count.
        seed: of the signs.

    Raises:
        OptionError: arrays of unequal length, steps that do not ascend, rates out of range, losses
            that are not finite, or a threshold that is not positive.

    >>> steps = np.arange(1, 4001)
    >>> rates = 1e-3 * np.minimum(1, (4001 - steps) / 1000)
    >>> forward, annealed = learning_rate_areas(rates, 0.999)
    >>> found = annealing(steps, rates, 2 + 0.5 * forward**-0.4 - 0.3 * annealed)
    >>> [round(v.estimate, 3) for v in (found.floor_nats, found.exponent, found.annealing_nats)]
    [2.0, 0.4, 0.3]
    """
    require_positive("threshold_nats", threshold_nats)
    steps, rates = np.asarray(steps, np.int64), np.asarray(learning_rates, np.float64)
    losses = np.asarray(loss_nats, np.float64)
    at = steps.astype(np.float64) if loss_steps is None else np.asarray(loss_steps, np.float64)
    if not len(steps) or not len(steps) == len(rates) == len(losses) == len(at):
        raise OptionError(f"found {len(losses)} losses, {len(rates)} rates, {len(steps)} steps")
    if steps[0] < 1 or (np.diff(steps) <= 0).any() or not np.isfinite(losses).all():
        raise OptionError("steps must ascend from 1 on, losses be finite")
    every = np.arange(1, steps[-1] + 1)
    whole = _between(every, steps, rates)
    areas = {momentum: learning_rate_areas(whole, momentum) for momentum in _MOMENTA}
    begin = max(float(every[int(whole.argmax())]), steps[-1] / 100)
    forward = areas[_MOMENTA[0]][0]
    falls = whole.max() - whole[int(whole.argmax()) :].min() >= _FALL * whole.max()
    kept = (at >= begin) & (at <= steps[-1])
    points = _binned(at[kept], losses[kept], every, whole, areas if falls else {}, forward)
    flags = [] if falls else ["the learning rate is constant: C is not identifiable"]
    spans = forward[-1] > 0 and points.forward[-1:] >= _LEAST_SPAN * points.forward[:1]
    if len(points.forward) < _FEWEST_BINS or not spans:
        flags.append(f"{len(points.forward)} bins from step {begin:g} on: too short for a fit")
        return _unknown(float(forward[-1]), threshold_nats, len(points.forward), begin, flags)
    return _result(points, areas, float(forward[-1]), threshold_nats, begin, flags, seed)


def _between(every: NDArray[np.int64], steps: NDArray[np.int64], rates: _Floats) -> _Floats:
    """A rate for every step; before the first logged one, the line of the first two goes back."""
    found = np.interp(every, steps, rates)
    if len(steps) > 1:
        slope = (rates[1] - rates[0]) / (steps[1] - steps[0])
        early = every < steps[0]
        found[early] = np.maximum(rates[0] - slope * (steps[0] - every[early]), 0.0)
    return np.asarray(found)


def _unknown(
    forward_area: float, threshold_nats: float, bins: int, begin: float, flags: list[str]
) -> Annealing:
    return Annealing(
        verdict="unknown",
        floor_nats=None,
        scale=None,
        exponent=None,
        annealing_nats=None,
        momentum=None,
        forward_area=forward_area,
        annealing_area=0.0,
        annealed_nats=None,
        reducible_nats=None,
        doubling_gain_nats=None,
        threshold_nats=threshold_nats,
        rms_error_nats=None,
        bins=bins,
        fitted_from_step=begin,
        fitted=(),
        flags=tuple(flags),
    )


def _binned(
    at: _Floats,
    losses: _Floats,
    every: NDArray[np.int64],
    rates: _Floats,
    areas: dict[float, tuple[_Floats, _Floats]],
    forward: _Floats,
) -> _Points:
    if not len(at):
        return _Points(at, at, at, {}, at, at)
    half = _BINS // 2
    edges = np.linspace(at[0], at[-1], half), np.geomspace(at[0], at[-1], half)
    index = np.searchsorted(np.unique(np.concatenate(edges))[1:-1], at, "right")
    used, inverse, counts = np.unique(index, return_inverse=True, return_counts=True)

    def mean(values: _Floats) -> _Floats:
        return np.asarray(np.bincount(inverse, values, minlength=len(used)) / counts)

    scaled = np.interp(at, every, forward) / (forward[-1] or 1.0)
    annealed = {m: mean(np.interp(at, every, area)) for m, (_, area) in areas.items()}
    means = mean(at), mean(np.interp(at, every, rates)), mean(scaled)
    return _Points(*means, annealed, mean(losses), counts.astype(np.float64))


def _result(
    points: _Points,
    areas: dict[float, tuple[_Floats, _Floats]],
    forward_area: float,
    threshold_nats: float,
    begin: float,
    flags: list[str],
    seed: int,
) -> Annealing:
    found = _replicates(points, seed)
    fits, momentum = found.constants, found.momenta[0]
    floor, reducible, exponent = (interval(column) for column in fits.T[:3])
    flags += ["neighbouring bins err alike: intervals are of runs of them, and rough"] * found.alike
    annealed = coefficient = None
    if momentum is not None:
        coefficient = interval(fits[:, 3])
        ends = np.array([areas[m][1][-1] for m in found.momenta if m is not None])
        annealed = interval(fits[:, 3] * ends)
        flags += _annealing_flags(coefficient, momentum)
    gain = interval(fits[:, 1] * -np.expm1(-fits[:, 2] * np.log(2.0)))
    at_end = not _EXPONENTS[0] * 1.001 < exponent.estimate < _EXPONENTS[-1] / 1.001
    flags += ["the form does not fit: its exponent runs to the end of its range"] * at_end
    flags += ["L0 is not known: its interval reaches 0"] * (floor.low <= 0)
    return Annealing(
        verdict=verdict(gain, threshold_nats, at_end),
        floor_nats=floor,
        scale=interval(fits[:, 1] * forward_area ** fits[:, 2]),
        exponent=exponent,
        annealing_nats=coefficient,
        momentum=momentum,
        forward_area=forward_area,
        annealing_area=0.0 if momentum is None else float(areas[momentum][1][-1]),
        annealed_nats=annealed,
        reducible_nats=reducible,
        doubling_gain_nats=gain,
        threshold_nats=threshold_nats,
        rms_error_nats=found.rms_error,
        bins=len(points.losses),
        fitted_from_step=begin,
        fitted=_fitted(points, fits[0], momentum),
        flags=tuple(flags),
    )


def _fitted(
    points: _Points, constants: _Floats, momentum: float | None
) -> tuple[AnnealedPoint, ...]:
    theta, exponent = np.delete(constants, 2), float(constants[2])
    design = _design(points, momentum, exponent)
    columns = points.steps, points.rates, points.losses, design @ theta, design[:, :2] @ theta[:2]
    kept = np.unique(np.linspace(0, len(points.steps) - 1, _DRAWN).round().astype(np.int64))
    return tuple(AnnealedPoint(*map(float, row)) for row in np.column_stack(columns)[kept])


def _annealing_flags(coefficient: Interval, momentum: float) -> list[str]:
    flags = []
    if coefficient.low <= 0 <= coefficient.high:
        flags.append("C is not told apart from 0: this schedule does not identify it")
    elif coefficient.high < 0:
        flags.append("C is below 0: the loss rose as the rate fell, so the law does not hold here")
    if momentum in (_MOMENTA[0], _MOMENTA[-1]):
        flags.append(f"lambda = {momentum:g} is at the end of those looked at")
    return flags


@dataclass(frozen=True)
class _Fits:
    """(L0, reducible at the end, alpha, C) of the data first, then of bootstraps; lambdas too."""

    constants: _Floats
    momenta: tuple[float | None, ...]
    rms_error: float
    alike: bool


def _replicates(points: _Points, seed: int) -> _Fits:
    momentum, exponent = _best(points)
    theta = _coefficients(points, points.losses, momentum, exponent)
    expected = _design(points, momentum, exponent) @ theta
    residuals = points.losses - expected
    drawn, alike = wild_residuals(residuals, len(theta) + 1, seed)
    momenta, exponents = _search(points, expected, drawn)
    fits = [np.insert(theta, 2, exponent)]
    for row, m, a in zip(drawn, momenta, exponents, strict=True):
        fits.append(np.insert(_coefficients(points, expected + row, m, a), 2, a))
    rms = float(np.sqrt(np.average(residuals**2, weights=points.weights)))
    return _Fits(np.array(fits), (momentum, *momenta), rms, alike)


def _search(
    points: _Points, expected: _Floats, errors: _Floats
) -> tuple[list[float | None], list[float]]:
    """Lambda and alpha that leave least of expected + errors, row by row; alpha between points."""
    momenta = _momenta(points)
    root = np.sqrt(points.weights)
    weighted = errors * root
    left = np.array(
        [[_left(points, expected * root, weighted, m, a) for a in _EXPONENTS] for m in momenta]
    )
    place = left.argmin(axis=1)
    inner = np.clip(place, 1, len(_EXPONENTS) - 2)
    low, middle, high = (
        np.take_along_axis(left, (inner + step)[:, None], axis=1)[:, 0] for step in (-1, 0, 1)
    )
    curved = np.maximum(low - 2 * middle + high, np.finfo(float).tiny)
    # A least at the end of the range stays there.
    shift = np.where(inner == place, (low - high) / (2 * curved), place - inner)
    least = np.where(inner == place, middle - (low - high) ** 2 / (8 * curved), left.min(axis=1))
    which, rows = least.argmin(axis=0), np.arange(len(errors))
    step = np.log(_EXPONENTS[1] / _EXPONENTS[0])
    exponents = _EXPONENTS[0] * np.exp((inner + shift)[which, rows] * step)
    return [momenta[i] for i in which], list(map(float, exponents))


def _best(points: _Points) -> tuple[float | None, float]:
    """Lambda and alpha of the data: alpha is found for each lambda before these are compared."""
    from scipy.optimize import minimize_scalar

    losses = points.losses * np.sqrt(points.weights)
    none = np.zeros((1, len(losses)))
    found = []
    for momentum in _momenta(points):

        def left(x: float, momentum: float | None = momentum) -> float:
            return float(_left(points, losses, none, momentum, float(np.exp(x)))[0])

        grid = np.log(_EXPONENTS[::3])
        at = int(np.argmin([left(x) for x in grid]))
        bounds = (grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)])
        best = minimize_scalar(left, bounds=bounds, method="bounded", options={"xatol": 1e-9})
        found.append((float(best.fun), momentum, float(np.exp(best.x))))
    _, momentum, exponent = min(found, key=lambda fit: fit[0])
    return momentum, exponent


def _momenta(points: _Points) -> list[float | None]:
    return [*points.annealed] or [None]


def _design(points: _Points, momentum: float | None, exponent: float) -> _Floats:
    columns = [np.ones_like(points.forward), points.forward**-exponent]
    if momentum is not None:
        columns.append(-points.annealed[momentum])
    return np.column_stack(columns)


def _left(
    points: _Points, expected: _Floats, errors: _Floats, momentum: float | None, exponent: float
) -> _Floats:
    """Squares that the linear part leaves of expected + errors, less those of the errors alone."""
    root = np.sqrt(points.weights)
    basis = np.linalg.qr(_design(points, momentum, exponent) * root[:, None])[0]
    beyond = expected - basis @ (basis.T @ expected)
    products = errors @ np.column_stack([basis, beyond])
    held = (products[:, :-1] ** 2).sum(axis=1)
    return np.asarray(beyond @ beyond + 2 * products[:, -1] - held)


def _coefficients(
    points: _Points, losses: _Floats, momentum: float | None, exponent: float
) -> _Floats:
    root = np.sqrt(points.weights)
    design = _design(points, momentum, exponent)
    # Columns of one size: rates are small, and their areas may be.
    sizes = np.sqrt((design**2).mean(axis=0))
    sizes[sizes == 0] = 1.0
    found = np.linalg.lstsq(design / sizes * root[:, None], losses * root, rcond=None)[0]
    return np.asarray(found / sizes)
