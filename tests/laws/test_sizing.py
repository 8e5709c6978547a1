"""Tokens that fill a model, parameters that hold a corpus, bits that a format needs."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import OptionError, UnitError
from icfast.laws.capacity import capacity
from icfast.laws.quantisation import quantise
from icfast.laws.sizing import size

positive = st.floats(1e-3, 1e15)


def test_two_bits_per_parameter_against_chinchilla() -> None:
    found = size(params=1e9, entropy_bits_per_token=12.2, loss_bits_per_token=0.0)
    assert round(found.tokens_per_param, 2) == 0.16
    assert found.tokens == pytest.approx(2e9 / 12.2, rel=1e-15, abs=0)
    assert found.chinchilla_tokens == 20e9
    assert found.chinchilla_ratio == pytest.approx(122.0, rel=1e-14, abs=0)


@given(positive, st.floats(1e-3, 40), st.floats(0, 40), st.floats(0.01, 100))
def test_there_and_back(params: float, gain: float, loss: float, held: float) -> None:
    balance = {"entropy_bits_per_token": loss + gain, "loss_bits_per_token": loss}
    there = size(params=params, capacity_bits_per_param=held, **balance)
    back = size(tokens=there.tokens, capacity_bits_per_param=held, **balance)
    assert back.params == pytest.approx(params, rel=1e-14, abs=0)
    assert back.chinchilla_params * 20 == pytest.approx(there.tokens, rel=1e-14, abs=0)
    # IC-1 itself says the same.
    substituted = capacity(tokens=there.tokens, params=params, bits_per_param=16, **balance)
    assert substituted.bits_per_param == pytest.approx(held, rel=1e-11, abs=0)


@given(st.floats(1, 40), st.floats(1, 40), positive)
def test_the_more_is_gained_a_token_the_fewer_fill_it(a: float, b: float, params: float) -> None:
    low, high = sorted((a, b))
    found = [
        size(params=params, entropy_bits_per_token=gain, loss_bits_per_token=0.5)
        for gain in (low, high)
    ]
    assert found[0].tokens >= found[1].tokens


def test_nats() -> None:
    found = size(tokens=100, entropy_nats_per_token=2 * math.log(2), loss_nats_per_token=0.0)
    assert found.gain_bits_per_token == pytest.approx(2.0, rel=1e-15, abs=0)
    assert found.params == pytest.approx(100.0, rel=1e-15, abs=0)
    with pytest.raises(UnitError, match="same unit"):
        size(tokens=100, entropy_nats_per_token=2.0, loss_bits_per_token=1.0)


GIVEN = {"params": 1.0, "entropy_bits_per_token": 2.0, "loss_bits_per_token": 1.0}


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"params": None}, "found neither"),
        ({"tokens": 1.0}, "found both"),
        ({"loss_bits_per_token": None}, "needs the entropy H and the loss L"),
        ({"loss_bits_per_token": 2.0}, "no information is gained"),
        ({"loss_bits_per_token": 3.0}, "no information is gained"),
        ({"loss_bits_per_token": math.nan}, "loss_bits_per_token must be"),
        ({"entropy_bits_per_token": math.inf}, "entropy_bits_per_token must be"),
        ({"params": 0.0}, "params must be positive"),
        ({"params": None, "tokens": -1.0}, "tokens must be positive"),
        ({"capacity_bits_per_param": 0.0}, "capacity_bits_per_param must be positive"),
    ],
)
def test_sizing_refuses(changed: dict[str, float | None], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        size(**{**GIVEN, **changed})


# --- quantisation -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("proposed", "loses", "word"), [(4.0, True, "must be lost"), (8.0, False, "not sufficient")]
)
def test_verdict_on_a_format(proposed: float, loses: bool, word: str) -> None:
    found = quantise(bits_per_param=16, eta=0.268, proposed_bits_per_param=proposed)
    assert found.minimum_bits_per_param == pytest.approx(4.288, rel=1e-15, abs=0)
    assert found.proposed_eta == pytest.approx(4.288 / proposed, rel=1e-15, abs=0)
    assert found.loses_information is loses
    assert word in found.verdict


def test_a_format_at_the_bound_is_not_excluded() -> None:
    found = quantise(bits_per_param=16, eta=0.25, proposed_bits_per_param=4)
    assert (found.minimum_bits_per_param, found.proposed_eta) == (4.0, 1.0)
    assert found.loses_information is False


@given(positive, st.floats(1, 64), st.floats(1e-9, 1))
def test_absorbed_bits_and_eta_say_the_same(params: float, width: float, eta: float) -> None:
    absorbed = eta * params * width
    found = quantise(bits_per_param=width, absorbed_bits=absorbed * (1 - 1e-12), params=params)
    assert found.eta == pytest.approx(eta, rel=1e-11, abs=0)
    assert found.minimum_bits_per_param == pytest.approx(eta * width, rel=1e-11, abs=0)
    assert (found.loses_information, found.proposed_eta) == (None, None)


@given(positive, positive)
def test_more_tokens_in_one_model_round_worse(one: float, other: float) -> None:
    """More absorbed tokens need more bits per parameter (section 5.3)."""
    bounds = [
        quantise(bits_per_param=16, absorbed_bits=1e-3 * tokens, params=1e15)
        for tokens in sorted((one, other))
    ]
    assert bounds[0].minimum_bits_per_param <= bounds[1].minimum_bits_per_param


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"eta": 1.0001}, "not bits absorbed"),
        ({"eta": 7475.27}, "not bits absorbed"),
        ({"eta": None}, "give eta, or absorbed_bits with params"),
        ({"eta": None, "params": 1.0}, "give eta, or absorbed_bits with params"),
        ({"params": 1.0}, "give eta, or absorbed_bits with params"),
        ({"absorbed_bits": 4.0, "params": 1.0}, "leave one out"),
        ({"eta": None, "absorbed_bits": -4.0, "params": 1.0}, "absorbed_bits must be"),
        ({"eta": None, "absorbed_bits": 4.0, "params": 0.0}, "params must be positive"),
        ({"eta": -0.1}, "eta must be"),
        ({"eta": math.nan}, "eta must be"),
        ({"bits_per_param": 0.0}, "bits_per_param must be positive"),
        ({"proposed_bits_per_param": 0.0}, "proposed_bits_per_param must be positive"),
    ],
)
def test_quantisation_refuses(changed: dict[str, float | None], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        quantise(**{"bits_per_param": 16.0, "eta": 0.5, **changed})
