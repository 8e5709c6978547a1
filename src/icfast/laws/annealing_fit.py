"""Least-squares fit of L0 + A S1^-alpha - C S2: bins, search for lambda and alpha, bootstraps."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icfast.laws.bootstrap import wild_residuals

_Floats = NDArray[np.float64]

#: Grid of lambda; Tissue et al. use 0.99 to 0.999.
MOMENTA = (0.99, 0.993, 0.995, 0.9965, 0.9975, 0.998, 0.9985, 0.999, 0.9993, 0.9995)

#: Grid of alpha; a parabola interpolates between its points.
EXPONENTS = np.geomspace(0.02, 3.0, 121)

#: Number of bins: half of them evenly in steps, half evenly in their logarithm.
_BINS = 300


@dataclass(frozen=True)
class Points:
    """Bins of a curve, f64[bins]: `forward` is S1 over its last value, `annealed` S2 by lambda."""

    steps: _Floats
    rates: _Floats
    forward: _Floats
    annealed: dict[float, _Floats]
    losses: _Floats
    weights: _Floats


def binned(
    at: _Floats,
    losses: _Floats,
    every: NDArray[np.int64],
    rates: _Floats,
    areas: dict[float, tuple[_Floats, _Floats]],
    forward: _Floats,
) -> Points:
    """Return the means of a loss curve over bins of steps.

    Args:
        at: f64[rows], ascending steps of the losses.
        losses: f64[rows], nats per token.
        every: i64[steps], all steps from 1.
        rates: f64[steps], learning rates.
        areas: (S1, S2) of every step by lambda; empty if the learning rate is constant.
        forward: f64[steps], S1.
    """
    if not len(at):
        return Points(at, at, at, {}, at, at)
    half = _BINS // 2
    edges = np.linspace(at[0], at[-1], half), np.geomspace(at[0], at[-1], half)
    index = np.searchsorted(np.unique(np.concatenate(edges))[1:-1], at, "right")
    used, inverse, counts = np.unique(index, return_inverse=True, return_counts=True)

    def mean(values: _Floats) -> _Floats:
        return np.asarray(np.bincount(inverse, values, minlength=len(used)) / counts)

    scaled = np.interp(at, every, forward) / (forward[-1] or 1.0)
    annealed = {m: mean(np.interp(at, every, area)) for m, (_, area) in areas.items()}
    means = mean(at), mean(np.interp(at, every, rates)), mean(scaled)
    return Points(*means, annealed, mean(losses), counts.astype(np.float64))


@dataclass(frozen=True)
class Fits:
    """Constants (L0, A S1^-alpha at the end, alpha, C) of the data and of each bootstrap.

    Attributes:
        constants: f64[1 + bootstraps, 3 or 4], the data's fit first.
        momenta: lambda of each fit.
        rms_error: root mean square residual of the data's fit, nats per token.
        autocorrelated: whether residuals were resampled in blocks.
    """

    constants: _Floats
    momenta: tuple[float | None, ...]
    rms_error: float
    autocorrelated: bool


def replicates(points: Points, seed: int) -> Fits:
    """Return the fit of the data and the fits of its bootstraps."""
    momentum, exponent = _best(points)
    theta = _coefficients(points, points.losses, momentum, exponent)
    expected = design_matrix(points, momentum, exponent) @ theta
    residuals = points.losses - expected
    drawn, autocorrelated = wild_residuals(residuals, len(theta) + 1, seed)
    momenta, exponents = _search(points, expected, drawn)
    fits = [np.insert(theta, 2, exponent)]
    for row, m, a in zip(drawn, momenta, exponents, strict=True):
        fits.append(np.insert(_coefficients(points, expected + row, m, a), 2, a))
    rms = float(np.sqrt(np.average(residuals**2, weights=points.weights)))
    return Fits(np.array(fits), (momentum, *momenta), rms, autocorrelated)


def _search(
    points: Points, expected: _Floats, errors: _Floats
) -> tuple[list[float | None], list[float]]:
    """Return lambda and alpha of the best fit to expected + errors, for each row of errors.

    A parabola through three grid points refines alpha.
    """
    momenta = _momenta(points)
    root = np.sqrt(points.weights)
    weighted = errors * root
    left = np.array(
        [
            [_residual_squares(points, expected * root, weighted, m, a) for a in EXPONENTS]
            for m in momenta
        ]
    )
    place = left.argmin(axis=1)
    inner = np.clip(place, 1, len(EXPONENTS) - 2)
    low, middle, high = (
        np.take_along_axis(left, (inner + step)[:, None], axis=1)[:, 0] for step in (-1, 0, 1)
    )
    curved = np.maximum(low - 2 * middle + high, np.finfo(float).tiny)
    # A minimum at the end of the grid stays there.
    shift = np.where(inner == place, (low - high) / (2 * curved), place - inner)
    least = np.where(inner == place, middle - (low - high) ** 2 / (8 * curved), left.min(axis=1))
    which, rows = least.argmin(axis=0), np.arange(len(errors))
    step = np.log(EXPONENTS[1] / EXPONENTS[0])
    exponents = EXPONENTS[0] * np.exp((inner + shift)[which, rows] * step)
    return [momenta[i] for i in which], list(map(float, exponents))


def _best(points: Points) -> tuple[float | None, float]:
    """Return lambda and alpha of the data: the best alpha per lambda, then the best lambda."""
    from scipy.optimize import minimize_scalar

    losses = points.losses * np.sqrt(points.weights)
    none = np.zeros((1, len(losses)))
    found = []
    for momentum in _momenta(points):

        def left(x: float, momentum: float | None = momentum) -> float:
            return float(_residual_squares(points, losses, none, momentum, float(np.exp(x)))[0])

        grid = np.log(EXPONENTS[::3])
        at = int(np.argmin([left(x) for x in grid]))
        bounds = (grid[max(at - 1, 0)], grid[min(at + 1, len(grid) - 1)])
        best = minimize_scalar(left, bounds=bounds, method="bounded", options={"xatol": 1e-9})
        found.append((float(best.fun), momentum, float(np.exp(best.x))))
    _, momentum, exponent = min(found, key=lambda fit: fit[0])
    return momentum, exponent


def _momenta(points: Points) -> list[float | None]:
    return [*points.annealed] or [None]


def design_matrix(points: Points, momentum: float | None, exponent: float) -> _Floats:
    """Return the columns 1, S1^-alpha and -S2 of the linear part, f64[bins, 2 or 3]."""
    columns = [np.ones_like(points.forward), points.forward**-exponent]
    if momentum is not None:
        columns.append(-points.annealed[momentum])
    return np.column_stack(columns)


def _residual_squares(
    points: Points, expected: _Floats, errors: _Floats, momentum: float | None, exponent: float
) -> _Floats:
    """Return the squares that the linear part leaves of expected + errors, less those of errors."""
    root = np.sqrt(points.weights)
    basis = np.linalg.qr(design_matrix(points, momentum, exponent) * root[:, None])[0]
    beyond = expected - basis @ (basis.T @ expected)
    products = errors @ np.column_stack([basis, beyond])
    held = (products[:, :-1] ** 2).sum(axis=1)
    return np.asarray(beyond @ beyond + 2 * products[:, -1] - held)


def _coefficients(
    points: Points, losses: _Floats, momentum: float | None, exponent: float
) -> _Floats:
    root = np.sqrt(points.weights)
    design = design_matrix(points, momentum, exponent)
    # Scale columns to equal size: learning rates are small, and so may their areas be.
    sizes = np.sqrt((design**2).mean(axis=0))
    sizes[sizes == 0] = 1.0
    found = np.linalg.lstsq(design / sizes * root[:, None], losses * root, rcond=None)[0]
    return np.asarray(found / sizes)
