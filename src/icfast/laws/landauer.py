"""IC-2: least energy for erasing information, and the energy actually spent."""

from __future__ import annotations

import math
from dataclasses import dataclass

from icfast.energy.joules import JoulesSource, SpentJoules
from icfast.errors import OptionError, UnitError
from icfast.laws.result_table import ResultTable
from icfast.units import BOLTZMANN_JOULES_PER_KELVIN, bits_to_nats, nats_to_bits


@dataclass(frozen=True)
class Energy(ResultTable):
    """Result of :func:`energy`.

    Attributes:
        bits: information in bits.
        temperature_kelvin: T.
        energy_joules: Landauer's bound, kB T ln 2 per bit.
        nats: information in nats.
        joules_per_bit: kB T ln 2.
        joules_per_nat: kB T.
        spent_joules: energy spent, None if not given.
        spent_source: source of that figure, None if not given.
        spent_log10_ratio: log10 of spent_joules / energy_joules, None if either is 0 or missing.
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
    """Return Landauer's bound, E = bits kB T ln 2 = nats kB T, in joules.

    Landauer (1961) bounds the *erasure* of information at temperature T. As the cost of storing
    what a model learned (IC-2, arXiv 2411.00660 eq. 9, bits = eta N) it is a formal floor, many
    orders of magnitude below what any machine spends. kB = 1.380649e-23 J/K exactly.

    Args:
        bits: information in bits, eta N or the bits saved.
        nats: information in nats, instead of bits.
        temperature_kelvin: T > 0.
        spent: energy spent or estimated, with its source.

    Raises:
        UnitError: both bits and nats are given.
        OptionError: neither is given, the amount is negative or not finite, or T is not positive
            and finite.

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
        raise OptionError("give the amount of information, in bits or nats")
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
    """Return 6 P D FLOP times joules per FLOP, with the source FLOP_ESTIMATE.

    A training step takes about 2 P FLOP per token forward and 4 P backward (Kaplan et al. 2020,
    arXiv 2001.08361 sec. 2.1; attention over the context is ignored).

    Args:
        params: P > 0, without embeddings.
        tokens: D > 0, tokens seen in all epochs.
        joules_per_flop: J/FLOP of the whole machine at its actual utilisation; 700 W at 4e14 FLOP/s
            is 1.75e-12.

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
    """Return E / (kB T ln 2), the most bits that this energy could erase.

    By corollary 4.4 (arXiv 2411.00660), eta N cannot exceed it. The bound is as formal as
    Landauer's.

    Args:
        joules: E >= 0.
        temperature_kelvin: T > 0.

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
    """Return log10(spent / floor), None if either is 0; the quotient itself could overflow.

    >>> log10_ratio(1e300, 1e-20), log10_ratio(0.0, 1.0)
    (320.0, None)
    """
    return math.log10(spent) - math.log10(floor) if spent and floor else None
