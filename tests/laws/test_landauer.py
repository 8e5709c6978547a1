"""Landauer's floor in joules."""

from __future__ import annotations

import math

import pytest

from icfast.errors import OptionError, UnitError
from icfast.laws.landauer import energy


@pytest.mark.parametrize(
    ("temperature_kelvin", "joules"), [(300.0, 2.87097888508e-21), (293.15, 2.8054248672e-21)]
)
def test_one_bit(temperature_kelvin: float, joules: float) -> None:
    result = energy(bits=1, temperature_kelvin=temperature_kelvin)
    assert result.energy_joules == pytest.approx(joules, rel=2e-12, abs=0)
    assert (result.bits, result.temperature_kelvin) == (1.0, temperature_kelvin)


def test_the_paper_s_rounded_constant() -> None:
    rounded = energy(bits=1).energy_joules * (1.38e-23 / 1.380649e-23)
    assert rounded == pytest.approx(2.86962932752e-21, rel=2e-12, abs=0)


def test_a_nat_costs_kt_without_the_logarithm() -> None:
    result = energy(nats=1, temperature_kelvin=250.0)
    assert result.energy_joules == 1.380649e-23 * 250.0
    assert result.bits == pytest.approx(1 / math.log(2), rel=1e-15, abs=0)


def test_bits_and_nats_agree_and_scale() -> None:
    from_bits = energy(bits=1e12).energy_joules
    assert from_bits == pytest.approx(
        energy(nats=1e12 * math.log(2)).energy_joules, rel=1e-15, abs=0
    )
    assert from_bits == pytest.approx(1e12 * energy(bits=1).energy_joules, rel=1e-15, abs=0)
    assert energy(bits=0).energy_joules == 0.0


def test_units_are_not_mixed() -> None:
    with pytest.raises(UnitError, match="not both"):
        energy(bits=1, nats=1)


def test_something_must_be_erased() -> None:
    with pytest.raises(OptionError, match="missing"):
        energy()


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.inf, math.nan])
def test_temperature(wrong: float) -> None:
    with pytest.raises(OptionError, match="temperature_kelvin"):
        energy(bits=1, temperature_kelvin=wrong)


@pytest.mark.parametrize("wrong", [-1.0, math.inf, math.nan])
@pytest.mark.parametrize("unit", ["bits", "nats"])
def test_amount(unit: str, wrong: float) -> None:
    with pytest.raises(OptionError, match="information"):
        energy(**{unit: wrong})
