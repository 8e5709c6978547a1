"""Real .npy files: one 1-D array of ids behind NumPy's header. Nothing is ever unpickled.

OLMo and dolma give the name .npy to headerless files; those are refused with the way to read them.
"""

from __future__ import annotations

import tokenize
from pathlib import Path
from typing import Any

import numpy as np
from numpy.lib import format as npy_format

from icfast.corpus.reader import (
    ReadOptions,
    itemsize,
    map_array,
    refuse_other_dtype,
    starts_with,
    stated_ids,
)
from icfast.corpus.shard import Shard
from icfast.errors import CorpusError

# Version 3.0 differs only in non-ASCII field names, which arrays of ids do not have.
_READ_HEADER = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
}

#: What NumPy lets through when a header is not a literal (it then tries Python 2's by tokenising),
#: or one that is nested too deep, or has keys that can't be.
_BAD_HEADER = (
    ValueError,
    SyntaxError,
    TypeError,
    MemoryError,
    RecursionError,
    tokenize.TokenError,
)


class Npy:
    """NumPy's own file of one array."""

    name = "npy"
    magics: tuple[bytes, ...] = (b"\x93NUMPY",)

    def sniff(self, path: Path) -> bool:
        """Whether it begins with NumPy's magic, or is called .npy."""
        return path.suffix == ".npy" or starts_with(path, self.magics)

    def open(self, path: Path, options: ReadOptions) -> Shard:
        """Map the array behind the header.

        Raises:
            CorpusError: headerless, not 1-D, cut short, or not ids of dtype u1, u2, u4 or i4.
        """
        if not starts_with(path, self.magics):
            raise CorpusError(
                f"{path} has no NumPy header; OLMo and dolma call headerless files .npy: read it "
                "with --format raw --dtype u2 (format='raw', dtype='u2')"
            )
        stated, dtype, offset = _header(path)
        refuse_other_dtype(path, dtype, options)
        count = stated_ids(path, stated, dtype, offset, options)
        tokens = map_array(path, dtype, count, offset)
        return Shard(path, self.name, tokens, (path,), signed=dtype == "i4")


def _header(path: Path) -> tuple[int, str, int]:
    """(number of ids, their dtype, byte where they begin)."""
    with path.open("rb") as file:
        try:
            version = npy_format.read_magic(file)
            if version not in _READ_HEADER:
                raise ValueError(f"header version {version} is not for plain arrays")
            shape, fortran_order, dtype = _READ_HEADER[version](file)
        except _BAD_HEADER as error:
            raise CorpusError(f"{path}: its NumPy header can't be read: {error}") from error
        offset = file.tell()
    name = _id_dtype(path, dtype)
    if len(shape) != 1 or fortran_order:
        order = "Fortran" if fortran_order else "C"
        raise CorpusError(
            f"{path} holds an array of shape {shape} in {order} order, expected one dimension; "
            "save it again with numpy.save(file, array.ravel())"
        )
    if offset % itemsize(name):
        raise CorpusError(f"{path}: its ids begin at odd byte {offset}; save it with numpy.save")
    return shape[0], name, offset


def _id_dtype(path: Path, dtype: np.dtype[Any]) -> str:
    name = f"{dtype.kind}{dtype.itemsize}"
    if name in ("u1", "u2", "u4", "i4") and dtype.newbyteorder("<") == dtype:
        return name
    found = dtype.name if dtype.isnative else dtype.str
    raise CorpusError(
        f"{path} holds {found} values, expected little-endian ids of dtype u1, u2, u4 or "
        "non-negative i4 (no vocabulary needs 8 bytes an id); save it again with "
        "numpy.save(file, array.astype('<u4'))"
    )
