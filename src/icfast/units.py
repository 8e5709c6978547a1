"""Physical and information units: the only conversions in the package."""

from __future__ import annotations

import math
import re

from icfast.errors import OptionError

#: Boltzmann's constant in joules per kelvin, exact since the 2019 SI.
BOLTZMANN_JOULES_PER_KELVIN = 1.380649e-23

#: One nat in bits, 1/ln 2.
BITS_PER_NAT = 1.0 / math.log(2.0)

_SIZE = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>[KMGT]i?B|B|)", re.IGNORECASE)
_POWERS = {"": 0, "k": 1, "m": 2, "g": 3, "t": 4}


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


def parse_bytes(size: str | int) -> int:
    """Bytes in a size such as ``"4GiB"``, ``"250MB"`` or ``1024``.

    Raises:
        OptionError: the text is not a positive number with B, kB, KiB, MB, MiB, ... behind it.

    >>> parse_bytes("256MiB"), parse_bytes("1.5GB"), parse_bytes(4096)
    (268435456, 1500000000, 4096)
    """
    match = _SIZE.fullmatch(str(size).strip())
    if match is None:
        raise OptionError(f"size {size!r} is not a number with a unit such as 512MiB or 4GB")
    unit = match["unit"].lower()
    base = 1024 if "i" in unit else 1000
    count = int(float(match["number"]) * base ** _POWERS[unit.rstrip("b").rstrip("i")])
    if count <= 0:
        raise OptionError(f"size {size!r} must be positive")
    return count


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
