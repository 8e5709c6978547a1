"""laws capacity, laws energy."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

import pytest

from icfast import laws

Run = Callable[..., Any]

GIVEN = {
    "tokens": 2e9,
    "entropy_bits_per_token": 10.0,
    "loss_bits_per_token": 9.0,
    "params": 1e9,
    "bits_per_param": 16.0,
    "eta": 0.125,
}


def as_options(given: dict[str, float]) -> list[str]:
    pairs = ((f"--{name.replace('_', '-')}", repr(value)) for name, value in given.items())
    return [word for pair in pairs for word in pair]


@pytest.mark.parametrize("left_out", [name for name in GIVEN if name != "params"])
def test_capacity_solves_for_what_is_left_out(run: Run, left_out: str) -> None:
    given = {name: value for name, value in GIVEN.items() if name != left_out}
    answer = run("laws", "capacity", *as_options(given), "--json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.json
    # JSON has no tuples.
    expected = {**asdict(laws.capacity(**given)), "flags": []}
    assert found == expected
    assert (found["eta"], found["bits_saved"], found["bits_per_param"]) == (0.125, 2e9, 2.0)


def test_capacity_in_nats_and_model_bits(run: Run) -> None:
    given = {
        "tokens": 1e6,
        "entropy_nats_per_token": 2 * math.log(2),
        "loss_nats_per_token": math.log(2),
        "model_bits": 1e5,
    }
    found = run("laws", "capacity", *as_options(given), "--json").json
    assert found["loss_bits_per_token"] == pytest.approx(1.0)
    assert found["eta"] == pytest.approx(10.0)
    assert found["params"] is None
    assert found["flags"] == list(laws.capacity(**given).flags)
    words = run("laws", "capacity", *as_options(given))
    assert words.code == 0
    assert "reuse regime" in words.out


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tokens": 1.0}, "give all but one"),
        ({"entropy_nats_per_token": 1.0, "loss_bits_per_token": 1.0}, "same unit"),
        ({**GIVEN, "eta": 0.5}, "contradict"),
        ({**GIVEN, "tokens": -1.0}, "tokens must be positive"),
    ],
)
def test_capacity_without_meaning(run: Run, given: dict[str, float], message: str) -> None:
    answer = run("laws", "capacity", *as_options(given), "--json")
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err


def test_energy(run: Run) -> None:
    found = run("laws", "energy", "--bits", "1", "--json").json
    assert found == asdict(laws.energy(bits=1))
    assert f"{found['energy_joules']:.11e}" == "2.87097888508e-21"
    of_nats = run("laws", "energy", "--nats", math.log(2), "--temperature-kelvin", "150", "--json")
    assert of_nats.json["energy_joules"] == pytest.approx(found["energy_joules"] / 2)
    assert "2.87e-21 J" in run("laws", "energy", "--bits", "1").out


@pytest.mark.parametrize(
    "more", [(), ("--bits", "1", "--nats", "1"), ("--bits", "1", "--temperature-kelvin", "0")]
)
def test_energy_without_meaning(run: Run, more: tuple[str, ...]) -> None:
    answer = run("laws", "energy", *more)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: ")
