"""Rows of a matrix in runs of one stride, and handed to threads. Kernels release the GIL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice, pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray


class Rows:
    """The rows of an array of any leading axes, in their order; nothing is copied.

    >>> rows = Rows(np.arange(24.0).reshape(2, 3, 4)[:, :2])
    >>> [(begin, run[:, 0].tolist()) for begin, run in rows.runs(1, 4)]
    [(1, [4.0]), (2, [12.0, 16.0])]
    """

    def __init__(self, values: NDArray[Any]) -> None:
        columns = values.shape[-1]
        self.count = int(np.prod(values.shape[:-1], dtype=np.int64))
        axes: list[tuple[int, int]] = []
        for size, stride in zip(values.shape[:-1], values.strides[:-1], strict=True):
            if size == 1:
                continue
            if axes and axes[-1][1] == size * stride:
                axes[-1] = (axes[-1][0] * size, stride)
            else:
                axes.append((size, stride))
        sizes, strides = zip(*(axes or [(self.count, values.itemsize * columns)]), strict=True)
        self._values = as_strided(
            values, (*sizes, columns), (*strides, values.itemsize), writeable=False
        )

    def runs(self, begin: int, end: int) -> Iterator[tuple[int, NDArray[Any]]]:
        """Rows [begin, end) as matrices, each with the number of its first row."""
        *outer, length, _ = self._values.shape
        while begin < end:
            at, first = divmod(begin, length)
            stop = min(end - begin + first, length)
            yield begin, self._values[np.unravel_index(at, outer)][first:stop]
            begin += stop - first

    def blocks(self, begin: int, end: int, most: int) -> Iterator[tuple[int, NDArray[Any]]]:
        """The same, for callers to whom a run costs much: gathered where runs are many.

        Args:
            most: rows that are copied at a time.
        """
        if len(runs := [*islice(self.runs(begin, end), 2)]) < 2:
            yield from runs
            return
        for first in range(begin, end, most):
            yield (
                first,
                np.concatenate([run for _, run in self.runs(first, min(first + most, end))]),
            )


def side_by_side(work: Callable[[int, int], None], rows: int, threads: int) -> None:
    """work(begin, end) on equal parts of the rows, the first of them in this thread."""
    if threads == 1:
        work(0, rows)
        return
    bounds = [rows * part // threads for part in range(threads + 1)]
    with ThreadPoolExecutor(threads - 1, thread_name_prefix="icfast") as executor:
        others = [executor.submit(work, begin, end) for begin, end in pairwise(bounds[1:])]
        work(0, bounds[1])
        for other in others:
            other.result()
