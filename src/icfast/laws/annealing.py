"""Loss curve under its learning-rate schedule: fit of L0 + A S1^-alpha - C S2, with intervals."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from icfast.errors import OptionError
from icfast.laws.annealing_fit import EXPONENTS, MOMENTA, Points, binned, design_matrix, replicates
from icfast.laws.balance import require_positive
from icfast.laws.bootstrap import Interval, interval
from icfast.laws.result_table import ResultTable
from icfast.laws.saturation import verdict

_Floats = NDArray[np.float64]

#: A fit needs this many bins, and a forward area S1 that grows by this factor.
_FEWEST_BINS, _LEAST_SPAN = 24, 4.0

#: Largest number of bins listed in the result.
_DRAWN = 120

#: A learning rate that falls by less than this share of its peak counts as constant.
_FALL = 0.01


@dataclass(frozen=True)
class AnnealedPoint:
    """One bin of a loss curve and the fit there.

    Attributes:
        step: mean step of the bin.
        learning_rate: learning rate eta at that step.
        loss_nats: mean loss of the bin, nats per token.
        fitted_nats: loss by the law.
        stable_nats: loss by the law without annealing, L0 + A S1^-alpha.
    """

    step: float
    learning_rate: float
    loss_nats: float
    fitted_nats: float
    stable_nats: float


@dataclass(frozen=True)
class Annealing(ResultTable):
    """Result of :func:`annealing`; losses in nats per token.

    Attributes:
        verdict: ``saturated``, ``not saturated``, ``undecided`` or ``unknown``, for more steps at
            the same annealing area.
        floor_nats: L0, the loss that remains with an infinite S1 and S2 = 0.
        scale: A, in nats times the unit of S1^alpha.
        exponent: alpha.
        annealing_nats: C, nats per unit of S2; None if the learning rate is constant.
        momentum: lambda, the best of a fixed grid; None if the learning rate is constant.
        forward_area: S1 at the last step.
        annealing_area: S2 at the last step, 0 if the learning rate is constant.
        annealed_nats: C S2 at the last step, the loss that annealing removed; None without C. Its
            interval is rough: in simulated runs it contained the true value 7 to 9 times in 10.
        reducible_nats: A S1^-alpha at the last step.
        doubling_gain_nats: A S1^-alpha (1 - 2^-alpha), the loss that twice the forward area saves.
        threshold_nats: smallest saving that counts as a gain.
        rms_error_nats: root mean square residual of the bins.
        bins: number of bins fitted.
        fitted_from_step: first step of the fitted part.
        fitted: the curve and the fit, thinned; empty without a fit.
        flags: warnings for the reader, in words.
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
    fitted: tuple[AnnealedPoint, ...] = field(repr=False)
    flags: tuple[str, ...]


def learning_rate_areas(rates: _Floats, momentum: float) -> tuple[_Floats, _Floats]:
    """Return S1 = sum of eta_i and S2 = sum of m_i, m_i = lambda m_(i-1) + (eta_(i-1) - eta_i).

    Both are f64[steps], the areas after each step (Tissue et al. 2024, arXiv 2408.11029). Drops
    count only after the peak of the learning rate, so warm-up is not annealing. A learning rate
    that rises again reduces S2.

    Args:
        rates: f64[steps], learning rate eta of every optimiser step.
        momentum: lambda, 0 <= lambda < 1.

    Raises:
        OptionError: a rate is negative or not finite, or the momentum is out of range.

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

    S1 and S2 are defined in :func:`learning_rate_areas`; learning rates between logged steps are
    interpolated linearly. The fit starts at the peak of the learning rate, and not before 1 % of
    the last step. It minimises squared errors over bins of steps: a search finds alpha and lambda,
    the other constants are linear. Intervals come from 300 wild bootstraps (see `saturation`), each
    of which selects lambda anew.

    Args:
        steps: i64[rows], ascending optimiser steps with a learning rate; the first step is 1.
        learning_rates: f64[rows], eta at these steps.
        loss_nats: f64[rows], one loss per step, nats per token.
        loss_steps: f64[rows], steps that the losses belong to, if they differ from `steps`. A mean
            belongs to the middle of its steps.
        threshold_nats: smallest saving that counts as a gain, nats per token.
        seed: seed of the random signs.

    Raises:
        OptionError: arrays differ in length, steps do not ascend, a learning rate is out of range,
            a loss is not finite, or the threshold is not positive.

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
        raise OptionError(
            "steps, learning rates and losses must be equally many and not empty, found "
            f"{len(steps)} steps, {len(rates)} learning rates and {len(losses)} losses"
        )
    if steps[0] < 1 or (np.diff(steps) <= 0).any() or not np.isfinite(losses).all():
        raise OptionError("steps must ascend and start at 1 or later, and losses must be finite")
    every = np.arange(1, steps[-1] + 1)
    whole = _between(every, steps, rates)
    areas = {momentum: learning_rate_areas(whole, momentum) for momentum in MOMENTA}
    begin = max(float(every[int(whole.argmax())]), steps[-1] / 100)
    forward = areas[MOMENTA[0]][0]
    falls = whole.max() - whole[int(whole.argmax()) :].min() >= _FALL * whole.max()
    kept = (at >= begin) & (at <= steps[-1])
    points = binned(at[kept], losses[kept], every, whole, areas if falls else {}, forward)
    flags = [] if falls else ["the learning rate is constant: C is not identifiable"]
    spans = forward[-1] > 0 and points.forward[-1:] >= _LEAST_SPAN * points.forward[:1]
    if len(points.forward) < _FEWEST_BINS or not spans:
        flags.append(f"{len(points.forward)} bins from step {begin:g}: too short a curve for a fit")
        return _unknown(float(forward[-1]), threshold_nats, len(points.forward), begin, flags)
    return _result(points, areas, float(forward[-1]), threshold_nats, begin, flags, seed)


def _between(every: NDArray[np.int64], steps: NDArray[np.int64], rates: _Floats) -> _Floats:
    """Return a learning rate for every step; before the first logged one, extrapolate linearly."""
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


def _result(
    points: Points,
    areas: dict[float, tuple[_Floats, _Floats]],
    forward_area: float,
    threshold_nats: float,
    begin: float,
    flags: list[str],
    seed: int,
) -> Annealing:
    found = replicates(points, seed)
    fits, momentum = found.constants, found.momenta[0]
    floor, reducible, exponent = (interval(column) for column in fits.T[:3])
    flags += [
        "residuals are autocorrelated: they are resampled in blocks, and intervals are rough"
    ] * found.autocorrelated
    annealed = coefficient = None
    if momentum is not None:
        coefficient = interval(fits[:, 3])
        ends = np.array([areas[m][1][-1] for m in found.momenta if m is not None])
        annealed = interval(fits[:, 3] * ends)
        flags += _annealing_flags(coefficient, momentum)
    gain = interval(fits[:, 1] * -np.expm1(-fits[:, 2] * np.log(2.0)))
    at_end = not EXPONENTS[0] * 1.001 < exponent.estimate < EXPONENTS[-1] / 1.001
    flags += ["the form does not fit: the exponent reaches the end of its range"] * at_end
    flags += ["L0 is unknown: its interval reaches 0"] * (floor.low <= 0)
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
    points: Points, constants: _Floats, momentum: float | None
) -> tuple[AnnealedPoint, ...]:
    theta, exponent = np.delete(constants, 2), float(constants[2])
    design = design_matrix(points, momentum, exponent)
    columns = points.steps, points.rates, points.losses, design @ theta, design[:, :2] @ theta[:2]
    kept = np.unique(np.linspace(0, len(points.steps) - 1, _DRAWN).round().astype(np.int64))
    return tuple(AnnealedPoint(*map(float, row)) for row in np.column_stack(columns)[kept])


def _annealing_flags(coefficient: Interval, momentum: float) -> list[str]:
    flags = []
    if coefficient.low <= 0 <= coefficient.high:
        flags.append("C does not differ clearly from 0: this schedule does not identify it")
    elif coefficient.high < 0:
        flags.append(
            "C is below 0: the loss rose as the learning rate fell, so the law does not hold here"
        )
    if momentum in (MOMENTA[0], MOMENTA[-1]):
        flags.append(f"lambda = {momentum:g} is at the end of its grid")
    return flags
