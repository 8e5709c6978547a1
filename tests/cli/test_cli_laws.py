"""laws capacity, energy, size, quantise."""

from __future__ import annotations

import json
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


def as_json(result: object) -> Any:
    """A result as JSON has it: no tuples, no enums."""
    return json.loads(json.dumps(asdict(result)))  # type: ignore[call-overload]


def as_options(given: dict[str, float]) -> list[str]:
    pairs = ((f"--{name.replace('_', '-')}", repr(value)) for name, value in given.items())
    return [word for pair in pairs for word in pair]


@pytest.mark.parametrize("left_out", [name for name in GIVEN if name != "params"])
def test_capacity_solves_for_what_is_left_out(run: Run, left_out: str) -> None:
    given = {name: value for name, value in GIVEN.items() if name != left_out}
    answer = run("laws", "capacity", *as_options(given), "--json")
    assert (answer.code, answer.err) == (0, "")
    found = answer.json
    assert found == as_json(laws.capacity(**given))
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


def test_capacity_with_everything(run: Run) -> None:
    given = {
        "tokens": 2e9,
        "entropy_bits_per_token": 10.0,
        "loss_bits_per_token": 9.0,
        "entropy_standard_error_bits_per_token": 0.04,
        "loss_standard_error_bits_per_token": 0.03,
        "error_correlation": 0.5,
    }
    more = ["--precision", "1e9:4", "--precision", "1e8:16"]
    more += ["--baseline", "unigram", "--entropy-predicted-set", "a", "--loss-predicted-set", "a"]
    found = run("laws", "capacity", *as_options(given), *more, "--json").json
    expected = laws.capacity(**given, precisions=[(1e9, 4), (1e8, 16)], baseline="unigram")
    assert found == as_json(expected)
    words = run("laws", "capacity", *as_options(given), *more).out
    assert "(unigram)" in words
    assert "±" in words
    assert "arXiv 2505.24832" in words


def test_capacity_from_bits_per_token(run: Run) -> None:
    given = {"tokens": 1.0, "entropy_nats_per_token": 10.0, "loss_nats_per_token": 7.0}
    ratio = ["--model-bits-per-token", "26.08"]
    found = run("laws", "capacity", *as_options(given), *ratio, "--json").json
    assert found["eta_nats_per_bit"] == pytest.approx(0.115030674846626, abs=5e-16)


@pytest.mark.parametrize("word", ["7e9", "7e9:4:2", "a:b"])
def test_precision_without_meaning(run: Run, word: str) -> None:
    given = {name: GIVEN[name] for name in list(GIVEN)[:3]}
    answer = run("laws", "capacity", *as_options(given), "--precision", word)
    assert (answer.code, answer.out) == (2, "")
    assert "has no parameters and bits; write it as 7e9:4" in answer.err


def test_capacity_of_other_predicted_sets(run: Run) -> None:
    sets = ["--entropy-predicted-set", "a", "--loss-predicted-set", "b"]
    answer = run("laws", "capacity", *as_options(GIVEN), *sets)
    assert (answer.code, answer.out) == (2, "")
    assert "the same tokens" in answer.err


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
    assert found == as_json(laws.energy(bits=1))
    assert f"{found['energy_joules']:.11e}" == "2.87097888508e-21"
    of_nats = run("laws", "energy", "--nats", math.log(2), "--temperature-kelvin", "150", "--json")
    assert of_nats.json["energy_joules"] == pytest.approx(found["energy_joules"] / 2)
    assert "2.87e-21 J" in run("laws", "energy", "--bits", "1").out


def test_energy_spent(run: Run) -> None:
    counted = ["--bits", "1e9", "--spent-joules", "3e8", "--spent-source", "nvml"]
    found = run("laws", "energy", *counted, "--json").json
    spent = laws.SpentJoules(3e8, laws.JoulesSource.NVML)
    assert found == as_json(laws.energy(bits=1e9, spent=spent))
    words = run("laws", "energy", *counted).out
    assert "3.00e+08 J (nvml)" in words
    assert "10^20.02" in words


def test_energy_estimated(run: Run) -> None:
    given = {"params": 1e9, "tokens": 2e10, "joules_per_flop": 1.75e-12}
    found = run("laws", "energy", "--bits", "1e9", *as_options(given), "--json").json
    assert found == as_json(laws.energy(bits=1e9, spent=laws.flop_estimate(**given)))
    assert found["spent_source"] == "flop-estimate"


@pytest.mark.parametrize(
    "more",
    [
        (),
        ("--bits", "1", "--nats", "1"),
        ("--bits", "1", "--temperature-kelvin", "0"),
        ("--bits", "1", "--spent-joules", "1"),
        ("--bits", "1", "--spent-source", "nvml"),
        ("--bits", "1", "--spent-joules", "1", "--spent-source", "guess"),
        ("--bits", "1", "--spent-joules", "1", "--spent-source", "flop-estimate"),
        ("--bits", "1", "--params", "1"),
        (
            *("--bits", "1", "--spent-joules", "1", "--spent-source", "nvml"),
            *("--params", "1", "--tokens", "1", "--joules-per-flop", "1"),
        ),
    ],
)
def test_energy_without_meaning(run: Run, more: tuple[str, ...]) -> None:
    answer = run("laws", "energy", *more)
    assert (answer.code, answer.out) == (2, "")
    assert answer.err.startswith("error: ")


@pytest.mark.parametrize("solved_from", ["params", "tokens"])
def test_size(run: Run, solved_from: str) -> None:
    given = {solved_from: 1e9, "entropy_bits_per_token": 15.6, "loss_bits_per_token": 3.4}
    found = run("laws", "size", *as_options(given), "--json").json
    assert found == as_json(laws.size(**given))
    assert round(found["tokens_per_param"], 2) == 0.16
    assert "122 times as many" in run("laws", "size", *as_options(given)).out


def test_quantise(run: Run) -> None:
    given = {"bits_per_param": 16.0, "eta": 0.268, "proposed_bits_per_param": 4.0}
    found = run("laws", "quantise", *as_options(given), "--json").json
    assert found == as_json(laws.quantise(**given))
    assert found["minimum_bits_per_param"] == 4.288
    assert "must be lost" in run("laws", "quantise", *as_options(given)).out
    absorbed = {"bits_per_param": 16.0, "absorbed_bits": 4e9, "params": 1e9}
    found = run("laws", "quantise", *as_options(absorbed), "--json").json
    assert (found["eta"], found["proposed_bits_per_param"]) == (0.25, None)


@pytest.mark.parametrize(
    ("command", "given", "message"),
    [
        ("size", {"params": 1.0}, "needs the entropy"),
        (
            "size",
            {"params": 1.0, "entropy_bits_per_token": 1.0, "loss_bits_per_token": 1.0},
            "no information",
        ),
        ("quantise", {"bits_per_param": 16.0}, "give eta"),
        ("quantise", {"bits_per_param": 16.0, "eta": 1.5}, "not bits absorbed"),
        ("quantise", {"eta": 0.5}, "bits-per-param"),
    ],
)
def test_without_meaning(run: Run, command: str, given: dict[str, float], message: str) -> None:
    answer = run("laws", command, *as_options(given), "--json")
    assert (answer.code, answer.out) == (2, "")
    assert message in answer.err
