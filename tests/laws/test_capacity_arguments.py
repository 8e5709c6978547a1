"""IC-1 with k, several widths and standard errors; arguments that are refused."""

from __future__ import annotations

import math
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.laws.examples import BALANCE

from icfast.errors import OptionError, UnitError
from icfast.laws.capacity import Capacity, capacity, capacity_per_token
from icfast.laws.known_capacities import compared_capacities


@pytest.mark.parametrize("left_out", ["tokens", "model_bits"])
def test_bits_per_token_stand_for_what_is_left_out(left_out: str) -> None:
    known = {"tokens": 3e9, "model_bits": 2.4e10, "model_bits_per_token": 8.0}
    found = capacity(
        entropy_bits_per_token=11.0,
        loss_bits_per_token=5.0,
        **{name: value for name, value in known.items() if name != left_out},
    )
    assert (found.tokens, found.model_bits, found.eta) == (3e9, 2.4e10, 0.75)
    assert found.model_bits_per_token == 8.0


def test_bits_per_token_that_contradict() -> None:
    known = {name: value for name, value in BALANCE.items() if name != "eta"}
    assert capacity(**known, model_bits_per_token=8.0).eta == 0.75
    with pytest.raises(OptionError, match=r"is not tokens \* model_bits_per_token"):
        capacity(**known, model_bits_per_token=8.1)
    with pytest.raises(OptionError, match="model_bits_per_token must be positive"):
        capacity(**known, model_bits_per_token=0.0)


@given(st.floats(1e-3, 40), st.floats(0, 40), st.floats(1e-3, 1e6))
def test_one_token_solved_back(gain: float, loss: float, ratio: float) -> None:
    known = {
        "entropy_bits_per_token": loss + gain,
        "loss_bits_per_token": loss,
        "model_bits_per_token": ratio,
    }
    first = capacity_per_token(**known)
    assert first.eta * ratio == pytest.approx(gain, rel=1e-11, abs=1e-13)
    known["eta"] = first.eta
    for left_out, value in known.items():
        again = asdict(capacity_per_token(**{k: v for k, v in known.items() if k != left_out}))
        assert again[left_out] == pytest.approx(value, rel=1e-9, abs=1e-12)


def test_several_widths_add_up() -> None:
    known = {name: BALANCE[name] for name in list(BALANCE)[:3]}
    found = capacity(**known, precisions=[(1e9, 4), (5e8, 16), (1e7, 32)])
    assert found.model_bits == pytest.approx(4e9 + 8e9 + 3.2e8, rel=1e-15, abs=0)
    assert (found.params, found.bits_saved) == (1.51e9, 1.8e10)
    assert found.bits_per_param == 1.8e10 / 1.51e9
    with pytest.raises(OptionError, match="not both"):
        capacity(**known, precisions=[(1e9, 4)], params=1e9)
    for wrong in ([], [(1e9, 0)], [(-1, 4)], [(math.nan, 4)]):
        with pytest.raises(OptionError, match="precisions"):
            capacity(**known, precisions=wrong)


@pytest.mark.parametrize(
    ("correlation", "error"), [(0.0, 0.05), (1.0, 0.01), (-1.0, 0.07), (0.5, 0.0013**0.5)]
)
def test_errors_propagate(correlation: float, error: float) -> None:
    found = capacity(
        **{name: value for name, value in BALANCE.items() if name != "eta"},
        entropy_standard_error_bits_per_token=0.04,
        loss_standard_error_bits_per_token=0.03,
        error_correlation=correlation,
    )
    assert found.bits_saved_standard_error == pytest.approx(3e9 * error, rel=1e-12, abs=0)
    assert found.eta_standard_error == pytest.approx(3e9 * error / 2.4e10, rel=1e-12, abs=0)


def test_errors_in_nats_and_their_flag() -> None:
    found = capacity(
        tokens=10,
        entropy_nats_per_token=2.0,
        loss_nats_per_token=1.0,
        model_bits=100,
        entropy_standard_error_nats_per_token=0.0,
        loss_standard_error_nats_per_token=0.6,
    )
    assert found.bits_saved_standard_error == pytest.approx(6 / math.log(2), rel=1e-15, abs=0)
    assert words(found) == ["within the error"]


@pytest.mark.parametrize(
    ("errors", "error", "message"),
    [
        ({"entropy_standard_error_bits_per_token": 0.1}, OptionError, "each need"),
        (
            {
                "entropy_standard_error_bits_per_token": 0.1,
                "loss_standard_error_nats_per_token": 0.1,
            },
            UnitError,
            "same unit",
        ),
        (
            {
                "entropy_standard_error_bits_per_token": -0.1,
                "loss_standard_error_bits_per_token": 0.1,
            },
            OptionError,
            "not negative",
        ),
        ({"error_correlation": 1.1}, OptionError, r"-1\.\.1"),
        ({"error_correlation": math.nan}, OptionError, r"-1\.\.1"),
    ],
)
def test_errors_without_meaning(
    errors: dict[str, float], error: type[Exception], message: str
) -> None:
    with pytest.raises(error, match=message):
        capacity(**BALANCE, **errors)


def test_errors_in_another_unit_than_their_values() -> None:
    known = {"tokens": 10, "model_bits": 10, "entropy_nats_per_token": 3, "loss_nats_per_token": 2}
    errors = {
        "entropy_standard_error_bits_per_token": 0.1,
        "loss_standard_error_bits_per_token": 0.1,
    }
    with pytest.raises(UnitError, match="same unit"):
        capacity(**known, **errors)


@pytest.mark.parametrize("left_out", ["entropy_bits_per_token", "loss_bits_per_token"])
def test_what_is_solved_for_has_no_error(left_out: str) -> None:
    with pytest.raises(OptionError, match="solved for"):
        capacity(
            **{name: value for name, value in BALANCE.items() if name != left_out},
            entropy_standard_error_bits_per_token=0.1,
            loss_standard_error_bits_per_token=0.1,
        )


@pytest.mark.parametrize(("of_entropy", "of_loss"), [("a", "b"), ("a", None), (None, "b")])
def test_other_predicted_sets(of_entropy: str | None, of_loss: str | None) -> None:
    with pytest.raises(OptionError, match="the same tokens"):
        capacity(**BALANCE, entropy_predicted_set=of_entropy, loss_predicted_set=of_loss)


def test_the_same_predicted_set_and_a_named_baseline() -> None:
    found = capacity(
        **BALANCE, entropy_predicted_set="a", loss_predicted_set="a", baseline="unigram"
    )
    assert found.baseline == "unigram"


def test_known_capacities() -> None:
    found = capacity(
        tokens=2e9,
        entropy_bits_per_token=10.0,
        loss_bits_per_token=9.0,
        params=1e9,
        bits_per_param=16,
    )
    assert [(c.known_bits_per_param, c.ratio) for c in found.compared] == [
        (2.0, 1.0),
        (3.6, 2 / 3.6),
    ]
    with pytest.raises(OptionError, match="bits_per_param must be finite"):
        compared_capacities(math.inf)


def words(found: Capacity) -> list[str]:
    return [flag.split(":")[0] for flag in found.flags]


# --- what is refused ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "mixed",
    [
        {"entropy_bits_per_token": 4, "loss_nats_per_token": 2},
        {"entropy_nats_per_token": 4, "loss_bits_per_token": 2},
        {"entropy_nats_per_token": 4, "entropy_bits_per_token": 4},
        {"loss_nats_per_token": 4, "loss_bits_per_token": 4},
    ],
)
def test_units_are_not_mixed(mixed: dict[str, float]) -> None:
    with pytest.raises(UnitError, match="same unit"):
        capacity(**mixed, tokens=10, model_bits=10)


@pytest.mark.parametrize(
    ("left_out", "message"),
    [
        (("eta", "tokens"), "missing are tokens, eta: give all but one"),
        (("eta", "params"), r"missing are model_bits \(or params with bits_per_param\), eta"),
        (("eta", "entropy_bits_per_token"), "missing are entropy_bits_per_token, eta"),
        (("eta", "loss_bits_per_token"), "missing are loss_bits_per_token, eta"),
        (tuple(BALANCE), "missing are tokens, entropy.*, loss.*, model_bits .*, eta"),
    ],
)
def test_too_little(left_out: tuple[str, ...], message: str) -> None:
    with pytest.raises(OptionError, match=message):
        capacity(**{name: value for name, value in BALANCE.items() if name not in left_out})


@pytest.mark.parametrize("name", BALANCE)
def test_a_contradiction(name: str) -> None:
    assert capacity(**BALANCE).eta == 0.75
    capacity(**{**BALANCE, name: BALANCE[name] * (1 + 1e-10)})
    with pytest.raises(OptionError, match="contradict"):
        capacity(**{**BALANCE, name: BALANCE[name] * (1 + 4e-9)})


def test_model_bits_that_are_not_the_product() -> None:
    known = {name: value for name, value in BALANCE.items() if name != "eta"}
    assert capacity(**known, model_bits=2.4e10 * (1 + 1e-10)).eta == pytest.approx(
        0.75, rel=2e-10, abs=0
    )
    with pytest.raises(OptionError, match="is not params"):
        capacity(**known, model_bits=2.4e10 * (1 + 4e-9))


def test_equal_entropy_and_loss_balance_up_to_their_rounding() -> None:
    entropy = 10.0
    loss = entropy - 1e-9
    capacity(
        tokens=1e9, entropy_bits_per_token=entropy, loss_bits_per_token=loss, model_bits=1, eta=1.0
    )


@pytest.mark.parametrize(
    ("changed", "name"),
    [
        ({"tokens": 0.0}, "tokens"),
        ({"tokens": -1.0}, "tokens"),
        ({"tokens": math.inf}, "tokens"),
        ({"entropy_bits_per_token": -0.1}, "entropy_bits_per_token"),
        ({"loss_bits_per_token": -0.1}, "loss_bits_per_token"),
        ({"loss_bits_per_token": math.nan}, "loss_bits_per_token"),
        ({"params": 0.0}, "params"),
        ({"bits_per_param": -16.0}, "bits_per_param"),
        ({"eta": math.inf}, "eta"),
        ({"model_bits": 0.0, "params": None}, "model_bits"),
        ({"model_bits": math.nan, "params": None}, "model_bits"),
    ],
)
def test_ranges(changed: dict[str, float | None], name: str) -> None:
    with pytest.raises(OptionError, match=f"{name}.* must be"):
        capacity(**{**BALANCE, **changed})


@pytest.mark.parametrize(
    ("solved_for", "values"),
    [
        ("model_bits", {"tokens": 10, "entropy": 4, "loss": 2, "eta": 0}),
        ("model_bits", {"tokens": 10, "entropy": 2, "loss": 4, "eta": 0.5}),
        ("tokens", {"model_bits": 10, "entropy": 4, "loss": 4, "eta": 0.5}),
        ("tokens", {"model_bits": 10, "entropy": 2, "loss": 4, "eta": 0.5}),
    ],
)
def test_no_solution(solved_for: str, values: dict[str, float]) -> None:
    long = {"entropy": "entropy_bits_per_token", "loss": "loss_bits_per_token"}
    with pytest.raises(OptionError, match=f"no {solved_for}.* satisfies"):
        capacity(**{long.get(name, name): value for name, value in values.items()})
