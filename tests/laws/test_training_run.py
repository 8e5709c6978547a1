"""A training run from its log: closed form of B - C, bounds, epochs, sources of C, refusals."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.laws.examples import T, logged, power, with_evaluations

from icfast.energy.joules import JoulesSource, SpentJoules
from icfast.errors import OptionError, UnitError
from icfast.laws.loss_curve import power_law_absorbed_nats
from icfast.laws.training_run import training_run


@pytest.mark.parametrize("exponent", [0.1, 0.35, 0.9, 1.0])
def test_a_power_law_absorbs_what_the_closed_form_says(exponent: float) -> None:
    tokens = 200_000
    losses = power(tokens, exponent=exponent)
    run = training_run(logged(losses), final_loss_nats_per_token=float(losses[-1]))
    expected = power_law_absorbed_nats(6.0, exponent, tokens) / math.log(2)
    assert run.absorbed_bits == pytest.approx(expected, rel=1e-9)
    assert run.online_bits_left == run.online_bits_right == run.online_bits
    assert run.online_bits == pytest.approx(losses.sum() / math.log(2), rel=1e-12)
    assert run.final_loss_source == "given"
    if exponent < 1:
        zeta_free = tokens ** (1 - exponent) * exponent / (1 - exponent)
        asymptote = 6 * (zeta_free + zeta(exponent) + tokens**-exponent / 2)
    else:
        asymptote = 6 * (math.log(tokens) + 0.5772156649 - 1)
    assert run.absorbed_bits == pytest.approx(asymptote / math.log(2), rel=1e-5)


def zeta(exponent: float) -> float:
    import mpmath

    return float(mpmath.zeta(exponent))


def test_the_last_losses_stand_in_for_the_final_pass() -> None:
    losses = power(200_000)
    run = training_run(logged(losses))
    assert run.final_loss_source == "last losses"
    # The mean of the last hundredth lies above the last by A a D^-a / 200.
    above = 6 * 0.35 * 200_000**-0.35 / 200
    mean = run.final_loss_bits_per_token * math.log(2)
    assert mean - losses[-1] == pytest.approx(above, rel=0.02)
    assert any("of other tokens than B" in flag for flag in run.flags)


@pytest.mark.ci
@given(st.floats(0, 20), st.floats(0, 10), st.lists(st.floats(0.01, 12), min_size=2, max_size=20))
def test_savings_are_compression_and_absorption(h: float, final: float, rows: list[float]) -> None:
    run = training_run(
        logged(np.repeat(rows, T)), entropy_nats_per_token=h, final_loss_nats_per_token=final
    )
    lengths = run.lengths
    assert lengths is not None
    size = max(lengths.baseline_bits, lengths.online_bits, lengths.final_bits)
    total = lengths.compression_bits + lengths.absorbed_bits
    assert lengths.gross_savings_bits == pytest.approx(total, abs=1e-12 * size, rel=1e-12)
    assert lengths.online_bits == pytest.approx(T * sum(rows) / math.log(2), rel=1e-12)
    assert (run.absorbed_bits, run.online_bits) == (lengths.absorbed_bits, lengths.online_bits)


@pytest.mark.parametrize("every", [2, 10, 100])
def test_sparse_logs_bound_the_code(every: int) -> None:
    losses = power(200_000)
    run = training_run(logged(losses, every), final_loss_nats_per_token=float(losses[-1]))
    covered = run.unique_tokens
    # The log covers the tokens up to its last row.
    assert covered == 200_000 - (every - 1) * T
    truth = losses[:covered].sum() / math.log(2)
    assert run.online_bits_right < truth < run.online_bits_left
    assert run.online_bits == (run.online_bits_left + run.online_bits_right) / 2
    assert run.absorbed_bits_right < truth - run.final_bits < run.absorbed_bits_left


def test_means_since_the_row_before_are_the_code_itself() -> None:
    losses = power(200_000)
    run = training_run(logged(losses, 100, mean=True))
    assert run.online_bits_left == run.online_bits_right
    assert run.online_bits == pytest.approx(losses.sum() / math.log(2), rel=1e-12)


@pytest.mark.ci
def test_a_second_epoch_is_no_code_length() -> None:
    once = power(40_000)
    twice = np.concatenate([once, np.full(40_000, 0.5)])
    epochs = np.arange(1, 4001) / 2000
    run = training_run(
        logged(twice, epoch=epochs),
        entropy_nats_per_token=8.0,
        final_loss_nats_per_token=2.0,
        model_bits=1e5,
    )
    assert (run.unique_tokens, run.tokens_seen, run.epochs) == (40_000, 80_000, 2.0)
    assert run.online_bits == pytest.approx(once.sum() / math.log(2), rel=1e-12)
    assert run.effective_tokens == pytest.approx(
        40_000 * (1 - 15.387756 * math.expm1(-1 / 15.387756))
    )
    assert run.eta is not None
    assert run.eta == pytest.approx(40_000 * 6 / math.log(2) / 1e5)
    assert run.eta_tokens_seen == pytest.approx(2 * run.eta)
    assert run.trajectory[-1].tokens == 40_000
    # Losses of the second pass are neither L nor part of the fit.
    assert training_run(logged(twice, epoch=epochs)).final_loss_bits_per_token > 2.0
    assert run.saturation.floor_nats is not None
    assert run.saturation.floor_nats.estimate == pytest.approx(2.0, abs=0.01)
    by_hand = training_run(logged(twice), unique_tokens=40_000, final_loss_nats_per_token=2.0)
    assert by_hand.online_bits == run.online_bits
    assert not any("not logged" in flag for flag in by_hand.flags)


def test_an_epoch_that_ends_within_a_row() -> None:
    log = logged(np.repeat([4.0, 2.0], T), epoch=np.array([0.8, 1.6]))
    run = training_run(log, final_loss_nats_per_token=1.0)
    # 0.8 of the pass took 20 tokens: it has 25, five of them in the second row.
    assert run.unique_tokens == 25
    assert run.online_bits == pytest.approx((20 * 4 + 5 * 2) / math.log(2))


def test_unlogged_epochs_are_said() -> None:
    assert any("epochs are not logged" in flag for flag in training_run(logged(power(400))).flags)


def test_an_evaluation_is_c_only_on_the_same_set() -> None:
    log = with_evaluations([9.0, 2.5])
    assert training_run(log).final_loss_source == "last losses"
    same = training_run(log, predicted_set="x", eval_predicted_set="x")
    assert same.final_loss_source == "evaluation"
    assert same.final_bits == pytest.approx(400 * 2.5 / math.log(2))
    with pytest.raises(OptionError, match="different tokens"):
        training_run(log, predicted_set="x", eval_predicted_set="y")
    with pytest.raises(OptionError, match="no evaluations"):
        training_run(logged(power(400)), predicted_set="x", eval_predicted_set="x")


def test_final_losses_of_another_set_are_refused() -> None:
    given = {"final_loss_nats_per_token": 2.0, "predicted_set": "x"}
    assert training_run(logged(power(400)), **given, final_predicted_set="x").final_bits > 0
    with pytest.raises(OptionError, match="different tokens"):
        training_run(logged(power(400)), **given, final_predicted_set="y")
    with pytest.raises(OptionError, match="final loss, which is missing"):
        training_run(logged(power(400)), predicted_set="x", final_predicted_set="x")


def test_evaluations_alone_are_a_curve_and_say_so() -> None:
    run = training_run(with_evaluations([9.0, 4.0, 3.0], train=False))
    assert run.curve == "evaluations"
    bits = 200 / math.log(2)
    assert run.online_bits_left == pytest.approx(bits * (9 + 4))
    assert run.online_bits_right == pytest.approx(bits * (4 + 3))
    assert run.final_bits == pytest.approx(400 * 3 / math.log(2))
    assert any("B uses held-out losses" in flag for flag in run.flags)


def test_bits_per_parameter_and_eta() -> None:
    run = training_run(
        logged(power(40_000)),
        params=1000,
        bits_per_param=16,
        entropy_bits_per_token=10,
        final_loss_bits_per_token=4,
        baseline="unigram",
    )
    assert run.model_bits == 16_000
    assert run.eta == pytest.approx(40_000 * 6 / 16_000)
    assert run.absorbed_bits_per_param == run.absorbed_bits / 1000
    assert run.eta_absorbed == run.absorbed_bits / 16_000
    assert [c.ratio for c in run.compared] == [
        run.absorbed_bits_per_param / 2,
        run.absorbed_bits_per_param / 3.6,
    ]
    bare = training_run(logged(power(40_000)))
    assert bare.compared == ()
    unknown = (bare.eta, bare.eta_absorbed, bare.absorbed_bits_per_param, bare.lengths)
    assert unknown == (None, None, None, None)


@pytest.mark.ci
def test_energy_beside_the_floor() -> None:
    losses = power(40_000)
    joules = np.linspace(1.0, 2000.0, 2000)
    run = training_run(logged(losses, energy_joules=joules))
    assert run.energy is not None
    assert run.energy.spent_source is JoulesSource.STATED
    assert run.energy.spent_joules == 2000.0
    assert run.energy.bits == pytest.approx(run.absorbed_bits)
    floor = run.absorbed_bits * 2.87097888508e-21
    assert run.energy.spent_log10_ratio == pytest.approx(math.log10(2000 / floor))
    assert run.trajectory[-1].energy_joules == 2000.0
    other = training_run(logged(losses), spent=SpentJoules(5.0, JoulesSource.NVML))
    assert other.energy is not None
    assert other.energy.spent_source is JoulesSource.NVML
    assert other.trajectory[-1].energy_joules is None
    assert training_run(logged(losses), final_loss_nats_per_token=9.0).energy is None


def test_a_falling_learning_rate_is_said() -> None:
    rates = np.concatenate([np.linspace(0.01, 1, 500), np.linspace(1, 0.1, 1500)])
    run = training_run(logged(power(40_000), learning_rate=rates))
    assert any("falls to 0.1 of its peak" in flag for flag in run.flags)
    # The fit begins where the rate has risen: step 499.
    assert run.saturation.fitted_from_tokens == 499 * T
    flat = training_run(logged(power(40_000), learning_rate=np.ones(2000)))
    assert not any("learning rate" in flag for flag in flat.flags)


@pytest.mark.ci
def test_labels_and_warnings_come_along() -> None:
    run = training_run(logged(power(400), labels=("smoothed: x",)), final_loss_nats_per_token=9.0)
    assert run.flags[0] == "smoothed: x"
    assert run.absorbed_bits < 0
    assert any("nothing absorbed" in flag for flag in run.flags)
    rising = training_run(logged(np.sort(power(400)), 2))
    assert any("no bounds" in flag for flag in rising.flags)


@pytest.mark.parametrize(
    "wrong",
    [
        {"params": 0},
        {"params": math.nan},
        {"model_bits": -1.0},
        {"unique_tokens": 0},
        {"entropy_bits_per_token": -1.0},
        {"entropy_bits_per_token": math.nan},
        {"final_loss_nats_per_token": math.inf},
        {"baseline": "uniform"},
        {"saturated_below_nats": 0.0},
        {"temperature_kelvin": 0.0},
        {"params": 10, "bits_per_param": 16, "model_bits": 100},
    ],
)
def test_domains(wrong: dict[str, object]) -> None:
    with pytest.raises(OptionError):
        training_run(logged(power(400)), **wrong)


def test_units_do_not_mix() -> None:
    with pytest.raises(UnitError):
        training_run(logged(power(400)), entropy_bits_per_token=8.0, final_loss_nats_per_token=2.0)
