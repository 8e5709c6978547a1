"""Saturation: known curves, noise, verdicts, and curves that are too short."""

from __future__ import annotations

import math

import numpy as np
import pytest

from icfast.errors import OptionError
from icfast.laws.saturation import saturation

D = np.arange(1.0, 20_001.0) * 50


@pytest.mark.ci
@pytest.mark.parametrize("exponent", [0.1, 0.35, 1.0, 2.0])
@pytest.mark.parametrize("floor", [0.0, 2.0])
def test_a_known_curve_is_found(exponent: float, floor: float) -> None:
    scale = 0.3 * D[-1] ** exponent
    found = saturation(D, floor + scale * D**-exponent)
    assert found.exponent is not None
    assert found.floor_nats is not None
    assert found.reducible_nats is not None
    assert found.doubling_gain_nats is not None
    assert found.exponent.estimate == pytest.approx(exponent, rel=1e-2)
    assert found.floor_nats.estimate == pytest.approx(floor, abs=5e-3)
    assert found.reducible_nats.estimate == pytest.approx(0.3, rel=2e-2)
    # A bin is placed at its mean ln D.
    gain = 0.3 * (1 - 2**-exponent)
    assert found.doubling_gain_nats.estimate == pytest.approx(gain, rel=2e-3)
    assert found.verdict == "not saturated"
    assert found.fitted_from_tokens == D[-1] / 100


@pytest.mark.ci
def test_intervals_hold_the_truth_nineteen_times_of_twenty() -> None:
    """Check 30 runs; at 95 % seven misses have a probability of 1 in 2,000."""
    held = np.zeros(3)
    for seed in range(30):
        noise = np.random.default_rng(seed).normal(0, 0.05, len(D))
        found = saturation(D, 2 + 6 * D**-0.35 + noise, seed=seed)
        reducible = 6 * D[-1] ** -0.35
        truth = (2.0, 0.35, reducible)
        intervals = (found.floor_nats, found.exponent, found.reducible_nats)
        held += [i is not None and i.low <= t <= i.high for i, t in zip(intervals, truth, strict=1)]
    assert (held >= 24).all(), held


@pytest.mark.parametrize(
    ("threshold", "verdict"),
    [(0.005, "not saturated"), (0.0103, "undecided"), (0.011, "undecided"), (0.02, "saturated")],
)
def test_verdicts(threshold: float, verdict: str) -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, len(D))
    found = saturation(D, 2 + 6 * D**-0.35 + noise, threshold_nats=threshold)
    assert found.verdict == verdict
    assert found.threshold_nats == threshold


@pytest.mark.ci
def test_a_flat_curve_is_saturated() -> None:
    noise = np.random.default_rng(0).normal(0, 0.05, len(D))
    assert saturation(D, 2 + noise).verdict == "saturated"
    assert saturation(D, np.full(len(D), 2.0)).verdict == "saturated"


def test_a_straight_line_in_ln_d_has_no_floor() -> None:
    found = saturation(D, 9 - 0.5 * np.log(D))
    assert found.verdict == "not saturated"
    assert any("E is unknown" in flag for flag in found.flags)


@pytest.mark.ci
def test_a_curve_that_falls_ever_faster_is_no_power_law() -> None:
    found = saturation(D, 9 - 5 * (D / D[-1]) ** 2)
    assert found.verdict != "saturated"
    rising = saturation(D, 2 + D / D[-1])
    assert rising.verdict == "undecided"
    assert any("does not fall" in flag for flag in rising.flags)


def test_too_short_is_unknown() -> None:
    for tokens in (D[:5], D[-100:]):
        found = saturation(tokens, 2 + tokens**-0.5)
        assert found.verdict == "unknown"
        assert found.floor_nats is found.doubling_gain_nats is None
        assert any("too short" in flag for flag in found.flags)


@pytest.mark.ci
def test_the_same_seed_the_same_interval() -> None:
    losses = 2 + 6 * D**-0.35 + np.random.default_rng(0).normal(0, 0.05, len(D))
    assert saturation(D, losses) == saturation(D, losses)
    assert saturation(D, losses) != saturation(D, losses, seed=1)


@pytest.mark.parametrize(
    ("tokens", "losses", "threshold"),
    [
        ([], [], 0.01),
        ([1.0, 2.0], [1.0], 0.01),
        ([0.0, 2.0], [1.0, 1.0], 0.01),
        ([2.0, 2.0], [1.0, 1.0], 0.01),
        ([1.0, 2.0], [1.0, math.nan], 0.01),
        ([1.0, 2.0], [1.0, 1.0], 0.0),
        ([1.0, 2.0], [1.0, 1.0], math.nan),
    ],
)
def test_domains(tokens: list[float], losses: list[float], threshold: float) -> None:
    with pytest.raises(OptionError):
        saturation(np.array(tokens), np.array(losses), threshold_nats=threshold)


def test_the_fit_is_drawn_with_its_interval_and_beyond_the_run() -> None:
    noise = np.random.default_rng(4).normal(0, 0.05, len(D))
    found = saturation(D, 2 + 6 * D**-0.35 + noise)
    assert found.floor_nats is not None
    assert found.exponent is not None
    assert found.reducible_nats is not None
    tokens = np.array([point.tokens for point in found.fitted])
    assert tokens[0] == pytest.approx(found.fitted_from_tokens)
    assert tokens[-1] == pytest.approx(4 * D[-1])
    exponent = -found.exponent.estimate
    form = found.floor_nats.estimate + found.reducible_nats.estimate * (tokens / D[-1]) ** exponent
    assert [point.loss_nats for point in found.fitted] == pytest.approx(list(form), rel=1e-12)
    widths = np.array([point.high_nats - point.low_nats for point in found.fitted])
    assert (widths > 0).all()
    # The interval is narrower at the data than at four times the last D.
    assert widths[-1] > 2 * widths[np.searchsorted(tokens, D[-1] / 4)]
    truth = 2 + 6 * tokens**-0.35
    inside = [p.low_nats <= t <= p.high_nats for p, t in zip(found.fitted, truth, strict=True)]
    assert np.mean(inside) > 0.8
