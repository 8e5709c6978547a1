"""IC-2: the least energy that erasing information costs."""

from __future__ import annotations

import math
from dataclasses import dataclass

from icfast.errors import OptionError, UnitError
from icfast.units import BOLTZMANN_JOULES_PER_KELVIN, bits_to_nats, nats_to_bits


@dataclass(frozen=True)
class Energy:
    """Result of :func:`energy`.

    Attributes:
        bits: the information, in bits however it was given.
        temperature_kelvin: T.
        energy_joules: kB T ln 2 per bit.
    """

    bits: float
    temperature_kelvin: float
    energy_joules: float


def energy(
    *, bits: float | None = None, nats: float | None = None, temperature_kelvin: float = 300.0
) -> Energy:
    """Landauer's floor: E = bits kB T ln 2 = nats kB T, in joules.

    Landauer (1961) bounds the *erasure* of information at temperature T; as the cost of storing
    what a model learned (IC-2, arXiv 2411.00660 eq. 9, bits = eta N) it is a formal floor, many
    orders of magnitude below what any machine spends. kB = 1.380649e-23 J/K exactly.

    Args:
        bits: the information in bits, eta N or the bits saved; or
        nats: the same in nats.
        temperature_kelvin: T.

    Raises:
        UnitError: both bits and nats were given.
        OptionError: neither was given, the amount is negative or not finite, or T is not
            positive and finite.

    >>> f"{energy(bits=1).energy_joules:.11e}"
    '2.87097888508e-21'
    """
    if bits is not None and nats is not None:
        raise UnitError(f"give bits or nats, not both; found bits={bits} and nats={nats}")
    if not (math.isfinite(temperature_kelvin) and temperature_kelvin > 0):
        raise OptionError(f"temperature_kelvin must be positive, found {temperature_kelvin}")
    if bits is not None:
        nats = bits_to_nats(bits)
    elif nats is not None:
        bits = nats_to_bits(nats)
    else:
        raise OptionError("bits or nats is missing: how much information?")
    if not (math.isfinite(nats) and nats >= 0):
        raise OptionError(f"the information must be finite and not negative, found {bits} bits")
    thermal_joules = BOLTZMANN_JOULES_PER_KELVIN * temperature_kelvin
    return Energy(float(bits), float(temperature_kelvin), thermal_joules * nats)
