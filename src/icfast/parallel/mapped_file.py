"""Files mapped into memory, and the proof that nobody changed them while they were read.

icfast opens a file once: what is read, hashed and compared is the same open file. If another
program cuts it, the system stops every read after its new end with the signal SIGBUS. The compiled
core answers the signal with zeros and a note (`csrc/include/icfast/mapping.hpp`), and the note
becomes an error here. A pure installation has no core, and such a read ends its process.
"""

from __future__ import annotations

import ctypes
import errno
import hashlib
import mmap
import os
import sys
import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property, wraps
from pathlib import Path
from typing import Any, ParamSpec, TypeVar

import numpy as np
from numpy.typing import DTypeLike, NDArray

from icfast.backends.select import mapped_bytes
from icfast.errors import IcfastError, ResourceError
from icfast.files import OpenedFile, open_regular
from icfast.units import format_bytes

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")

_NO_ROOM = {
    errno.EMFILE: "too many files are open. Raise the limit with `ulimit -n`",
    errno.ENFILE: "the machine has too many files open. Close other programs",
    errno.ENOMEM: "the address space is exhausted. Raise the limit with `ulimit -v`",
}
_COPY_BYTES = 1 << 24


@dataclass(frozen=True, eq=False)
class MappedFile:
    """A regular file, mapped read-only from its first byte to its last.

    Attributes:
        opened: what the system said of the file. If it is replaceable and another file takes its
            path, the mapping still shows the file that was opened.
    """

    opened: OpenedFile
    _content: Any = field(repr=False)

    @classmethod
    def open(cls, path: Path, error: type[IcfastError], *, replaceable: bool = False) -> MappedFile:
        """Map a file.

        Raises:
            IcfastError: the path is no regular file; of class `error`.
            OSError: the file is missing or may not be read.
            ResourceError: too many files are open, or no address space is left.
        """
        try:
            with open_regular(path, error) as file:
                opened = OpenedFile(path, error, os.fstat(file.fileno()), replaceable)
                return cls(opened, _map(file.fileno(), opened.size))
        except OSError as failure:
            if failure.errno in _NO_ROOM:
                raise ResourceError(f"cannot map {path}: {_NO_ROOM[failure.errno]}.") from failure
            raise
        except ValueError as failure:  # mmap compares the size again
            raise error(
                f"{path} shrank while it was opened. Run again when nothing writes to it."
            ) from failure

    def moved_to(self, path: Path) -> MappedFile:
        """Return the same mapping after the file was renamed."""
        return replace(self, opened=replace(self.opened, path=path))

    @property
    def size(self) -> int:
        """Bytes of the file when it was opened."""
        return self.opened.size

    @property
    def path(self) -> Path:
        """The file."""
        return self.opened.path

    @property
    def mapped_files(self) -> tuple[MappedFile, ...]:
        """The file itself, as functions that read files look for it."""
        return (self,)

    def array(self, dtype: DTypeLike, count: int, offset: int = 0) -> NDArray[Any]:
        """Return `count` items from byte `offset` on, without copying them."""
        if count == 0:  # an offset at the end of the file is refused
            return np.frombuffer(b"", dtype)
        return np.frombuffer(self._content, dtype, count, offset)

    def part(self, begin: int, end: int) -> bytes:
        """Return a copy of the bytes [begin, end), or of those that exist."""
        return bytes(memoryview(self._content)[max(begin, 0) : max(end, 0)])

    def whole(self, most: int) -> bytes:
        """Return a copy of all bytes.

        Raises:
            IcfastError: the file has more than `most` bytes; of the file's class.
        """
        if self.size > most:
            raise self.opened.error(
                f"{self.path} is too large: it has {format_bytes(self.size)}, and a file of this "
                f"kind has at most {format_bytes(most)}. Is it another file, or damaged?"
            )
        return self.part(0, self.size)

    def copy_to(self, path: Path) -> None:
        """Write the content that was mapped into another file."""
        content = memoryview(self._content)
        with path.open("wb") as file:
            for begin in range(0, self.size, _COPY_BYTES):
                file.write(bytes(content[begin : begin + _COPY_BYTES]))

    @cached_property
    def sha256(self) -> Any:
        """Hash object over the content that was mapped."""
        digest, content = hashlib.sha256(), memoryview(self._content)
        for begin in range(0, self.size, _COPY_BYTES):  # Ctrl-C waits for one part
            digest.update(content[begin : begin + _COPY_BYTES])
        return digest

    def check_readable(self) -> None:
        """Refuse what was read so far if a part of it could not be read.

        Raises:
            IcfastError: the file was cut, or its disk failed; of the file's class.
        """
        lost = getattr(self._content, "lost", None)
        if lost is None:  # a pure installation: before the next chunk is better than never
            self.opened.check_not_cut()
        elif lost >= 0:
            self.opened.check_not_cut()
            raise self.opened.error(
                f"{self.path} cannot be read from byte {lost} on: its disk or network failed, or "
                "it was cut and written again. Check the disk, and run again."
            )

    def check_unchanged(self) -> None:
        """Refuse what was read if the file changed since it was opened.

        Raises:
            IcfastError: the file was cut, replaced or written to; of the file's class.
        """
        self.check_readable()
        self.opened.check_unchanged()


def _map(descriptor: int, size: int) -> Any:
    """Return the first `size` bytes of an open file as a buffer."""
    if size == 0:  # the system refuses an empty mapping
        return b""
    guarded = mapped_bytes()
    if guarded is not None:
        return guarded(descriptor, size)
    if sys.version_info >= (3, 13):
        return mmap.mmap(descriptor, size, access=mmap.ACCESS_READ, trackfd=False)
    return _map_by_hand(descriptor, size)


def _map_by_hand(descriptor: int, size: int) -> memoryview:
    """Map a file as `mmap` does, but keep no descriptor: thousands of shards would exhaust them."""
    system = ctypes.CDLL(None, use_errno=True)
    system.mmap.restype = ctypes.c_void_p
    system.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]
    system.munmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    if os.fstat(descriptor).st_size < size:
        raise ValueError("mmap length is greater than file size")
    address = system.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, descriptor, 0)
    if address in (None, ctypes.c_void_p(-1).value):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    content = (ctypes.c_ubyte * size).from_address(address)
    # The process unmaps everything at its end, when arrays may still be in use.
    weakref.finalize(content, system.munmap, address, size).atexit = False
    return memoryview(content).toreadonly()


@contextmanager
def unchanged(files: Iterable[MappedFile]) -> Iterator[None]:
    """Refuse the result of the block, and explain its failure, if a file changed.

    Raises:
        IcfastError: a file changed after it was opened; of the file's class.
    """
    files = list(files)
    try:
        yield
    except Exception:
        for file in files:  # zeros in the place of lost ids cause other errors
            file.check_unchanged()
        raise
    for file in files:
        file.check_unchanged()


def refuses_changes(function: Callable[Parameters, Result]) -> Callable[Parameters, Result]:
    """Decorate a function that reads files: its result is refused if one of them changed.

    The files are the `mapped_files` of its arguments.
    """

    @wraps(function)
    def reading(*arguments: Parameters.args, **options: Parameters.kwargs) -> Result:
        given = (*arguments, *options.values())
        with unchanged(file for value in given for file in getattr(value, "mapped_files", ())):
            return function(*arguments, **options)

    return reading
