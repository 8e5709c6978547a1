"""Headers of .npy files: read them without believing the length that they state."""

from __future__ import annotations

import io
import tokenize
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy_format

# Version 3.0 only adds non-ASCII field names, which arrays of numbers do not have.
_READ_HEADER = {
    (1, 0): npy_format.read_array_header_1_0,
    (2, 0): npy_format.read_array_header_2_0,
}
#: Bytes that hold the length of a header.
_LENGTH_BYTES = {(1, 0): 2, (2, 0): 4}

#: Maximum length of a header. numpy.save writes 118 bytes for an array of numbers.
_MOST_BYTES = 10_000

#: Exceptions of NumPy's header parser. It tokenises a header that is not a literal, as if Python 2
#: had written it, and does not check nesting depth or key types.
_BAD_HEADER = (
    SyntaxError,
    TypeError,
    MemoryError,
    RecursionError,
    tokenize.TokenError,
)


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    """Return (shape, Fortran order, dtype), and leave the file where the array begins.

    Raises:
        ValueError: the file does not begin with the header of a plain array.
    """
    try:
        version = npy_format.read_magic(file)
        if version not in _READ_HEADER:
            raise ValueError(f"header version {version} is not for plain arrays")
        stated = file.read(_LENGTH_BYTES[version])
        length = int.from_bytes(stated, "little")
        if length > _MOST_BYTES:
            raise ValueError(f"its header states {length} bytes; at most {_MOST_BYTES} are read")
        return _READ_HEADER[version](io.BytesIO(stated + file.read(length)))
    except _BAD_HEADER as error:
        raise ValueError(str(error)) from error
