"""Shared parts of every format's reader: the protocol, the options, memory mapping."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from icfast.corpus.shard import Shard
from icfast.errors import CorpusError
from icfast.parallel.mapped_file import MappedFile


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

    def sniff(self, path: Path, head: bytes) -> bool:
        """Return whether the first bytes or the name look like this format."""

    def open(self, file: MappedFile, options: ReadOptions) -> Shard:
        """Return the ids of a mapped file.

        Raises:
            CorpusError: the file does not follow the format.
        """


def itemsize(dtype: str) -> int:
    """Return the bytes of one id.

    >>> itemsize("u2"), itemsize("i4")
    (2, 4)
    """
    return int(dtype[1])


def map_file(path: Path) -> MappedFile:
    """Map a file of a corpus.

    Raises:
        CorpusError: the file can't be read, or is no regular file.
        ResourceError: too many files are open, or no address space is left.
    """
    try:
        return MappedFile.open(path, CorpusError)
    except OSError as error:
        raise CorpusError(
            f"cannot read {path}: {error.strerror}. Check its permissions."
        ) from error


def ids_in(file: MappedFile, dtype: str, count: int, offset: int = 0) -> NDArray[Any]:
    """Return `count` little-endian ids from byte `offset` of a file on, without copying them.

    Ids of dtype i4 are returned as u4: negative ids are then 2^31 or larger.
    """
    return file.array(np.dtype("<" + dtype.replace("i", "u")), count, offset)


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


def stated_ids(file: MappedFile, stated: int, dtype: str, offset: int, options: ReadOptions) -> int:
    """Return the number of ids after a header that states it. Another file size is a fault."""
    path, size = file.path, file.size
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
