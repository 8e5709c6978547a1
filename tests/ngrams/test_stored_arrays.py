"""Sizes that a table's arrays state are compared with their files before memory is allocated."""

from __future__ import annotations

import io
import struct
import tracemalloc
import zipfile
from pathlib import Path

import numpy as np
import pytest

from icfast.ngrams.stored_arrays import StoredArrays, read_array


def header(shape: tuple[int, ...], dtype: str = "<u8") -> bytes:
    """Return the header of an array, as numpy.save writes it."""
    file = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        file, {"descr": dtype, "fortran_order": False, "shape": shape}
    )
    return file.getvalue()


def read(content: bytes) -> np.ndarray:
    return read_array(io.BytesIO(content), len(content), "<u8")


def test_an_array_is_read() -> None:
    array = np.arange(5, dtype="<u8")
    file = io.BytesIO()
    np.save(file, array)
    found = read(file.getvalue())
    assert found.tolist() == array.tolist()
    found[0] = 7  # as arrays of numpy.load, it may be changed


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (header((1 << 40,)) + bytes(40), "states 1099511627776 numbers, but 40 bytes follow"),
        (header((4,)) + bytes(40), "states 4 numbers, but 40 bytes follow"),
        (header((1 << 40, 0)), "not one row of <u8"),
        (header((5,), "<f8") + bytes(40), "it holds <f8 of shape"),
        (header((5,), "|O") + bytes(40), "it holds |O of shape"),
        (b"\x93NUMPY\x02\x00" + struct.pack("<I", 1 << 31) + bytes(99), "states 2147483648 bytes"),
        (b"\x93NUMPY\x09\x00", "header version"),
        (b"no array", "magic string is not correct"),
    ],
)
def test_another_size_than_stated_is_refused(content: bytes, message: str) -> None:
    tracemalloc.start()
    try:
        with pytest.raises(ValueError, match=message.replace("|", r"\|")):
            read(content)
        assert tracemalloc.get_traced_memory()[1] < 1 << 20
    finally:
        tracemalloc.stop()


def test_members_that_state_more_than_the_file_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, a=np.zeros(3, "<u8"))
    whole = path.read_bytes()
    size = len(header((3,))) + 24
    path.write_bytes(whole.replace(struct.pack("<I", size), struct.pack("<I", 1 << 31)))
    with path.open("rb") as file, pytest.raises(ValueError, match="that the file does not"):
        StoredArrays(file)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as stored:
        stored.writestr("a.npy", header((1 << 20,)) + bytes(8 << 20))
    with path.open("rb") as file, pytest.raises(ValueError, match="it is compressed"):
        StoredArrays(file)
