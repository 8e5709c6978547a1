"""Wild bootstrap: single signs, blocks of signs, autocorrelated errors."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import lfilter

from icfast.laws.bootstrap import interval, wild_residuals
from icfast.laws.saturation import saturation

D = np.arange(1.0, 20_001.0) * 50


def test_residuals_keep_their_size_and_change_their_signs() -> None:
    residuals = np.random.default_rng(0).normal(0, 1, 40)
    drawn, alike = wild_residuals(residuals, 3, seed=0)
    assert not alike
    assert drawn.shape == (300, 40)
    assert np.abs(drawn) == pytest.approx(np.abs(residuals) * np.ones((300, 1)) * (40 / 37) ** 0.5)
    assert np.abs(np.sign(drawn).mean(axis=0)).max() < 0.25
    signs = np.sign(drawn) * np.sign(residuals)
    assert abs((signs[:, 1:] * signs[:, :-1]).mean()) < 0.05
    assert (wild_residuals(residuals, 3, seed=0)[0] == drawn).all()
    assert (wild_residuals(residuals, 3, seed=1)[0] != drawn).any()


def test_errors_that_hang_together_keep_their_signs_together() -> None:
    """Blocks of 16 equal errors: widths 2, 4 and 8 are correlated, 24 blocks of 16 are not."""
    draw = np.random.default_rng(5)
    smooth = np.repeat(draw.permutation([1.0, -1.0] * 12), 16)
    drawn, alike = wild_residuals(smooth, 3, seed=0)
    assert alike
    signs = np.sign(drawn) * smooth
    changes = np.diff(signs, axis=1) != 0
    assert changes.sum(axis=1).max() <= 24
    # Block edges are redrawn, so signs change everywhere.
    assert changes.any(axis=0).mean() > 0.95
    assert np.abs(drawn) == pytest.approx(np.full((300, 384), (24 / 21) ** 0.5))


def test_few_runs_are_left_as_they_are() -> None:
    """At least 12 blocks remain."""
    drift = np.linspace(-1, 1, 30)
    drawn, alike = wild_residuals(drift, 3, seed=0)
    assert alike
    changes = (np.diff(np.sign(drawn) * np.sign(drift), axis=1) != 0).sum(axis=1)
    assert 5 < changes.mean() < 9
    few, alike = wild_residuals(drift[:20], 3, seed=0)
    assert alike
    assert (np.diff(np.sign(few) * np.sign(drift[:20]), axis=1) != 0).sum(axis=1).mean() > 8
    assert not wild_residuals(np.zeros(20), 3, seed=0)[1]


def test_an_estimate_is_in_its_interval() -> None:
    found = interval(np.array([9.0, 1.0, 2.0, 3.0]))
    assert found.high == 9.0
    assert found.low == pytest.approx(1.05)
    assert interval(np.array([0.0, 1.0, 2.0])).low == 0.0


@pytest.mark.ci
@pytest.mark.parametrize("kept", [0.99, 0.999])
def test_smoothed_curves_have_intervals_that_hold_the_truth(kept: float) -> None:
    """Errors correlated over hundreds of losses; single signs would cover 7 of 10 at 0.999."""
    held, told = np.zeros(3), 0
    for seed in range(10):
        noise = np.random.default_rng(seed).normal(0, 0.05, len(D))
        noise = lfilter([1.0], [1.0, -kept], noise) * (1 - kept**2) ** 0.5
        found = saturation(D, 2 + 6 * D**-0.35 + noise, seed=seed)
        gain = 6 * D[-1] ** -0.35 * (1 - 2**-0.35)
        intervals = found.floor_nats, found.exponent, found.doubling_gain_nats
        truth = 2.0, 0.35, gain
        held += [i is not None and i.low <= t <= i.high for i, t in zip(intervals, truth, strict=1)]
        told += any("residuals are autocorrelated" in flag for flag in found.flags)
    assert (held >= 7).all(), held
    assert told >= 5
