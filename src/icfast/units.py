"""Physical and information units: the only conversions in the package."""

from __future__ import annotations

import math

#: Boltzmann's constant in joules per kelvin, exact since the 2019 SI.
BOLTZMANN_JOULES_PER_KELVIN = 1.380649e-23


def nats_to_bits(nats: float) -> float:
    """Convert nats to bits.

    >>> nats_to_bits(math.log(8))
    3.0
    """
    return nats / math.log(2.0)


def bits_to_nats(bits: float) -> float:
    """Convert bits to nats.

    >>> round(bits_to_nats(1.0), 12)
    0.69314718056
    """
    return bits * math.log(2.0)


def format_bytes(count: float) -> str:
    """Write a byte count with a binary unit.

    >>> format_bytes(268435456)
    '256.0 MiB'
    """
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"
