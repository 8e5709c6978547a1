"""The end id of a document, and the frozen hash of the held-out split."""

from __future__ import annotations

import math
import struct
from collections.abc import Sequence

from tests.naive.counts import Document


def without_end_id(document: Document, eos_id: int | None, boundary: str = "end") -> Document:
    """The document less one trailing (boundary "end") or one leading ("start") end id."""
    if boundary not in ("end", "start"):
        raise ValueError(f"boundary is 'end' or 'start', not {boundary!r}")
    if eos_id is None or len(document) == 0:
        return document
    if boundary == "end":
        return document[:-1] if document[-1] == eos_id else document
    return document[1:] if document[0] == eos_id else document


MASK64 = 2**64 - 1


def fnv1a_64(data: bytes) -> int:
    """64-bit FNV-1a of the bytes."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 & MASK64
    return value


def fmix64(value: int) -> int:
    """The 64-bit finaliser of MurmurHash3."""
    value ^= value >> 33
    value = value * 0xFF51AFD7ED558CCD & MASK64
    value ^= value >> 33
    value = value * 0xC4CEB9FE1A85EC53 & MASK64
    return value ^ value >> 33


def document_hash(document: Sequence[int], eos_id: int | None = None, boundary: str = "end") -> int:
    """fmix64(FNV-1a of the ids as little-endian u32), the end id left out."""
    kept = without_end_id(document, eos_id, boundary)
    return fmix64(fnv1a_64(b"".join(struct.pack("<I", token) for token in kept)))


def is_heldout(
    document: Sequence[int], fraction: float, eos_id: int | None = None, boundary: str = "end"
) -> bool:
    """True where the hash is below floor(fraction * 2^64)."""
    return document_hash(document, eos_id, boundary) < math.floor(fraction * 2**64)
