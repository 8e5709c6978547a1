"""Arrays in the small files of a table: .npy, and .npz without compression.

A header states the size of its array. It is compared with the bytes that are there before memory is
allocated for it.
"""

from __future__ import annotations

import os
import zipfile
from typing import IO, Any

import numpy as np
from numpy.typing import NDArray

from icfast.corpus.npy_header import read_header


def read_array(file: IO[bytes], size: int, dtype: str) -> NDArray[Any]:
    """Return the one-dimensional array of this dtype that a .npy file holds.

    Args:
        file: the file, at its beginning.
        size: bytes of the file.
        dtype: dtype that its array must have, such as "<u4".

    Raises:
        ValueError: the file holds another array, or its size is not the one that it states.
    """
    shape, fortran_order, found = read_header(file)
    if found != np.dtype(dtype) or len(shape) != 1 or fortran_order:
        raise ValueError(f"it holds {found.str} of shape {shape}, not one row of {dtype}")
    left = size - file.tell()
    if shape[0] * found.itemsize != left:
        raise ValueError(f"its header states {shape[0]} numbers, but {left} bytes follow it")
    return np.frombuffer(bytearray(file.read(left)), dtype)


class StoredArrays:
    """Arrays by name in a .npz file that is not compressed.

    Raises:
        ValueError, zipfile.BadZipFile: the file is compressed, damaged, or states sizes that it
            does not have.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self._zip = zipfile.ZipFile(file)
        members = self._zip.infolist()
        if any(member.compress_type != zipfile.ZIP_STORED for member in members):
            raise ValueError("it is compressed")
        size = os.fstat(file.fileno()).st_size
        if any(m.file_size != m.compress_size for m in members) or size < sum(
            member.file_size for member in members
        ):
            raise ValueError("its members state sizes that the file does not have")

    def read(self, name: str, dtype: str) -> NDArray[Any]:
        """Return one array.

        Raises:
            KeyError: there is no array of this name.
            ValueError: it has another dtype or dimension, or another size than it states.
        """
        member = self._zip.getinfo(f"{name}.npy")
        with self._zip.open(member) as file:
            return read_array(file, member.file_size, dtype)
