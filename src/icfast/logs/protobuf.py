"""As much of the protobuf wire format as it takes to walk over a message's fields."""

from __future__ import annotations

from collections.abc import Iterator

from icfast.errors import LogError

#: Wire types: a varint, 8 bytes, a length and so many bytes, 4 bytes.
VARINT, EIGHT, BYTES, FOUR = 0, 1, 2, 5

_WIDTHS = {EIGHT: 8, FOUR: 4}


def fields(message: bytes) -> Iterator[tuple[int, int, int | bytes]]:
    """Number, wire type and value of each field: an int for varints, else its bytes.

    Raises:
        LogError: a field reaches past the message, or is of a type that protobuf has given up.

    >>> list(fields(bytes([0x10, 0x96, 0x01, 0x12, 2, 65, 66])))
    [(2, 0, 150), (2, 2, b'AB')]
    """
    place = 0
    while place < len(message):
        key, place = _varint(message, place)
        number, kind = key >> 3, key & 7
        if kind == VARINT:
            value, place = _varint(message, place)
            yield number, kind, value
            continue
        if kind == BYTES:
            width, place = _varint(message, place)
        elif kind in _WIDTHS:
            width = _WIDTHS[kind]
        else:
            raise LogError(f"field {number} is of wire type {kind}, which is none")
        if place + width > len(message):
            raise LogError(f"field {number} reaches past its message of {len(message)} bytes")
        yield number, kind, message[place : place + width]
        place += width


def signed(value: int) -> int:
    """A varint as int64.

    >>> signed(2**64 - 1), signed(7)
    (-1, 7)
    """
    return value - 2**64 if value >= 2**63 else value


def _varint(message: bytes, place: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if place >= len(message):
            break
        byte = message[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value & (2**64 - 1), place
    raise LogError(f"a number ends nowhere before byte {place} of a message")
