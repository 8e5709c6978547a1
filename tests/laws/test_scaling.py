"""Scaling fits: published constants recovered, noise, outliers, gradients, refused points."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import check_grad

from icfast.errors import OptionError
from icfast.laws.bootstrap import Interval
from icfast.laws.scaling import ScalingFit, _chinchilla, _kaplan, chinchilla_fit, kaplan_fit

#: Besiroglu et al. 2024, the replication of Hoffmann et al. 2022.
REPLICATION = {"e": 1.8172, "a": 482.01, "b": 2085.43, "alpha": 0.3478, "beta": 0.3658}
KAPLAN = {"n_c": 8.8e13, "d_c": 5.4e13, "alpha_n": 0.076, "alpha_d": 0.095}


def runs(seed: int = 0, count: int = 240) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(seed)
    params = np.exp(draw.uniform(math.log(5e7), math.log(1.6e10), count))
    return params, np.exp(draw.uniform(math.log(1e9), math.log(3e11), count))


def chinchilla(params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    return 1.8172 + 482.01 * params**-0.3478 + 2085.43 * tokens**-0.3658


def kaplan(params: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    return ((8.8e13 / params) ** (0.076 / 0.095) + 5.4e13 / tokens) ** 0.095


@pytest.mark.ci
def test_the_constants_of_the_replication_come_back() -> None:
    params, tokens = runs()
    found = chinchilla_fit(params, tokens, chinchilla(params, tokens), bootstraps=20)
    assert found.points == 240
    for name, value in REPLICATION.items():
        assert found.constants[name].estimate == pytest.approx(value, rel=1e-6)
    assert found.params_exponent is not None
    assert found.params_exponent.estimate == pytest.approx(0.3658 / (0.3478 + 0.3658))
    assert found.rms_log_error < 1e-8
    assert found.loss_nats(1e9, 1e10) == pytest.approx(chinchilla(1e9, 1e10))


@pytest.mark.ci
def test_several_starts_are_needed() -> None:
    """With steep exponents and noise, one start alone ends in another local minimum."""
    params, tokens = (
        column.ravel()
        for column in np.meshgrid(np.geomspace(1e6, 1e11, 6), np.geomspace(1e8, 1e12, 5))
    )
    loss = 1.0227 + (params / 1e7) ** -0.67324 + (tokens / 1e9) ** -0.96598
    noise = np.random.default_rng(0).normal(0, 0.003, len(loss))
    found = chinchilla_fit(params, tokens, loss * np.exp(noise), bootstraps=20)
    assert found.rms_log_error < 0.005
    assert found.constants["beta"].estimate == pytest.approx(0.966, rel=0.05)


def test_kaplans_constants_come_back() -> None:
    params, tokens = runs()
    found = kaplan_fit(params, tokens, kaplan(params, tokens), bootstraps=20)
    for name, value in KAPLAN.items():
        assert found.constants[name].estimate == pytest.approx(value, rel=1e-4)
    assert found.params_exponent is None
    assert found.loss_nats(1e9, 1e10) == pytest.approx(kaplan(1e9, 1e10))
    for figure in (found.reducible_params_nats, found.reducible_tokens_nats):
        with pytest.raises(OptionError, match="no separate term for P"):
            figure(1e9)


@pytest.mark.ci
def test_intervals_hold_the_constants_and_outliers_do_not_move_them() -> None:
    params, tokens = runs()
    noise = np.random.default_rng(5).normal(0, 0.005, len(params))
    losses = chinchilla(params, tokens) * np.exp(noise)
    losses[::24] *= 1.3
    found = chinchilla_fit(params, tokens, losses, bootstraps=60)
    for name, value in REPLICATION.items():
        interval = found.constants[name]
        assert interval.low < interval.estimate < interval.high
        assert interval.low < value < interval.high, name
    assert found.constants["e"].estimate == pytest.approx(1.8172, abs=0.05)


@pytest.mark.ci
def test_reducible_loss_and_effective_parameters() -> None:
    params, tokens = runs()
    found = chinchilla_fit(params, tokens, chinchilla(params, tokens), bootstraps=20)
    assert found.reducible_params_nats(1e9) == pytest.approx(482.01 * 1e9**-0.3478, rel=1e-6)
    assert found.reducible_tokens_nats(1e10) == pytest.approx(2085.43 * 1e10**-0.3658, rel=1e-6)
    loss = float(chinchilla(np.float64(3e8), np.float64(1e10)))
    assert found.effective_params(loss, 1e10) == pytest.approx(3e8, rel=1e-6)
    assert found.effective_params(1.8, 1e10) is None


@pytest.mark.parametrize(
    ("form", "theta"),
    [(_chinchilla, [0.5, 6.0, 7.6, 0.35, 0.36]), (_kaplan, [32.0, 31.6, 0.08, 0.1])],
)
def test_gradients(form, theta: list[float]) -> None:
    x, y = (np.log(column) for column in runs(count=3))

    def value(point: np.ndarray) -> float:
        return float(form(point, x, y)[0].sum())

    def slope(point: np.ndarray) -> np.ndarray:
        return form(point, x, y)[1].sum(axis=0)

    assert check_grad(value, slope, np.array(theta)) < 1e-4


@pytest.mark.ci
def test_few_points_and_short_spans_are_said() -> None:
    params, tokens = np.meshgrid([1e9, 2e9, 4e9], [1e10, 2e10, 4e10])
    params, tokens = params.ravel(), tokens.ravel()
    found = chinchilla_fit(params, tokens, chinchilla(params, tokens), bootstraps=20)
    assert any("9 points for 5 constants" in flag for flag in found.flags)
    assert any("less than a decade" in flag for flag in found.flags)


@pytest.mark.parametrize("fit", [chinchilla_fit, kaplan_fit])
def test_domains(fit) -> None:
    params, tokens = runs(count=10)
    losses = chinchilla(params, tokens)
    for wrong in (math.nan, 0.0, -1.0, math.inf):
        for column in range(3):
            table = [params.copy(), tokens.copy(), losses.copy()]
            table[column][3] = wrong
            with pytest.raises(OptionError, match="positive and finite"):
                fit(*table)
    with pytest.raises(OptionError, match="6 points"):
        fit(params[:5], tokens[:5], losses[:5])
    with pytest.raises(OptionError, match="6 points"):
        fit(params[:9], tokens, losses)
    with pytest.raises(OptionError, match="exponent of parameters"):
        fit(np.full(10, 1e9), tokens, losses)
    with pytest.raises(OptionError, match="exponent of tokens"):
        fit(params, np.full(10, 1e9), losses)
    with pytest.raises(OptionError, match="bootstraps"):
        fit(params, tokens, losses, bootstraps=2)


def test_kaplans_loss_where_its_terms_have_no_float() -> None:
    steep = {"n_c": 1e300, "d_c": 1e300, "alpha_n": 0.05, "alpha_d": 0.001}
    constants = {name: Interval(value, value, value) for name, value in steep.items()}
    found = ScalingFit("kaplan", constants, 6, 0.0, 0.0, None, ())
    assert found.loss_nats(1e10, 1e10) == pytest.approx((1e290) ** 0.05)


@pytest.mark.ci
def test_losses_that_tell_no_constants() -> None:
    """Equal losses drive N_c and D_c to overflow; they stay finite and are flagged."""
    params, tokens = (column.ravel() for column in np.meshgrid([1e8, 1e9, 1e10], [1e9, 1e10, 1e11]))
    for fit in (chinchilla_fit, kaplan_fit):
        found = fit(params, tokens, np.full(9, 3.0), bootstraps=20)
        values = [v for c in found.constants.values() for v in (c.estimate, c.low, c.high)]
        assert np.isfinite(values).all()
        assert found.loss_nats(1e9, 1e10) == pytest.approx(3, rel=0.01)
    assert any("end of its range" in flag for flag in found.flags)
    params, tokens = runs()
    whole = chinchilla_fit(params, tokens, chinchilla(params, tokens), bootstraps=20)
    assert whole.flags == ()
