"""Header of a GGUF file: metadata and the table of its tensors, read in one pass.

The layout is defined at https://github.com/ggml-org/ggml/blob/master/docs/gguf.md. The reader of
the package `gguf` makes several arrays for every string, which takes seconds for a vocabulary; this
one takes milliseconds.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from mmap import mmap
from typing import Any

import numpy as np

#: Codes of the types of metadata: a format of `struct` and a dtype of numpy.
SCALARS = {
    0: ("B", np.uint8), 1: ("b", np.int8), 2: ("H", np.uint16), 3: ("h", np.int16),
    4: ("I", np.uint32), 5: ("i", np.int32), 6: ("f", np.float32), 7: ("?", np.bool_),
    10: ("Q", np.uint64), 11: ("q", np.int64), 12: ("d", np.float64),
}  # fmt: skip
STRING = 8
ARRAY = 9

_MAGIC_BYTES = 4
_VERSIONS = (2, 3)
_UINT64 = struct.Struct("<Q")
_ALIGNMENT = "general.alignment"


class DamagedHeaderError(ValueError):
    """A header that does not follow the layout."""


@dataclass(frozen=True)
class Field:
    """One metadata key.

    Attributes:
        type: code of the value's type.
        item_type: code of the type of an array's items, None if the value is no array.
        value: number, bool or string, or a list of them.
    """

    type: int
    item_type: int | None
    value: Any


@dataclass(frozen=True)
class TensorEntry:
    """One row of the table of tensors.

    Attributes:
        name: name of the tensor.
        shape: sizes, the fastest-changing dimension first.
        type: code of the storage type.
        offset: first byte, counted from `Header.data_offset`.
    """

    name: str
    shape: tuple[int, ...]
    type: int
    offset: int

    @property
    def parameters(self) -> int:
        """Number of elements."""
        return math.prod(self.shape)


@dataclass(frozen=True)
class Header:
    """Metadata by key, the table of tensors, and the position of the first tensor."""

    fields: dict[str, Field]
    tensors: tuple[TensorEntry, ...]
    data_offset: int


def read_header(data: mmap) -> Header:
    """Return the header of a mapped GGUF file.

    Raises:
        DamagedHeaderError: the file ends inside its header, or a value is not allowed there.
    """
    cursor = _Cursor(data)
    version = cursor.number("I")
    if version & 0xFFFF == 0:
        raise DamagedHeaderError("it is big-endian; convert it with gguf-convert-endian")
    if version not in _VERSIONS:
        raise DamagedHeaderError(f"version {version}; icfast reads versions 2 and 3")
    tensors, keys = cursor.number("Q"), cursor.number("Q")
    fields: dict[str, Field] = {}
    for _ in range(keys):
        name = cursor.text()
        if name in fields:
            raise DamagedHeaderError(f"the key {name} occurs twice")
        fields[name] = _field(cursor, name)
    table = tuple(_entry(cursor) for _ in range(tensors))
    names = {entry.name for entry in table}
    if len(names) < len(table):
        raise DamagedHeaderError("two tensors have the same name")
    alignment = _alignment(fields)
    return Header(fields, table, -(-cursor.at // alignment) * alignment)


def _field(cursor: _Cursor, name: str) -> Field:
    kind = cursor.number("I")
    if kind in SCALARS:
        return Field(kind, None, cursor.number(SCALARS[kind][0]))
    if kind == STRING:
        return Field(kind, None, cursor.text())
    if kind != ARRAY:
        raise DamagedHeaderError(f"the key {name} has the unknown type {kind}")
    item, count = cursor.number("I"), cursor.number("Q")
    if item in SCALARS:
        return Field(kind, item, cursor.numbers(SCALARS[item][1], count))
    if item == STRING:
        return Field(kind, item, cursor.texts(count))
    raise DamagedHeaderError(f"the key {name} is an array of the unknown type {item}")


def _entry(cursor: _Cursor) -> TensorEntry:
    name, dimensions = cursor.text(), cursor.number("I")
    shape = tuple(cursor.numbers(np.uint64, dimensions))
    return TensorEntry(name, shape, cursor.number("I"), cursor.number("Q"))


def _alignment(fields: dict[str, Field]) -> int:
    found = fields.get(_ALIGNMENT, Field(4, None, 32))
    if found.type != 4 or found.value.bit_count() != 1:
        raise DamagedHeaderError(f"{_ALIGNMENT} is {found.value}; expected a power of 2")
    return int(found.value)


class _Cursor:
    """A position in the file that never passes its end."""

    def __init__(self, data: mmap) -> None:
        self.data = data
        self.at = _MAGIC_BYTES

    def number(self, code: str) -> Any:
        """Return one number of a format of `struct`."""
        layout = struct.Struct("<" + code)
        (found,) = layout.unpack_from(self.data, self._advance(layout.size))
        return found

    def numbers(self, dtype: type[np.generic], count: int) -> list[Any]:
        """Return numbers of a dtype."""
        little = np.dtype(dtype).newbyteorder("<")
        start = self._advance(count * little.itemsize)
        return np.frombuffer(self.data, little, count, start).tolist() if count else []

    def text(self) -> str:
        """Return one string."""
        size = self.number("Q")
        start = self._advance(size)
        return self._decoded(start, start + size)

    def texts(self, count: int) -> list[str]:
        """Return strings; this loop runs once for every token and merge of a vocabulary."""
        read, data, start = _UINT64.unpack_from, self.data, self.at
        found = []
        try:
            for _ in range(count):
                start = self.at + 8
                self.at = start + read(data, self.at)[0]
                found.append(data[start : self.at].decode())
        except (struct.error, UnicodeDecodeError, OverflowError) as error:
            raise DamagedHeaderError(f"the text at byte {start} is not readable") from error
        self._advance(0)  # the last string may pass the end
        return found

    def _decoded(self, start: int, stop: int) -> str:
        try:
            return self.data[start:stop].decode()
        except UnicodeDecodeError as error:
            raise DamagedHeaderError(f"the text at byte {start} is not UTF-8") from error

    def _advance(self, size: int) -> int:
        """Return the present position and move on."""
        start = self.at
        if size > len(self.data) - start:
            raise DamagedHeaderError(
                f"it ends at byte {len(self.data)}, inside its header (byte {start})"
            )
        self.at = start + size
        return start
