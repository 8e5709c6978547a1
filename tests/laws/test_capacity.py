"""IC-1 against the paper's numbers, a counter-example, and its own inverse."""

from __future__ import annotations

import math
from dataclasses import asdict

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from tests.laws.examples import BALANCE

from icfast.laws.capacity import Capacity, capacity
from icfast.laws.code_length import plug_in_code_bits
from icfast.laws.entropy import entropy_bits
from icfast.laws.known_capacities import compared_capacities
from icfast.sums.spectrum import Spectrum


@pytest.mark.parametrize(("loss", "eta"), [(7, 0.115030674846626), (3, 0.268404907975460)])
def test_eta_as_the_paper_prints_it(loss: float, eta: float) -> None:
    found = capacity(
        tokens=1, entropy_bits_per_token=10, loss_bits_per_token=loss, model_bits=26.08
    )
    assert found.eta == pytest.approx(eta, abs=5e-16)


@pytest.mark.parametrize(
    ("loss", "eta_as_printed", "eta"),
    [(7, 0.115056818181818, 0.165991901011), (3, 0.268465909090909, 0.387314435693)],
)
def test_eta_corrected(loss: float, eta_as_printed: float, eta: float) -> None:
    in_bits = capacity(
        tokens=27, entropy_bits_per_token=10, loss_bits_per_token=loss, model_bits=704
    )
    assert in_bits.eta == pytest.approx(eta_as_printed, abs=5e-16)
    in_nats = capacity(
        tokens=27, entropy_nats_per_token=10, loss_nats_per_token=loss, model_bits=704
    )
    assert in_nats.eta == pytest.approx(eta, abs=5e-13)
    assert in_nats.eta_nats_per_bit == pytest.approx(eta_as_printed, abs=5e-16)
    assert in_nats.entropy_bits_per_token == pytest.approx(10 / math.log(2), rel=1e-15, abs=0)


@pytest.mark.parametrize(("width", "eta"), [(16, 0.125), (8, 0.25)])
def test_two_bits_per_parameter(width: float, eta: float) -> None:
    found = capacity(
        entropy_bits_per_token=12.2,
        loss_bits_per_token=0,
        params=1e9,
        bits_per_param=width,
        eta=eta,
    )
    assert found.tokens / 1e9 == pytest.approx(2 / 12.2, rel=1e-15, abs=0)
    assert found.bits_per_param == pytest.approx(2.0, rel=1e-15, abs=0)
    assert found.bits_per_param_stored == width


def test_eta_has_no_upper_bound() -> None:
    pairs = Spectrum.from_counts([675_000, 75_000, 75_000, 175_000])
    states = Spectrum.from_counts([750_000, 250_000])
    found = capacity(
        tokens=10**6,
        entropy_bits_per_token=entropy_bits(states, "ml"),
        loss_bits_per_token=plug_in_code_bits(pairs, states) / 10**6,
        params=2,
        bits_per_param=16,
    )
    assert found.eta == pytest.approx(7475.27, abs=5e-3)
    assert found.bits_saved == pytest.approx(
        811278.1244591329 - 572069.4199996341, rel=1e-14, abs=0
    )
    assert found.bits_per_param == found.bits_saved / 2
    assert [flag.split(":")[0] for flag in found.flags] == ["reuse regime"]


# --- every variable may be the one left out -----------------------------------------------------


@pytest.mark.parametrize("left_out", BALANCE)
def test_solve_for_each(left_out: str) -> None:
    given_values = {name: value for name, value in BALANCE.items() if name != left_out}
    assert capacity(**given_values) == Capacity(
        tokens=3e9,
        entropy_bits_per_token=11.0,
        loss_bits_per_token=5.0,
        model_bits=2.4e10,
        params=1.5e9,
        bits_per_param_stored=16.0,
        bits_saved=1.8e10,
        bits_per_param=12.0,
        eta=0.75,
        flags=(),
        baseline=None,
        eta_nats_per_bit=0.75 * math.log(2),
        model_bits_per_token=8.0,
        bits_saved_standard_error=None,
        eta_standard_error=None,
        compared=compared_capacities(12.0),
    )


def test_model_bits_alone() -> None:
    known = {name: BALANCE[name] for name in BALANCE if name not in ("params", "bits_per_param")}
    solved = capacity(**known)
    assert solved.model_bits == 2.4e10
    assert (solved.params, solved.bits_per_param_stored, solved.bits_per_param) == (None,) * 3
    del known["eta"]
    assert capacity(**known, model_bits=2.4e10).eta == 0.75


@pytest.mark.parametrize("partner", ["params", "bits_per_param"])
def test_model_bits_give_the_other_factor(partner: str) -> None:
    known = {name: BALANCE[name] for name in (*list(BALANCE)[:3], partner)}
    found = capacity(**known, model_bits=2.4e10)
    assert (found.params, found.bits_per_param_stored, found.eta) == (1.5e9, 16.0, 0.75)


def test_nats_are_solved_in_bits() -> None:
    found = capacity(tokens=10, loss_nats_per_token=math.log(4), model_bits=20, eta=0.5)
    assert found.loss_bits_per_token == pytest.approx(2.0, rel=1e-15, abs=0)
    assert found.entropy_bits_per_token == pytest.approx(3.0, rel=1e-15, abs=0)


positive = st.floats(1e-3, 1e15)
code_length = st.floats(0, 40)


@given(positive, code_length, code_length, positive)
def test_solving_back(tokens: float, entropy: float, loss: float, model_bits: float) -> None:
    assume(abs(entropy - loss) > 1e-3)
    first = capacity(
        tokens=tokens,
        entropy_bits_per_token=entropy,
        loss_bits_per_token=loss,
        model_bits=model_bits,
    )
    known = {
        "tokens": tokens,
        "entropy_bits_per_token": entropy,
        "loss_bits_per_token": loss,
        "model_bits": model_bits,
        "eta": first.eta,
    }
    assert capacity(**known) == first  # all given and consistent
    for left_out, value in known.items():
        again = asdict(capacity(**{k: v for k, v in known.items() if k != left_out}))
        assert again[left_out] == pytest.approx(value, rel=1e-11, abs=1e-13)
        assert again["bits_saved"] == pytest.approx(first.bits_saved, rel=1e-11, abs=0)


def test_bits_saved_keep_their_digits_when_the_loss_is_solved() -> None:
    found = capacity(tokens=1e12, entropy_bits_per_token=15.0, model_bits=3.0, eta=0.1)
    assert found.bits_saved == 0.1 * 3.0


# --- flags, never clipping ----------------------------------------------------------------------


def words(found: Capacity) -> list[str]:
    return [flag.split(":")[0] for flag in found.flags]


@pytest.mark.parametrize(
    ("loss", "model_bits", "flags"),
    [
        (2.0, 10.0, ["reuse regime"]),
        (2.0, 20.0, []),  # eta exactly 1
        (4.0, 10.0, ["no information gained"]),
        (5.0, 10.0, ["no information gained"]),
    ],
)
def test_flags(loss: float, model_bits: float, flags: list[str]) -> None:
    found = capacity(
        tokens=10, entropy_bits_per_token=4.0, loss_bits_per_token=loss, model_bits=model_bits
    )
    assert words(found) == flags
    assert found.eta == 10 * (4.0 - loss) / model_bits


def test_a_solved_code_length_below_zero_is_kept_and_flagged() -> None:
    found = capacity(tokens=10, entropy_bits_per_token=1.0, model_bits=100, eta=0.5)
    assert found.loss_bits_per_token == -4.0
    assert words(found) == ["impossible code length"]
    found = capacity(tokens=10, loss_bits_per_token=1.0, model_bits=100, eta=-0.5)
    assert found.entropy_bits_per_token == -4.0
    assert words(found) == ["no information gained", "impossible code length"]
