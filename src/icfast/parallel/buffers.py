"""Large working arrays, straight from the system: given back to it the moment they are dropped.

malloc keeps freed blocks for later, which would break a memory cap; and huge pages, where the
system grants them, save the page faults that otherwise cost as much as the scatter itself.
"""

from __future__ import annotations

import mmap
import os
import shutil
import tempfile
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from icfast.errors import ResourceError
from icfast.units import format_bytes

#: Below this malloc is as good; the size of one huge page.
_LARGE_BYTES = 2 << 20


def zeros(shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """An array of zeros whose memory is resident only where it was touched."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    if size < _LARGE_BYTES:
        return np.zeros(shape, dtype)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype).reshape(shape)


def spilled(shape: tuple[int, ...], dtype: DTypeLike, folder: Path) -> NDArray[Any]:
    """An array of zeros in one file without a name, which is gone when the array is.

    Its blocks are taken beforehand: a disk that is full later can't hurt.

    Raises:
        ResourceError: the folder can't hold the file, or no file can be opened.
    """
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    try:
        free = shutil.disk_usage(folder).free
        if size > free:
            raise ResourceError(
                f"cannot spill to {folder}: it takes {format_bytes(size)}, and "
                f"{format_bytes(free)} are free; {_INSTEAD}"
            )
        with tempfile.TemporaryFile(dir=folder) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            memory = mmap.mmap(file.fileno(), size)
    except OSError as error:
        raise ResourceError(
            f"cannot spill {format_bytes(size)} to {folder}: {error.strerror}; {_INSTEAD}"
        ) from error
    return np.frombuffer(memory, dtype).reshape(shape)


#: What to do where a count can't spill.
_INSTEAD = (
    "free some space, choose another temporary folder, or none (the corpus is then read more "
    "often); nothing was left behind"
)


class Room:
    """One array used again and again, made anew only to grow."""

    def __init__(self) -> None:
        self._words = zeros(0, np.uint64)

    def words(self, rows: int, columns: int) -> NDArray[np.uint64]:
        """u64[rows, columns], holding anything."""
        if rows * columns > len(self._words):
            self._words = zeros(0, np.uint64)  # given back before the larger one is taken
            self._words = zeros(rows * columns, np.uint64)
        return self._words[: rows * columns].reshape(rows, columns)


class ThreadRooms(threading.local):
    """What each thread sorts in."""

    def __init__(self) -> None:
        self.counts = Room()
        self.scratch = Room()
