"""Large arrays, mapped directly from the operating system and returned to it when dropped.

malloc keeps freed memory for later use, which would exceed a memory budget. Huge pages, if the
system grants them, save page faults that take as long as the scatter itself.
"""

from __future__ import annotations

import mmap
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from icfast.errors import ResourceError
from icfast.files import unnamed_file
from icfast.units import format_bytes

#: Minimum size of a mapped array: one huge page. Below it malloc is as good.
_LARGE_BYTES = 2 << 20


def zeros(shape: int | tuple[int, ...], dtype: DTypeLike) -> NDArray[Any]:
    """Return an array of zeros whose pages become resident when they are first touched."""
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    if size < _LARGE_BYTES:
        return np.zeros(shape, dtype)
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return np.frombuffer(memory, dtype).reshape(shape)


def spilled(shape: tuple[int, ...], dtype: DTypeLike, folder: Path) -> NDArray[Any]:
    """Return an array of zeros in an unnamed file, which is removed with the array.

    The space is allocated at once, so a disk that fills up later does no harm.

    Raises:
        ResourceError: the folder has too little space, or no file can be opened.
    """
    dtype = np.dtype(dtype)
    size = int(np.prod(shape)) * dtype.itemsize
    try:
        free = shutil.disk_usage(folder).free
        if size > free:
            raise ResourceError(
                f"cannot spill to {folder}: it takes {format_bytes(size)}, and "
                f"{format_bytes(free)} are free. {_INSTEAD}"
            )
        with unnamed_file(folder) as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, size)
            else:
                file.truncate(size)
            memory = mmap.mmap(file.fileno(), size)
    except OSError as error:
        raise ResourceError(
            f"cannot spill {format_bytes(size)} to {folder}: {error.strerror}. {_INSTEAD}"
        ) from error
    return np.frombuffer(memory, dtype).reshape(shape)


#: Advice for a count that cannot spill.
_INSTEAD = (
    "Free some space, pass another --temporary, or leave it out (icfast then reads the corpus more "
    "often). No file was left."
)


class Scratch:
    """Array that is reused, and replaced only to grow."""

    def __init__(self) -> None:
        self._words = zeros(0, np.uint64)

    def words(self, rows: int, columns: int) -> NDArray[np.uint64]:
        """Return u64[rows, columns] with arbitrary contents."""
        if rows * columns > len(self._words):
            self._words = zeros(
                0, np.uint64
            )  # returned to the system before the larger one is mapped
            self._words = zeros(rows * columns, np.uint64)
        return self._words[: rows * columns].reshape(rows, columns)


class ThreadScratch(threading.local):
    """Scratch arrays of each thread, for sorting."""

    def __init__(self) -> None:
        self.counts = Scratch()
        self.scratch = Scratch()
