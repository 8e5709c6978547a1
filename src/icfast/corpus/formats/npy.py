"""Files .npy of NumPy: a header and a 1-D array of ids. icfast never unpickles.

OLMo and dolma use the suffix .npy for headerless files. Those are refused, with advice on how to
read them.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from icfast.corpus.npy_header import read_header
from icfast.corpus.reader import (
    ReadOptions,
    ids_in,
    itemsize,
    refuse_other_dtype,
    stated_ids,
)
from icfast.corpus.shard import Shard
from icfast.errors import CorpusError
from icfast.parallel.mapped_file import MappedFile

_MAGIC_BYTES = 6
#: NumPy refuses headers beyond 10 kB, and a plain array's is below 200 bytes.
_HEADER_BYTES = 1 << 16


class Npy:
    """Format of one array that `numpy.save` wrote."""

    name = "npy"
    magics: tuple[bytes, ...] = (b"\x93NUMPY",)

    def sniff(self, path: Path, head: bytes) -> bool:
        """Return whether the file begins with NumPy's magic, or its name ends in .npy."""
        return path.suffix == ".npy" or head.startswith(self.magics)

    def open(self, file: MappedFile, options: ReadOptions) -> Shard:
        """Return the ids of the array after the header.

        Raises:
            CorpusError: the file has no header, is truncated, or its array is not 1-D or not of
                dtype u1, u2, u4 or i4.
        """
        path = file.path
        if not file.part(0, _MAGIC_BYTES).startswith(self.magics):
            raise CorpusError(
                f"{path} has no NumPy header. OLMo and dolma name headerless files .npy: read them "
                "with --format raw --dtype u2 (format='raw', dtype='u2')."
            )
        stated, dtype, offset = _header(file)
        refuse_other_dtype(path, dtype, options)
        count = stated_ids(file, stated, dtype, offset, options)
        tokens = ids_in(file, dtype, count, offset)
        return Shard(path, self.name, tokens, (file,), signed=dtype == "i4")


def _header(file: MappedFile) -> tuple[int, str, int]:
    """Return the number of ids, their dtype, and the byte where they begin."""
    path, header = file.path, io.BytesIO(file.part(0, _HEADER_BYTES))
    try:
        shape, fortran_order, dtype = read_header(header)
    except ValueError as error:
        raise CorpusError(
            f"{path}: its NumPy header can't be read: {error}. Save the array again."
        ) from error
    offset = header.tell()
    name = _id_dtype(path, dtype)
    _check_shape(path, shape, fortran_order)
    if offset % itemsize(name):
        raise CorpusError(
            f"{path}: its ids begin at byte {offset}, which is not aligned. "
            "Save it with numpy.save."
        )
    return shape[0], name, offset


def _check_shape(path: Path, shape: tuple[int, ...], fortran_order: bool) -> None:
    if len(shape) != 1:  # for one dimension both orders are the same
        order = "Fortran" if fortran_order else "C"
        raise CorpusError(
            f"{path} holds an array of shape {shape} in {order} order, expected one dimension. "
            "Save it again with numpy.save(file, array.ravel())."
        )


def _id_dtype(path: Path, dtype: np.dtype[Any]) -> str:
    name = f"{dtype.kind}{dtype.itemsize}"
    if name in ("u1", "u2", "u4", "i4") and dtype.newbyteorder("<") == dtype:
        return name
    found = dtype.name if dtype.isnative else dtype.str
    raise CorpusError(
        f"{path} holds {found} values, expected little-endian ids of dtype u1, u2, u4 or "
        "non-negative i4 (no vocabulary needs 8 bytes per id). Save it again with "
        "numpy.save(file, array.astype('<u4'))."
    )
