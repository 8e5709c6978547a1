"""Landauer's bound in joules."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.energy.joules import JoulesSource, SpentJoules
from icfast.errors import MergeError, OptionError, UnitError
from icfast.laws.landauer import energy, erasable_bits, flop_estimate


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
    with pytest.raises(OptionError, match="give the amount of information"):
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


# --- what was spent -----------------------------------------------------------------------------


@given(st.floats(1e-20, 1e20), st.floats(1e-3, 1e4))
def test_per_bit_and_per_nat(bits: float, temperature_kelvin: float) -> None:
    found = energy(bits=bits, temperature_kelvin=temperature_kelvin)
    assert found.joules_per_nat == 1.380649e-23 * temperature_kelvin
    assert found.energy_joules == found.joules_per_nat * found.nats
    assert found.joules_per_bit * bits == pytest.approx(found.energy_joules, rel=1e-15, abs=0)
    again = erasable_bits(found.energy_joules, temperature_kelvin)
    assert again == pytest.approx(bits, rel=1e-14, abs=0)


@given(st.floats(0, 1e20), st.floats(0, 1e20))
def test_more_information_and_more_heat_cost_more(one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert energy(bits=low).energy_joules <= energy(bits=high).energy_joules
    assert erasable_bits(low) <= erasable_bits(high)
    warm = energy(bits=high, temperature_kelvin=301.0).energy_joules
    assert warm >= energy(bits=high).energy_joules


def test_spent_beside_the_floor() -> None:
    spent = SpentJoules(2.87097888508, JoulesSource.NVML)
    found = energy(bits=1.0, spent=spent)
    assert (found.spent_joules, found.spent_source) == (2.87097888508, "nvml")
    assert found.spent_log10_ratio == pytest.approx(21.0, abs=1e-11)
    # Their quotient is beyond any float.
    huge = energy(bits=1e-280, spent=SpentJoules(1e300, JoulesSource.STATED))
    assert huge.spent_log10_ratio == pytest.approx(600.54197, abs=1e-5)
    for bits, joules in ((0.0, 1.0), (1.0, 0.0)):
        nothing = energy(bits=bits, spent=SpentJoules(joules, JoulesSource.STATED))
        assert nothing.spent_log10_ratio is None


def test_flop_estimate() -> None:
    found = flop_estimate(params=7e9, tokens=2e12, joules_per_flop=1.75e-12)
    assert found == SpentJoules(6 * 7e9 * 2e12 * 1.75e-12, JoulesSource.FLOP_ESTIMATE)
    for name in ("params", "tokens", "joules_per_flop"):
        for wrong in (0.0, -1.0, math.nan, math.inf):
            given_values = {"params": 1.0, "tokens": 1.0, "joules_per_flop": 1.0, name: wrong}
            with pytest.raises(OptionError, match=f"{name} must be positive"):
                flop_estimate(**given_values)


def test_sources_are_not_mixed() -> None:
    counted = SpentJoules(1.0, JoulesSource.NVML)
    assert counted + SpentJoules(2.0, JoulesSource.NVML) == SpentJoules(3.0, JoulesSource.NVML)
    with pytest.raises(MergeError, match="from nvml and from flop-estimate cannot be added"):
        counted + flop_estimate(params=1, tokens=1, joules_per_flop=1)
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(OptionError, match="joules must be finite"):
            SpentJoules(wrong, JoulesSource.NVML)


def test_erasable_bits_refuse() -> None:
    for wrong in (-1.0, math.nan, math.inf):
        with pytest.raises(OptionError, match="joules must be finite"):
            erasable_bits(wrong)
    with pytest.raises(OptionError, match="temperature_kelvin"):
        erasable_bits(1.0, 0.0)
