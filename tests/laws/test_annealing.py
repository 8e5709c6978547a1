"""The annealing law: areas by hand, constants recovered, intervals, unidentifiable cases."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.laws.examples import logged

from icfast.errors import OptionError
from icfast.laws.annealing import Annealing, annealing, learning_rate_areas
from icfast.laws.training_run import training_run

STEPS = np.arange(1, 4001)
L0, A, ALPHA, C, MOMENTUM = 2.0, 0.6, 0.35, 0.4, 0.998


def schedule(kind: str, steps: np.ndarray = STEPS) -> np.ndarray:
    warm, last = np.minimum(1, steps / 100), steps[-1]
    if kind == "wsd":
        return 1e-3 * warm * np.minimum(1, (last + 1 - steps) / (0.2 * last))
    if kind == "cosine":
        return 1e-3 * warm * (0.55 + 0.45 * np.cos(np.pi * steps / last))
    return 1e-3 * warm


def curve(rates: np.ndarray, c: float = C) -> np.ndarray:
    forward, annealed = learning_rate_areas(rates, MOMENTUM)
    return L0 + A * forward**-ALPHA - c * annealed


def noisy(kind: str, seed: int, c: float = C) -> Annealing:
    rates = schedule(kind)
    noise = np.random.default_rng(seed).normal(0, 0.03, len(STEPS))
    return annealing(STEPS, rates, curve(rates, c) + noise, seed=seed)


def test_areas_are_the_sums_of_the_paper() -> None:
    """Return S2 = sum_i sum_(k <= i) (eta_(k-1) - eta_k) lambda^(i - k), from the peak on."""
    rates = np.random.default_rng(3).uniform(0.1, 1.0, 30)
    rates[:5] = [0.1, 0.5, 1.5, 2.0, 1.9]
    forward, annealed = learning_rate_areas(rates, 0.9)
    for s in range(len(rates)):
        assert forward[s] == pytest.approx(math.fsum(rates[: s + 1]))
        area = math.fsum(
            (rates[k - 1] - rates[k]) * 0.9 ** (i - k)
            for i in range(s + 1)
            for k in range(4, i + 1)
        )
        assert annealed[s] == pytest.approx(area, abs=1e-12)


@pytest.mark.parametrize("kind", ["wsd", "cosine"])
def test_constants_of_generated_points_come_back(kind: str) -> None:
    rates = schedule(kind)
    found = annealing(STEPS, rates, curve(rates))
    forward, annealed = learning_rate_areas(rates, MOMENTUM)
    assert found.momentum == MOMENTUM
    for interval, truth in (
        (found.floor_nats, L0),
        (found.scale, A),
        (found.exponent, ALPHA),
        (found.annealing_nats, C),
        (found.annealed_nats, C * annealed[-1]),
        (found.reducible_nats, A * forward[-1] ** -ALPHA),
        (found.doubling_gain_nats, A * forward[-1] ** -ALPHA * (1 - 2**-ALPHA)),
    ):
        assert interval is not None
        assert interval.estimate == pytest.approx(truth, rel=2e-4)
        assert interval.low <= interval.estimate <= interval.high
        assert interval.high - interval.low < 2e-3 * truth
    assert found.forward_area == pytest.approx(forward[-1])
    assert found.annealing_area == pytest.approx(annealed[-1])
    assert found.rms_error_nats is not None
    assert found.rms_error_nats < 1e-5
    assert found.verdict == "not saturated"
    assert found.fitted_from_step == 100
    # Without noise, residuals of neighbouring bins are correlated.
    assert all("residuals are autocorrelated" in flag for flag in found.flags)


@pytest.mark.ci
def test_intervals_hold_the_truth() -> None:
    """Check 12 runs; at 95 % five misses have a probability of 1 in 5,000."""
    forward, _ = learning_rate_areas(schedule("wsd"), MOMENTUM)
    gain = A * forward[-1] ** -ALPHA * (1 - 2**-ALPHA)
    held = np.zeros(4)
    for seed in range(12):
        found = noisy("wsd", seed)
        intervals = found.floor_nats, found.exponent, found.annealing_nats, found.doubling_gain_nats
        truth = L0, ALPHA, C, gain
        held += [i is not None and i.low <= t <= i.high for i, t in zip(intervals, truth, strict=1)]
    assert (held >= 8).all(), held


def test_a_constant_rate_does_not_identify_c() -> None:
    found = noisy("constant", 0)
    assert found.annealing_nats is found.annealed_nats is found.momentum is None
    assert found.annealing_area == 0
    assert found.flags == ("the learning rate is constant: C is not identifiable",)
    assert found.floor_nats is not None
    assert found.floor_nats.low <= L0 <= found.floor_nats.high
    assert found.verdict == "not saturated"


@pytest.mark.ci
def test_annealing_that_does_nothing_is_not_told_from_0() -> None:
    """Expect three of four; the search over lambda finds something even in noise."""
    told = 0
    for seed in range(6):
        found = noisy("wsd", seed, c=0.0)
        told += any("does not differ clearly from 0" in flag for flag in found.flags)
    assert told >= 3
    rising = noisy("wsd", 1, c=-0.4)
    assert any("C is below 0" in flag for flag in rising.flags)


def test_a_fit_in_tokens_alone_takes_annealing_for_learning() -> None:
    """The verdict of the law differs, because it assumes the same annealing area."""
    rates = schedule("wsd")
    flat = (
        2
        + 1e-3 * learning_rate_areas(rates, MOMENTUM)[0] ** -1.0
        - 0.4 * (learning_rate_areas(rates, MOMENTUM)[1])
    )
    noise = np.random.default_rng(5).normal(0, 0.01, len(STEPS))
    found = annealing(STEPS, rates, flat + noise)
    assert found.verdict == "saturated"
    assert found.annealed_nats is not None
    assert found.annealed_nats.low > 0.04


def test_sparse_logs_and_means_over_steps() -> None:
    """A mean over k steps belongs to the middle of its steps."""
    rates = schedule("cosine")
    losses = curve(rates)
    rows = STEPS[19::20]
    means = losses.reshape(-1, 20).mean(axis=1)
    found = annealing(rows, rates[19::20], means, loss_steps=rows - 9.5)
    assert found.exponent is not None
    assert found.annealed_nats is not None
    assert found.exponent.estimate == pytest.approx(ALPHA, rel=2e-2)
    area = learning_rate_areas(rates, MOMENTUM)[1][-1]
    assert found.annealed_nats.estimate == pytest.approx(C * area, rel=2e-2)
    late = annealing(rows, rates[19::20], means)
    assert late.exponent is not None
    off = abs(late.exponent.estimate - ALPHA)
    assert off > 2 * abs(found.exponent.estimate - ALPHA)


def test_the_curve_beside_the_fit() -> None:
    rates = schedule("wsd")
    found = annealing(STEPS, rates, curve(rates))
    assert 60 < len(found.fitted) <= 120
    # The last row is in a bin with others.
    assert 3950 < found.fitted[-1].step < 3995
    _, annealed = learning_rate_areas(rates, MOMENTUM)
    for point in found.fitted:
        assert point.fitted_nats == pytest.approx(point.loss_nats, abs=1e-4)
        at = np.interp(point.step, STEPS, annealed)
        assert point.stable_nats - point.fitted_nats == pytest.approx(C * at, abs=1e-3)
        assert point.learning_rate == pytest.approx(np.interp(point.step, STEPS, rates), abs=1e-6)


def test_too_short_is_unknown() -> None:
    for steps in (STEPS[:10], STEPS[3000:]):
        found = annealing(steps, np.full(len(steps), 1e-3), 2 + steps**-0.5)
        assert found.verdict == "unknown"
        assert found.floor_nats is found.doubling_gain_nats is None
        assert any("too short" in flag for flag in found.flags)
    idle = annealing(STEPS, np.zeros(len(STEPS)), 2 + STEPS**-0.5)
    assert idle.verdict == "unknown"


@pytest.mark.ci
def test_the_same_seed_the_same_interval() -> None:
    assert noisy("wsd", 3) == noisy("wsd", 3)
    assert annealing(STEPS, schedule("wsd"), curve(schedule("wsd"))).exponent is not None


@pytest.mark.parametrize(
    ("steps", "rates", "losses"),
    [
        ([], [], []),
        ([1, 2], [1.0], [1.0, 1.0]),
        ([0, 1], [1.0, 1.0], [1.0, 1.0]),
        ([2, 2], [1.0, 1.0], [1.0, 1.0]),
        ([1, 2], [1.0, -1.0], [1.0, 1.0]),
        ([1, 2], [1.0, math.inf], [1.0, 1.0]),
        ([1, 2], [1.0, 1.0], [1.0, math.nan]),
    ],
)
def test_domains(steps: list[int], rates: list[float], losses: list[float]) -> None:
    with pytest.raises(OptionError):
        annealing(np.array(steps), np.array(rates), np.array(losses))
    with pytest.raises(OptionError, match="momentum"):
        learning_rate_areas(np.ones(3), 1.0)


@pytest.mark.ci
def test_a_run_with_learning_rates_has_both_verdicts() -> None:
    """With 20 tokens per step, losses of batches belong to the middle of their tokens."""
    rates = schedule("wsd")
    log = logged(np.repeat(curve(rates), 20), learning_rate=rates)
    found = training_run(log).annealing
    assert found is not None
    assert found.annealed_nats is not None
    area = learning_rate_areas(rates, MOMENTUM)[1][-1]
    assert found.annealed_nats.estimate == pytest.approx(C * area, rel=2e-2)
    assert found.verdict == "not saturated"
    assert training_run(logged(np.repeat(curve(rates), 20))).annealing is None
    # Only the first epoch is code length.
    epochs = replace(log, epoch=STEPS / 2000)
    first = training_run(epochs).annealing
    assert first is not None
    assert first.forward_area == pytest.approx(rates[:2000].sum())
    # Steps that count from 0 are one later.
    shifted = training_run(replace(log, steps=log.steps + 1)).annealing
    assert shifted is not None
    assert shifted.exponent == found.exponent
