"""Scaling laws L(P, D) fitted to the losses of many runs, in Chinchilla's and Kaplan's forms."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icfast.errors import OptionError
from icfast.laws.bootstrap import Interval, interval
from icfast.laws.result_table import ResultTable

_Floats = NDArray[np.float64]
#: Function of the constants, ln P and ln D that returns ln L and its gradient (columns).
_Form = Callable[[_Floats, _Floats, _Floats], tuple[_Floats, _Floats]]

#: delta of the Huber loss of ln L (Hoffmann et al. 2022, Besiroglu et al. 2024).
HUBER_DELTA = 1e-3

#: Bounds of the logarithms (such that exp does not overflow) and of the exponents.
_LOGS, _EXPONENTS = (-700.0, 700.0), (1e-3, 3.0)


@dataclass(frozen=True)
class ScalingFit(ResultTable):
    """Result of :func:`chinchilla_fit` and :func:`kaplan_fit`.

    Attributes:
        form: ``chinchilla`` or ``kaplan``.
        constants: constants by name, each with its 95 % interval over resampled points.
        points: number of points fitted.
        huber: sum of Huber losses of ln L, delta = 1e-3.
        rms_log_error: root mean square error of ln L over all points.
        params_exponent: a of the compute-optimal P ~ C^a, beta/(alpha + beta); None for Kaplan's
            form.
        flags: warnings for the reader, in words.
    """

    form: str
    constants: dict[str, Interval]
    points: int
    huber: float
    rms_log_error: float
    params_exponent: Interval | None
    flags: tuple[str, ...]

    def loss_nats(self, params: float, tokens: float) -> float:
        """Return the fitted L in nats per token."""
        value = {name: found.estimate for name, found in self.constants.items()}
        if self.form == "kaplan":
            # Use logarithms: the power by this ratio of exponents can overflow.
            ratio = value["alpha_n"] / value["alpha_d"]
            first = ratio * (np.log(value["n_c"]) - np.log(params))
            both = np.logaddexp(first, np.log(value["d_c"]) - np.log(tokens))
            return float(np.exp(value["alpha_d"] * both))
        return value["e"] + self.reducible_params_nats(params) + self.reducible_tokens_nats(tokens)

    def reducible_params_nats(self, params: float) -> float:
        """Return A P^-alpha, the loss that more parameters could save; Chinchilla's form only."""
        self._only_chinchilla()
        return float(self.constants["a"].estimate * params ** -self.constants["alpha"].estimate)

    def reducible_tokens_nats(self, tokens: float) -> float:
        """Return B D^-beta, the loss that more tokens could save; Chinchilla's form only."""
        self._only_chinchilla()
        return float(self.constants["b"].estimate * tokens ** -self.constants["beta"].estimate)

    def effective_params(self, loss_nats: float, tokens: float) -> float | None:
        """Return the P that has this loss after that many tokens by the fit; None if no P has.

        Raises:
            OptionError: the fit is of Kaplan's form.
        """
        self._only_chinchilla()
        above = loss_nats - self.constants["e"].estimate - self.reducible_tokens_nats(tokens)
        if above <= 0:
            return None
        return float(
            (self.constants["a"].estimate / above) ** (1 / self.constants["alpha"].estimate)
        )

    def _only_chinchilla(self) -> None:
        if self.form != "chinchilla":
            raise OptionError("Kaplan's form has no separate term for P; use chinchilla_fit")


def chinchilla_fit(
    params: _Floats, tokens: _Floats, loss_nats: _Floats, *, bootstraps: int = 100, seed: int = 0
) -> ScalingFit:
    """Fit L = E + A P^-alpha + B D^-beta (Hoffmann et al. 2022; Besiroglu et al. 2024).

    ln E, ln A, ln B, alpha and beta minimise the Huber loss of ln L (delta = 1e-3) by L-BFGS from
    several starts. Intervals come from points resampled with replacement.

    Args:
        params: f64[runs], P of each run.
        tokens: f64[runs], D of each run.
        loss_nats: f64[runs], final loss, nats per token.
        bootstraps: number of resamples.
        seed: seed of the resamples.

    Raises:
        OptionError: there are fewer than 6 points, lengths differ, a value is not positive and
            finite, P or D has fewer than three different values, or bootstraps is below 20.

    >>> P, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e10, 6), [1e9, 1e10, 1e11]))
    >>> L = 1.8172 + 482.01 * P**-0.3478 + 2085.43 * D**-0.3658
    >>> found = chinchilla_fit(P, D, L, bootstraps=20)
    >>> {name: round(c.estimate, 3) for name, c in found.constants.items()}
    {'e': 1.817, 'a': 482.01, 'b': 2085.43, 'alpha': 0.348, 'beta': 0.366}
    """
    starts = [
        np.array([e, a, b, alpha, beta])
        for e in (-1.0, 0.5)
        for a in (2.0, 8.0)
        for b in (2.0, 8.0)
        for alpha in (0.2, 0.6)
        for beta in (0.2, 0.6)
    ]
    points = _points(params, tokens, loss_nats, bootstraps)
    fits = _fits(_chinchilla, points, starts, bootstraps, seed)
    values = np.column_stack([np.exp(fits[:, :3]), fits[:, 3:]])
    exponent = interval(fits[:, 4] / (fits[:, 3] + fits[:, 4]))
    return _result(
        "chinchilla",
        ("e", "a", "b", "alpha", "beta"),
        values,
        _chinchilla,
        fits[0],
        points,
        exponent,
    )


def kaplan_fit(
    params: _Floats, tokens: _Floats, loss_nats: _Floats, *, bootstraps: int = 100, seed: int = 0
) -> ScalingFit:
    """Fit L = [(N_c/P)^(alpha_N/alpha_D) + D_c/D]^alpha_D (Kaplan et al. 2020 eq. 1.5).

    This form has no floor. The method and the arguments are those of :func:`chinchilla_fit`.

    Raises:
        OptionError: see :func:`chinchilla_fit`.

    >>> P, D = (grid.ravel() for grid in np.meshgrid(np.geomspace(1e7, 1e10, 6), [1e9, 1e10, 1e11]))
    >>> L = ((8.8e13 / P) ** (0.076 / 0.095) + 5.4e13 / D) ** 0.095
    >>> found = kaplan_fit(P, D, L, bootstraps=20)
    >>> {name: float(f"{c.estimate:.3g}") for name, c in found.constants.items()}
    {'n_c': 88000000000000.0, 'd_c': 54000000000000.0, 'alpha_n': 0.076, 'alpha_d': 0.095}
    """
    starts = [
        np.array([n, d, alpha_n, alpha_d])
        for n in (28.0, 34.0)
        for d in (28.0, 34.0)
        for alpha_n in (0.06, 0.2)
        for alpha_d in (0.06, 0.2)
    ]
    points = _points(params, tokens, loss_nats, bootstraps)
    fits = _fits(_kaplan, points, starts, bootstraps, seed)
    values = np.column_stack([np.exp(fits[:, :2]), fits[:, 2:]])
    return _result(
        "kaplan", ("n_c", "d_c", "alpha_n", "alpha_d"), values, _kaplan, fits[0], points, None
    )


def _chinchilla(
    theta: _Floats, log_params: _Floats, log_tokens: _Floats
) -> tuple[_Floats, _Floats]:
    """Return ln L and its derivatives: those by ln E, ln A, ln B are the shares of the terms."""
    e, a, b, alpha, beta = theta
    terms = np.column_stack(
        [np.full_like(log_params, e), a - alpha * log_params, b - beta * log_tokens]
    )
    total = np.logaddexp.reduce(terms, axis=1)
    shares = np.exp(terms - total[:, None])
    slopes = [-shares[:, 1] * log_params, -shares[:, 2] * log_tokens]
    return total, np.column_stack([shares, *slopes])


def _kaplan(theta: _Floats, log_params: _Floats, log_tokens: _Floats) -> tuple[_Floats, _Floats]:
    n, d, alpha_n, alpha_d = theta
    ratio = alpha_n / alpha_d
    first, second = ratio * (n - log_params), d - log_tokens
    total = np.logaddexp(first, second)
    p, q = np.exp(first - total), np.exp(second - total)
    slopes = [alpha_n * p, alpha_d * q, p * (n - log_params), total - p * first]
    return alpha_d * total, np.column_stack(slopes)


def _points(params: _Floats, tokens: _Floats, losses: _Floats, bootstraps: int) -> _Floats:
    """Return ln P, ln D and ln L as checked columns, f64[runs, 3]."""
    if not len(params) == len(tokens) == len(losses) or len(losses) < 6:
        raise OptionError(
            f"a fit needs at least 6 points (P, D, L), found {len(params)} P, {len(tokens)} D and "
            f"{len(losses)} L"
        )
    found = np.column_stack([params, tokens, losses]).astype(np.float64)
    if not (np.isfinite(found).all() and (found > 0).all()):
        raise OptionError("parameters, tokens and losses must be positive and finite")
    for name, column in (("parameters", found[:, 0]), ("tokens", found[:, 1])):
        if len(np.unique(column)) < 3:
            raise OptionError(f"an exponent of {name} needs at least three different values")
    if bootstraps < 20:
        raise OptionError(f"bootstraps must be at least 20, found {bootstraps}")
    logs: _Floats = np.log(found)
    return logs


def _fits(
    form: _Form, points: _Floats, starts: list[_Floats], bootstraps: int, seed: int
) -> _Floats:
    """Return the best fit of all points, followed by those of resamples, which start from it."""
    import scipy.optimize  # noqa: F401 - threadpool_limits only affects loaded libraries
    from threadpoolctl import threadpool_limits

    draw = np.random.default_rng(seed)
    # L-BFGS multiplies matrices of five columns; with threads it is up to 30 times slower.
    with threadpool_limits(1, "blas"):
        best = min((_fit(form, points, start) for start in starts), key=lambda found: found[0])[1]
        fits = [best]
        for _ in range(bootstraps):
            rows = points[draw.integers(0, len(points), len(points))]
            fits.append(_fit(form, rows, best)[1])
    return np.array(fits)


def _fit(form: _Form, points: _Floats, start: _Floats) -> tuple[float, _Floats]:
    from scipy.optimize import Bounds, minimize

    x, y, z = points.T

    def huber(theta: _Floats) -> tuple[float, _Floats]:
        expected, slopes = form(theta, x, y)
        error = expected - z
        clipped = np.clip(error, -HUBER_DELTA, HUBER_DELTA)
        # Divide by delta^2: L-BFGS would stop at the start with values this small.
        total = (clipped * (error - clipped / 2)).sum() / HUBER_DELTA**2
        return float(total), clipped @ slopes / HUBER_DELTA**2

    bounds = Bounds(*_bounds(len(start)))
    theta, value = start, np.inf
    for _ in range(5):  # restarts clear L-BFGS's memory, which helps in a narrow valley
        found = minimize(
            huber,
            theta,
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 2000, "maxfun": 4000, "ftol": 1e-15, "gtol": 1e-9},
        )
        done = found.fun > value * (1 - 1e-6)
        theta, value = found.x, min(value, found.fun)
        if done:
            break
    return float(value), np.asarray(theta)


def _bounds(constants: int) -> tuple[_Floats, _Floats]:
    """Return the lower and upper bounds of the constants; the last two are exponents."""
    low, high = np.array([_LOGS] * (constants - 2) + [_EXPONENTS] * 2).T
    return low, high


def _result(
    form: str,
    names: tuple[str, ...],
    values: _Floats,
    law: _Form,
    theta: _Floats,
    points: _Floats,
    exponent: Interval | None,
) -> ScalingFit:
    error = law(theta, points[:, 0], points[:, 1])[0] - points[:, 2]
    clipped = np.clip(error, -HUBER_DELTA, HUBER_DELTA)
    flags = []
    if len(points) < 20:
        flags.append(f"{len(points)} points for {len(names)} constants: intervals are rough")
    spans = np.ptp(points[:, :2], axis=0)
    if spans.min() < np.log(10):
        flags.append("parameters or tokens span less than a decade: exponents mean little")
    if any(np.isclose(theta, bound).any() for bound in _bounds(len(theta))):
        flags.append("a constant is at the end of its range: these losses do not determine it")
    return ScalingFit(
        form,
        {name: interval(column) for name, column in zip(names, values.T, strict=True)},
        len(points),
        float((clipped * (error - clipped / 2)).sum()),
        float(np.sqrt(np.mean(error**2))),
        exponent,
        tuple(flags),
    )
