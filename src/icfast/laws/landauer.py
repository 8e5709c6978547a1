"""IC-2: the least energy that erasing information costs, and what was spent beside it."""

from __future__ import annotations

import math
from dataclasses import dataclass

from icfast.energy.joules import JoulesSource, SpentJoules
from icfast.errors import OptionError, UnitError
from icfast.units import BOLTZMANN_JOULES_PER_KELVIN, bits_to_nats, nats_to_bits


@dataclass(frozen=True)
class Energy:
    """Result of :func:`energy`.

    Attributes:
        bits: the information, in bits however it was given.
        temperature_kelvin: T.
        energy_joules: kB T ln 2 per bit.
        nats: the same information in nats.
        joules_per_bit: kB T ln 2.
        joules_per_nat: kB T.
        spent_joules: what was spent, None where not given.
        spent_source: who says so, None where not given.
        spent_log10_ratio: log10 of spent over energy_joules, None where either is 0 or not given.
    """

    bits: float
    temperature_kelvin: float
    energy_joules: float
    nats: float
    joules_per_bit: float
    joules_per_nat: float
    spent_joules: float | None = None
    spent_source: JoulesSource | None = None
    spent_log10_ratio: float | None = None


def energy(
    *,
    bits: float | None = None,
    nats: float | None = None,
    temperature_kelvin: float = 300.0,
    spent: SpentJoules | None = None,
) -> Energy:
    """Landauer's floor: E = bits kB T ln 2 = nats kB T, in joules.

    Landauer (1961) bounds the *erasure* of information at temperature T; as the cost of storing
    what a model learned (IC-2, arXiv 2411.00660 eq. 9, bits = eta N) it is a formal floor, many
    orders of magnitude below what any machine spends. kB = 1.380649e-23 J/K exactly.

    Args:
        bits: the information in bits, eta N or the bits saved; or
        nats: the same in nats.
        temperature_kelvin: T.
        spent: joules really spent, or estimated, with their source.

    Raises:
        UnitError: both bits and nats were given.
        OptionError: neither was given, the amount is negative or not finite, or T is not
            positive and finite.

    >>> f"{energy(bits=1).energy_joules:.11e}"
    '2.87097888508e-21'
    """
    if bits is not None and nats is not None:
        raise UnitError(f"give bits or nats, not both; found bits={bits} and nats={nats}")
    joules_per_nat = _thermal_joules(temperature_kelvin)
    if bits is not None:
        nats = bits_to_nats(bits)
    elif nats is not None:
        bits = nats_to_bits(nats)
    else:
        raise OptionError("bits or nats is missing: how much information?")
    if not (math.isfinite(nats) and nats >= 0):
        raise OptionError(f"the information must be finite and not negative, found {bits} bits")
    floor = joules_per_nat * nats
    return Energy(
        bits=float(bits),
        temperature_kelvin=float(temperature_kelvin),
        energy_joules=floor,
        nats=float(nats),
        joules_per_bit=bits_to_nats(joules_per_nat),
        joules_per_nat=joules_per_nat,
        spent_joules=None if spent is None else spent.joules,
        spent_source=None if spent is None else spent.source,
        spent_log10_ratio=None if spent is None else log10_ratio(spent.joules, floor),
    )


def flop_estimate(*, params: float, tokens: float, joules_per_flop: float) -> SpentJoules:
    """6 P D FLOP times joules per FLOP, labelled as the estimate it is.

    A training step takes about 2 P FLOP a token forward and 4 P backward (Kaplan et al. 2020,
    arXiv 2001.08361 sec. 2.1: attention over the context left out).

    Args:
        params: P > 0, embeddings left out.
        tokens: D > 0, tokens seen, every epoch counted.
        joules_per_flop: of the whole machine at the utilisation it had; 700 W at 4e14 FLOP/s is
            1.75e-12.

    Raises:
        OptionError: a value is not positive and finite.

    >>> flop_estimate(params=1e9, tokens=2e10, joules_per_flop=1.75e-12).joules
    210000000.0
    """
    given = {"params": params, "tokens": tokens, "joules_per_flop": joules_per_flop}
    for name, value in given.items():
        if not (math.isfinite(value) and value > 0):
            raise OptionError(f"{name} must be positive and finite, found {value}")
    return SpentJoules(6.0 * params * tokens * joules_per_flop, JoulesSource.FLOP_ESTIMATE)


def erasable_bits(joules: float, temperature_kelvin: float = 300.0) -> float:
    """The most information that so much energy could erase: E / (kB T ln 2), in bits.

    Corollary 4.4 (arXiv 2411.00660): eta N cannot be above it. As formal as the floor.

    Raises:
        OptionError: the energy is negative or not finite, or T is not positive and finite.

    >>> f"{erasable_bits(1.0):.6e}"
    '3.483133e+20'
    """
    if not (math.isfinite(joules) and joules >= 0):
        raise OptionError(f"joules must be finite and not negative, found {joules}")
    return nats_to_bits(joules / _thermal_joules(temperature_kelvin))


def _thermal_joules(temperature_kelvin: float) -> float:
    if not (math.isfinite(temperature_kelvin) and temperature_kelvin > 0):
        raise OptionError(f"temperature_kelvin must be positive, found {temperature_kelvin}")
    return BOLTZMANN_JOULES_PER_KELVIN * temperature_kelvin


def log10_ratio(spent: float, floor: float) -> float | None:
    """log10(spent / floor), None where either is 0; the quotient may be too large for a float.

    >>> log10_ratio(1e300, 1e-20), log10_ratio(0.0, 1.0)
    (320.0, None)
    """
    return math.log10(spent) - math.log10(floor) if spent and floor else None
