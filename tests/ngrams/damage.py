"""Damaged files, to test that readers report them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def content(path: Path, changed: bytes) -> Iterator[None]:
    """Replace the bytes of a file while the body runs."""
    whole = path.read_bytes()
    path.write_bytes(changed)
    try:
        yield
    finally:
        path.write_bytes(whole)


def flipped(whole: bytes, at: int, mask: int = 0x01) -> bytes:
    """Return the bytes with some bits of one byte flipped."""
    return whole[:at] + bytes([whole[at] ^ mask]) + whole[at + 1 :]


def sampled(size: int, most: int = 60) -> list[int]:
    """Return positions in a file: the first 40, the last 40, and some between."""
    inner = range(40, max(40, size - 40), max(1, size // most))
    return sorted({*range(min(40, size)), *inner, *range(max(0, size - 40), size)})


def cut_lengths(size: int) -> list[int]:
    """Return lengths to truncate a file to: 0, 1, some, and all but one byte."""
    return sorted(
        {0, 1, 7, 8, *range(0, size, max(1, size // 25)), size - 8, size - 1} & {*range(size)}
    )
