"""A run at growing D: its trajectory, loss steps, evaluations and energies."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from tests.laws.examples import T, logged, power

from icfast.energy.joules import JoulesSource
from icfast.errors import OptionError
from icfast.laws.online_code import growth_exponent, online_code
from icfast.laws.training_run import training_run


@pytest.mark.ci
def test_the_trajectory_ends_as_the_run_does() -> None:
    run = training_run(
        logged(power(40_000)), params=1000, model_bits=16_000, entropy_nats_per_token=8
    )
    tokens = [point.tokens for point in run.trajectory]
    assert tokens == sorted(set(tokens))
    assert (tokens[0], tokens[-1]) == (T, 40_000)
    last = run.trajectory[-1]
    assert last.eta == run.eta
    assert last.eta_absorbed == run.eta_absorbed
    assert last.absorbed_bits == pytest.approx(run.absorbed_bits, rel=1e-12)
    assert run.eta_growth_exponent == pytest.approx(1.0, abs=0.02)
    for point in run.trajectory[::6]:
        prefix = training_run(logged(power(int(point.tokens))))
        assert prefix.online_bits == pytest.approx(point.online_bits, rel=1e-12)
        assert prefix.final_loss_bits_per_token == point.loss_bits_per_token


def test_the_trajectory_ends_at_the_loss_given() -> None:
    run = training_run(
        logged(power(40_000)),
        params=1000,
        model_bits=16_000,
        entropy_nats_per_token=8,
        final_loss_nats_per_token=1.5,
    )
    before, last = run.trajectory[-2:]
    assert (last.loss_bits_per_token, last.eta) == (run.final_loss_bits_per_token, run.eta)
    assert (last.absorbed_bits, last.eta_absorbed) == (run.absorbed_bits, run.eta_absorbed)
    # A point before the end depends only on the log up to it.
    assert before.loss_bits_per_token > 1.2 * last.loss_bits_per_token


def test_growth() -> None:
    assert growth_exponent(1.0, 2.0, 2.0) == 1.0
    assert growth_exponent(1.0, 1.0, 2.0) == 0.0
    assert growth_exponent(0.0, 1.0, 2.0) is None
    assert growth_exponent(-1.0, 1.0, 2.0) is None


@pytest.mark.parametrize("every", [1, 7, 50])
def test_steps_for_drawing_keep_both_sums(every: int) -> None:
    losses = power(200_200)[: 200_200 // (T * every) * T * every]
    run = training_run(logged(losses, every))
    ends = np.array([0.0, *(step.end_tokens for step in run.losses)])
    assert 20 < len(run.losses) <= 401
    assert ends[-1] == run.unique_tokens
    assert (np.diff(ends) > 0).all()
    assert np.diff(ends).max() < run.unique_tokens / 60
    assert np.sum(ends < run.unique_tokens / 10) > 50 // every**0.4
    for side in ("left", "right"):
        means = np.array([getattr(step, f"{side}_bits_per_token") for step in run.losses])
        total = getattr(run, f"online_bits_{side}")
        assert np.diff(ends) @ means == pytest.approx(total, rel=1e-12)


def test_later_epochs_follow_the_first_in_the_steps() -> None:
    log = logged(power(40_000), epoch=np.arange(1, 2001) / 1000)
    run = training_run(log)
    ends = [step.end_tokens for step in run.losses]
    assert run.unique_tokens == 20_000
    assert 20_000 in ends
    assert ends[-1] == run.tokens_seen == 40_000
    first = [step for step in run.losses if step.end_tokens <= 20_000]
    widths = np.diff([0.0, *(step.end_tokens for step in first)])
    means = np.array([step.left_bits_per_token for step in first])
    assert widths @ means == pytest.approx(run.online_bits_left, rel=1e-12)


def test_evaluations_are_told_and_thinned() -> None:
    at = np.arange(0, 1000)
    log = logged(power(40_000))
    log = replace(log, eval_steps=at, eval_tokens=at * 40, eval_loss_nats=at * 0.1)
    found = training_run(log).evaluations
    assert len(found) == 200
    assert (found[0].tokens, found[-1].tokens) == (0, 39_960)
    assert all(p.loss_bits_per_token == pytest.approx(p.tokens / 400 / math.log(2)) for p in found)
    assert training_run(logged(power(40_000))).evaluations == ()


def test_energies_on_the_way_and_the_estimate() -> None:
    log = logged(power(40_000), energy_joules=np.arange(1, 2001) * 5.0)
    run = training_run(log, params=1e4, joules_per_flop=1e-12)
    for point in run.trajectory:
        assert point.energy_joules == pytest.approx(point.tokens / T * 5.0)
        floor = max(point.absorbed_bits, 0) * 2.87097888508e-21
        assert point.floor_joules == pytest.approx(floor, rel=1e-9, abs=0)
    assert run.estimated_energy is not None
    assert run.energy is not None
    assert run.estimated_energy.spent_joules == pytest.approx(6 * 1e4 * 40_000 * 1e-12)
    assert run.estimated_energy.spent_source == JoulesSource.FLOP_ESTIMATE
    assert run.estimated_energy.energy_joules == run.energy.energy_joules
    assert run.energy.spent_source == JoulesSource.STATED
    with pytest.raises(OptionError, match="needs params"):
        training_run(log, joules_per_flop=1e-12)


def test_gaps_by_hand() -> None:
    code = online_code(np.array([5, 20]), np.array([10, 30]), np.array([4.0, 1.0]))
    # 10 tokens at 4 (5 of them before the first row), 10 in the gap, 10 at 1.
    assert code.up_to(30) == (40 + 40 + 10, 40 + 10 + 10)
    assert code.up_to(15) == (40 + 20, 40 + 5)
    assert code.up_to(25) == (40 + 40 + 5, 40 + 10 + 5)
    assert (code.loss_at(30), code.loss_at(12), code.loss_at(1)) == (1.0, 4.0, 4.0)
    for outside in (0, 31, math.nan):
        with pytest.raises(OptionError, match="tokens must be within"):
            code.up_to(outside)


@pytest.mark.parametrize(
    ("starts", "ends", "losses"),
    [
        ([], [], []),
        ([0], [1, 2], [1.0]),
        ([0, 5], [6, 9], [1.0, 1.0]),
        ([3], [2], [1.0]),
        ([0], [1], [math.nan]),
    ],
)
def test_rows_that_cannot_be(starts: list[int], ends: list[int], losses: list[float]) -> None:
    with pytest.raises(OptionError):
        online_code(np.array(starts), np.array(ends), np.array(losses))
