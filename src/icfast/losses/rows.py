"""Rows of an array as matrices of one stride, and their distribution among threads."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import islice, pairwise
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from icfast.parallel.threads import thread_pool


class Rows:
    """The rows of an array with any leading axes, in order, without a copy.

    Attributes:
        count: number of rows.

    >>> rows = Rows(np.arange(24.0).reshape(2, 3, 4)[:, :2])
    >>> [(first, matrix[:, 0].tolist()) for first, matrix in rows.matrices(1, 4)]
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

    def matrices(self, begin: int, end: int) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield rows [begin, end) as matrices of one row stride, each with its first row number."""
        *outer, length, _ = self._values.shape
        while begin < end:
            at, first = divmod(begin, length)
            stop = min(end - begin + first, length)
            yield begin, self._values[np.unravel_index(at, outer)][first:stop]
            begin += stop - first

    def blocks(self, begin: int, end: int, most: int) -> Iterator[tuple[int, NDArray[Any]]]:
        """Yield the rows as few matrices: copy `most` rows at a time if no one stride fits all."""
        if len(found := [*islice(self.matrices(begin, end), 2)]) < 2:
            yield from found
            return
        for first in range(begin, end, most):
            here = self.matrices(first, min(first + most, end))
            yield first, np.concatenate([matrix for _, matrix in here])


def split_rows(work: Callable[[int, int], None], rows: int, threads: int) -> None:
    """Call work(begin, end) on equal ranges of the rows, the first range in this thread.

    Kernels release the GIL, so the ranges run in parallel.
    """
    if threads == 1:
        work(0, rows)
        return
    bounds = [rows * part // threads for part in range(threads + 1)]
    with thread_pool(threads - 1) as executor:
        others = [executor.submit(work, begin, end) for begin, end in pairwise(bounds[1:])]
        work(0, bounds[1])
        for other in others:
            other.result()
