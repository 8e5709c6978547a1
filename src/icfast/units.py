"""Unit conversions, and numbers as people read them. icfast rounds only here.

Every formatter writes a dash for None where it accepts None, and a typographic minus sign.
"""

from __future__ import annotations

import math
import unicodedata

#: Boltzmann's constant in joules per kelvin, exact since the 2019 revision of the SI.
BOLTZMANN_JOULES_PER_KELVIN = 1.380649e-23

DASH = "–"
MINUS = "−"

#: Numbers above this are written as a power of ten.
_MOST_WRITTEN = 1e15

#: Decimal prefixes of 1, 10^3, 10^6, ... and of 10^-3, 10^-6, ...
PREFIXES = ("", "k", "M", "G", "T", "P", "E")
SMALL_PREFIXES = ("m", "µ", "n", "p", "f", "a", "z", "y")


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


def signed(text: str) -> str:
    """Replace a leading hyphen by a minus sign, and drop it in front of a zero.

    >>> signed("-0.5"), signed("-0.00"), signed("3")
    ('−0.5', '0.00', '3')
    """
    if not text.startswith("-"):
        return text
    return MINUS + text[1:] if text.strip("-0.") else text[1:]


def format_bytes(count: float | None) -> str:
    """Write a byte count with a binary unit.

    >>> format_bytes(268435456)
    '256.0 MiB'
    """
    if count is None:
        return DASH
    for unit in ("B", "KiB", "MiB", "GiB"):
        if count < 1024:
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1024
    return f"{count:.1f} TiB"


def format_count(value: int | None) -> str:
    """Write a whole number with thousands separators.

    >>> format_count(1234567), format_count(None)
    ('1,234,567', '–')
    """
    return DASH if value is None else signed(f"{value:,}")


def format_short_count(value: float) -> str:
    """Write a round number, such as a tick of a logarithmic axis, with a decimal prefix.

    >>> format_short_count(1), format_short_count(10000), format_short_count(1e6)
    ('1', '10k', '1M')
    """
    power = 0
    while value >= 1000 and power < len(PREFIXES) - 1:
        value, power = value / 1000, power + 1
    return f"{value:g}{PREFIXES[power]}"


def format_fixed(value: float | None, digits: int = 4) -> str:
    """Write a number, such as bits per token, with a fixed number of decimals.

    >>> format_fixed(7.2431498), format_fixed(-0.5, 2), format_fixed(-1e-9), format_fixed(None)
    ('7.2431', '−0.50', '0.0000', '–')
    """
    return DASH if value is None else signed(f"{value:.{digits}f}")


def format_ratio(value: float | None) -> str:
    """Write a ratio, such as eta, with four significant digits.

    >>> format_ratio(0.0123456), format_ratio(7475.27), format_ratio(1.2e-7), format_ratio(2e300)
    ('0.01235', '7,475', '1.2e-07', '2e+300')
    """
    if value is None:
        return DASH
    if 1000 <= abs(value) < _MOST_WRITTEN:
        return signed(f"{value:,.0f}")
    return signed(f"{value:.4g}")


def format_perplexity(value: float | None, loss_nats: float | None) -> str:
    """Write a perplexity, or, if it is above the largest number, the power of e that it is.

    >>> format_perplexity(33.115, 3.5), format_perplexity(None, 1500.25)
    ('33.12', 'e^1500')
    """
    if value is None and loss_nats is not None:
        return f"e^{loss_nats:.4g}"
    return format_ratio(value)


def format_percent(value: float | None) -> str:
    """Write a share in percent.

    >>> format_percent(0.10137)
    '10.14 %'
    """
    return DASH if value is None else f"{100 * value:.2f} %"


def format_coverage(value: float | None) -> str:
    """Write a coverage in percent, truncated instead of rounded: 100 % means all.

    >>> format_coverage(0.999999), format_coverage(1.0), format_coverage(0.98996)
    ('99.99 %', '100.00 %', '98.99 %')
    """
    return DASH if value is None else f"{math.floor(value * 1e4) / 100:.2f} %"


def format_bits(value: float | None) -> str:
    """Write an amount of information with a decimal prefix and four significant digits.

    >>> format_bits(0.0), format_bits(239208.7), format_bits(1.5e9), format_bits(-2500.0)
    ('0 bit', '239.2 kbit', '1.5 Gbit', '−2.5 kbit')
    """
    if value is None:
        return DASH
    if not math.isfinite(value):
        return f"{value} bit"
    power = 0
    while abs(value) >= 999.95 and power < len(PREFIXES) - 1:
        value, power = value / 1000, power + 1
    return f"{signed(f'{value:.4g}')} {PREFIXES[power]}bit"


def format_joules(value: float | None) -> str:
    """Write an energy in joules with three significant digits.

    >>> format_joules(2.87097888508e-21), format_joules(0.0)
    ('2.87e-21 J', '0 J')
    """
    if value is None:
        return DASH
    return "0 J" if value == 0 else f"{signed(f'{value:.2e}')} J"


def format_kelvin(value: float) -> str:
    """Write a temperature.

    >>> format_kelvin(300.0), format_kelvin(293.15)
    ('300 K', '293.15 K')
    """
    return f"{value:g} K"


def format_seconds(value: float | None) -> str:
    """Write a duration.

    >>> format_seconds(0.034), format_seconds(3.21), format_seconds(75.0), format_seconds(7384.0)
    ('0.03 s', '3.2 s', '1 min 15 s', '2 h 3 min')
    """
    if value is None:
        return DASH
    if value < 0.95:
        return f"{value:.2f} s"
    if value < 59.95:
        return f"{value:.1f} s"
    minutes, rest = divmod(round(value), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def printable(text: str) -> str:
    r"""Return text in which characters that could steer a terminal are escapes.

    They are control characters, also those that change the direction of text, and bytes of a file
    name that are not UTF-8.

    >>> printable("a\x1b[2Jb\u202e\udcffé")
    'a\\x1b[2Jb\\u202e\\xffé'
    """
    if text.isprintable():
        return text
    return "".join(_shown(character) for character in text)


def _shown(character: str) -> str:
    if character.isprintable() or unicodedata.category(character) == "Zs":
        return character
    if "\udc80" <= character <= "\udcff":
        return f"\\x{ord(character) - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()
