"""Large working arrays, straight from the system: given back to it the moment they are dropped.

malloc keeps freed blocks for later, which would break a memory cap; and huge pages, where the
system grants them, save the page faults that otherwise cost as much as the scatter itself.
"""

from __future__ import annotations

import mmap
import threading
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

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
