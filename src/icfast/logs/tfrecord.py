"""TFRecord: length, checksum of the length, bytes, checksum of the bytes, and so on.

Numbers are little-endian; checksums are CRC-32C (Castagnoli, reflected polynomial 0x82F63B78),
turned by 15 bits and moved by 0xA282EAD8.
"""

from __future__ import annotations

import struct

from icfast.errors import LogError

_HEAD, _TAIL = 12, 4


def _table() -> list[int]:
    values = []
    for value in range(256):
        for _ in range(8):
            value = (value >> 1) ^ (0x82F63B78 if value & 1 else 0)
        values.append(value)
    return values


_TABLE = _table()


def crc32c(data: bytes) -> int:
    """CRC-32C of some bytes (RFC 3720, appendix B.4).

    >>> hex(crc32c(b"123456789"))
    '0xe3069283'
    """
    crc = 0xFFFFFFFF
    for byte in data:
        crc = _TABLE[(crc ^ byte) & 0xFF] ^ (crc >> 8)
    return crc ^ 0xFFFFFFFF


def masked_crc32c(data: bytes) -> int:
    """CRC-32C as TFRecord stores it."""
    crc = crc32c(data)
    return ((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF


def is_tfrecord(data: bytes) -> bool:
    """Whether some bytes begin with a length and its checksum."""
    return len(data) >= _HEAD and _checked(data[:8], data[8:_HEAD])


def records(data: bytes) -> tuple[list[bytes], bool]:
    """All whole records, and whether one that is cut short follows them.

    Raises:
        LogError: a checksum does not fit: which record, at which byte.
    """
    found: list[bytes] = []
    begin = 0
    while begin + _HEAD <= len(data):
        if not is_tfrecord(data[begin : begin + _HEAD]):
            raise LogError(_damaged(len(found), begin, "length"))
        end = begin + _HEAD + int(struct.unpack_from("<Q", data, begin)[0])
        if end + _TAIL > len(data):
            break
        record = data[begin + _HEAD : end]
        if not _checked(record, data[end : end + _TAIL]):
            raise LogError(_damaged(len(found), begin, "content"))
        found.append(record)
        begin = end + _TAIL
    return found, begin < len(data)


def _checked(data: bytes, stored: bytes) -> bool:
    return masked_crc32c(data) == int.from_bytes(stored, "little")


def _damaged(before: int, begin: int, what: str) -> str:
    return (
        f"record {before + 1}, at byte {begin}: the checksum of its {what} does not fit; "
        "the file is damaged there: copy it again, or cut it off there"
    )
