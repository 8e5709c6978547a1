"""What every format's reader shares: the protocol, what it is told, and mapping a file."""

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
    errno.EMFILE: "too many files are open at once; raise the limit with `ulimit -n`",
    errno.ENFILE: "the whole machine has too many files open",
    errno.ENOMEM: "the address space is used up; raise the limit with `ulimit -v`",
}


def refuse(message: str) -> None:
    """Raise the fault as a CorpusError: what every caller but `inspect` wants."""
    raise CorpusError(message)


@dataclass(frozen=True)
class ReadOptions:
    """What a reader is told.

    Attributes:
        dtype: "u1", "u2", "u4", "i4", or None where none was given.
        fault: called with each fault the reader could read on after; raises unless inspecting.
    """

    dtype: str | None = None
    fault: Callable[[str], None] = refuse


class Format(Protocol):
    """One file format: its name, the bytes its files begin with, and how to open one."""

    @property
    def name(self) -> str:
        """The word `--format` takes."""

    @property
    def magics(self) -> tuple[bytes, ...]:
        """First bytes of its files; empty where the format has no header."""

    def sniff(self, path: Path) -> bool:
        """Whether the file looks like this format, by its first bytes or its name."""

    def open(self, path: Path, options: ReadOptions) -> Shard:
        """Map the file.

        Raises:
            CorpusError: the file is not what the format says.
        """


def itemsize(dtype: str) -> int:
    """Bytes of one id.

    >>> itemsize("u2"), itemsize("i4")
    (2, 4)
    """
    return int(dtype[1])


def starts_with(path: Path, magics: tuple[bytes, ...]) -> bool:
    """Whether the file begins with one of the byte strings."""
    if not magics:
        return False
    with path.open("rb") as file:
        return file.read(max(map(len, magics))).startswith(magics)


def whole_ids(path: Path, byte_count: int, dtype: str, options: ReadOptions) -> int:
    """How many ids the bytes hold; bytes left over are a fault."""
    count, left = divmod(byte_count, itemsize(dtype))
    if left:
        options.fault(
            f"{path}: {byte_count} bytes of ids are not a multiple of {itemsize(dtype)} (dtype "
            f"{dtype}): {left} bytes are left over; is the dtype right, or was the file cut short?"
        )
    return count


def stated_ids(path: Path, stated: int, dtype: str, offset: int, options: ReadOptions) -> int:
    """How many ids stand behind a header that says how many; any other size is a fault."""
    size = path.stat().st_size
    expected = offset + stated * itemsize(dtype)
    if size != expected:
        options.fault(
            f"{path}: its header says {stated} {dtype} ids, so {expected} bytes with the header, "
            f"but it has {size}; was it cut short, or is the copy not complete?"
        )
    return min(stated, whole_ids(path, size - offset, dtype, options))


def refuse_other_dtype(path: Path, found: str, options: ReadOptions) -> None:
    """A file that states its own dtype must agree with the one given."""
    if options.dtype is not None and options.dtype != found:
        options.fault(
            f"{path}: dtype {options.dtype} was given, but the file says its ids are {found}; "
            "leave the dtype out"
        )


def map_array(path: Path, dtype: str, count: int, offset: int = 0) -> NDArray[Any]:
    """Map `count` little-endian items of `dtype` from byte `offset` on; read-only, no copy.

    An i4 file is seen as u4: its negative ids are then 2^31 or more.

    Raises:
        CorpusError: the file can't be read.
        ResourceError: too many open files, or no address space left.
    """
    seen = np.dtype("<" + dtype.replace("i", "u"))
    if count == 0:  # an empty mapping is an error to the operating system
        return np.zeros(0, seen)
    try:
        with path.open("rb") as file:
            mapped = _map(file.fileno(), offset + count * seen.itemsize)
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise ResourceError(f"cannot map {path}: {_NO_ROOM[error.errno]}") from error
        raise CorpusError(f"cannot read {path}: {error.strerror}") from error
    return np.frombuffer(mapped, seen, count, offset)


def _map(descriptor: int, length: int) -> mmap.mmap:
    if sys.version_info >= (3, 13):
        # Otherwise each mapping holds a file descriptor: thousands of shards would use them up.
        return mmap.mmap(descriptor, length, access=mmap.ACCESS_READ, trackfd=False)
    return mmap.mmap(descriptor, length, access=mmap.ACCESS_READ)
