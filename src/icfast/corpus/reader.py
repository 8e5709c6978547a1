"""Shared parts of every format's reader: the protocol, the options, memory mapping."""

from __future__ import annotations

import errno
import mmap
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from icfast.corpus.shard import Shard
from icfast.errors import CorpusError, ResourceError

_NO_ROOM = {
    errno.EMFILE: "too many files are open. Raise the limit with `ulimit -n`",
    errno.ENFILE: "the machine has too many files open. Close other programs",
    errno.ENOMEM: "the address space is exhausted. Raise the limit with `ulimit -v`",
}


def refuse(message: str) -> None:
    """Raise a fault as a CorpusError."""
    raise CorpusError(message)


@dataclass(frozen=True)
class ReadOptions:
    """Options of a reader.

    Attributes:
        dtype: "u1", "u2", "u4", "i4", or None if none was given.
        fault: function called with the message of a fault after which reading can continue. The
            default raises; `inspect` collects the messages.
    """

    dtype: str | None = None
    fault: Callable[[str], None] = refuse


class Format(Protocol):
    """Protocol of a file format."""

    @property
    def name(self) -> str:
        """Name of the format for `--format`."""

    @property
    def magics(self) -> tuple[bytes, ...]:
        """First bytes of its files. Empty if the format has no header."""

    def sniff(self, path: Path) -> bool:
        """Return whether the first bytes or the name look like this format."""

    def open(self, path: Path, options: ReadOptions) -> Shard:
        """Memory-map the file.

        Raises:
            CorpusError: the file does not follow the format.
        """


def itemsize(dtype: str) -> int:
    """Return the bytes of one id.

    >>> itemsize("u2"), itemsize("i4")
    (2, 4)
    """
    return int(dtype[1])


def starts_with(path: Path, magics: tuple[bytes, ...]) -> bool:
    """Return whether the file begins with one of the byte strings."""
    if not magics:
        return False
    with path.open("rb") as file:
        return file.read(max(map(len, magics))).startswith(magics)


def whole_ids(path: Path, byte_count: int, dtype: str, options: ReadOptions) -> int:
    """Return the number of ids in some bytes. Bytes left over are a fault."""
    count, left = divmod(byte_count, itemsize(dtype))
    if left:
        options.fault(
            f"{path}: {byte_count} bytes of ids are not a multiple of {itemsize(dtype)} (dtype "
            f"{dtype}): {left} bytes are left over. Is the dtype right, or was the file truncated? "
            "Pass --dtype, or copy the file again."
        )
    return count


def stated_ids(path: Path, stated: int, dtype: str, offset: int, options: ReadOptions) -> int:
    """Return the number of ids after a header that states it. Another file size is a fault."""
    size = path.stat().st_size
    expected = offset + stated * itemsize(dtype)
    if size != expected:
        options.fault(
            f"{path}: its header states {stated} {dtype} ids, so {expected} bytes with the header, "
            f"but the file has {size}. Was it truncated? Copy or write it again."
        )
    return min(stated, whole_ids(path, size - offset, dtype, options))


def refuse_other_dtype(path: Path, found: str, options: ReadOptions) -> None:
    """Report a fault if the given dtype differs from the one that the file states."""
    if options.dtype is not None and options.dtype != found:
        options.fault(
            f"{path}: dtype {options.dtype} was given, but the file states that its ids are "
            f"{found}. Leave the dtype out."
        )


def map_array(path: Path, dtype: str, count: int, offset: int = 0) -> NDArray[Any]:
    """Memory-map `count` little-endian items of `dtype` from byte `offset` on, read-only.

    An i4 file is mapped as u4: its negative ids are then 2^31 or larger.

    Raises:
        CorpusError: the file can't be read.
        ResourceError: too many files are open, or no address space is left.
    """
    seen = np.dtype("<" + dtype.replace("i", "u"))
    if count == 0:  # the operating system refuses an empty mapping
        return np.zeros(0, seen)
    try:
        with path.open("rb") as file:
            mapped = _map(file.fileno(), offset + count * seen.itemsize)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise ResourceError(f"cannot map {path}: {_NO_ROOM[error.errno]}.") from error
        raise CorpusError(
            f"cannot read {path}: {error.strerror}. Check its permissions."
        ) from error
    return np.frombuffer(mapped, seen, count, offset)


def _map(descriptor: int, length: int) -> mmap.mmap:
    if sys.version_info >= (3, 13):
        # Otherwise each mapping keeps a file descriptor, and thousands of shards exhaust them.
        return mmap.mmap(descriptor, length, access=mmap.ACCESS_READ, trackfd=False)
    return mmap.mmap(descriptor, length, access=mmap.ACCESS_READ)
