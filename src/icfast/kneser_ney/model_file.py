"""Model files: named arrays in one memory-mapped file, with a description and checksums.

Layout, little-endian, version 2::

    0       magic "ICFMODEL", u32 version, u32 zero
    ...     arrays, each at a multiple of 64 bytes
    footer  JSON: {"about": {...}, "arrays": {name: {dtype, shape, offset, crc32}}}
    end     u64 footer offset, u32 footer bytes, u32 CRC-32 of the footer, magic "ICFMODEL"

The end is written last, so a truncated file does not have it.
"""

from __future__ import annotations

import errno
import json
import math
import mmap
import os
import struct
import zlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from icfast.errors import ArtefactError, ResourceError
from icfast.files import Output, unnamed_file
from icfast.parallel.mapped_file import MappedFile, refuses_changes
from icfast.parallel.threads import thread_pool
from icfast.units import format_bytes

_MAGIC = b"ICFMODEL"
_VERSION = 2
_START = struct.Struct("<8sII")
_END = struct.Struct("<QII8s")
_ALIGN = 64
_CHECK_BYTES = 1 << 24
_CHECK_THREADS = 4
#: Maximum size of the description: the records of more than a million shards.
_MOST_FOOTER_BYTES = 256 << 20
#: Maximum number of dimensions of an array.
_MOST_DIMENSIONS = 3
#: Dtypes that arrays may have.
_DTYPES = {name: np.dtype(name) for name in ("<u4", "<u8", "<i8")}

Arrays = dict[str, NDArray[Any]]


def model_output(path: Path) -> Output:
    """Return a model file as an output of a command."""
    return Output(path, "a model", is_model_file)


def is_model_file(path: Path) -> bool:
    """Return whether a file begins as a model does, full or compressed."""
    with path.open("rb") as file:
        return file.read(len(_MAGIC)) == _MAGIC


class ModelFileWriter:
    """Writer of a new model file. Its arrays are memory-mapped and filled in place."""

    def __init__(self, path: Path, layout: Mapping[str, tuple[DTypeLike, tuple[int, ...]]]) -> None:
        """Reserve disk space for zeroed arrays of these dtypes and shapes.

        Raises:
            ResourceError: the disk is too full.
        """
        self._path = path
        self._entries: dict[str, dict[str, Any]] = {}
        offset = _START.size
        for name, (dtype, shape) in layout.items():
            offset += -offset % _ALIGN
            little = np.dtype(dtype).newbyteorder("<")
            self._entries[name] = {"dtype": little.str, "shape": list(shape), "offset": offset}
            offset += little.itemsize * math.prod(shape)
        self._footer_offset = offset
        # Reserve the space now: on a full disk a write to mapped memory would crash the process.
        with path.open("wb") as file:
            _reserve(file.fileno(), offset, path.parent)
            file.write(_START.pack(_MAGIC, _VERSION, 0))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), offset)

    @property
    def arrays(self) -> Arrays:
        """Writable arrays by name."""
        return {name: _view(self._map, entry) for name, entry in self._entries.items()}

    def finish(self, about: Mapping[str, Any]) -> None:
        """Write the checksums and the description, which completes the file."""
        checksums = _checksums(_view(self._map, entry) for entry in self._entries.values())
        for entry, checksum in zip(self._entries.values(), checksums, strict=True):
            entry["crc32"] = checksum
        self._map.flush()
        footer = json.dumps({"about": about, "arrays": self._entries}).encode()
        with self._path.open("r+b") as file:
            file.seek(self._footer_offset)
            file.write(footer)
            file.write(_END.pack(self._footer_offset, len(footer), zlib.crc32(footer), _MAGIC))


def scratch(folder: Path, dtype: DTypeLike, size: int) -> NDArray[Any]:
    """Return a zeroed array in an unnamed file of this folder, deleted with the array.

    Raises:
        ResourceError: the disk is too full.
    """
    size_bytes = max(1, size * np.dtype(dtype).itemsize)
    with unnamed_file(folder) as file:
        _reserve(file.fileno(), size_bytes, folder)
        return np.frombuffer(mmap.mmap(file.fileno(), size_bytes), dtype, size)


def _reserve(descriptor: int, size_bytes: int, folder: Path) -> None:
    try:
        os.posix_fallocate(descriptor, 0, size_bytes)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EFBIG, errno.EDQUOT):
            raise
        raise ResourceError(
            f"the model needs {format_bytes(size_bytes)} in {folder}, but the disk is too full. "
            "Free some space or choose another folder."
        ) from error


def open_model_file(path: Path) -> MappedFile:
    """Map a model file.

    Raises:
        ArtefactError: the file is empty or can't be read.
        ResourceError: too many files are open, or no address space is left.
    """
    try:
        file = MappedFile.open(path, ArtefactError, replaceable=True)
    except OSError as error:
        raise ArtefactError(f"the model file {path} can't be read: {error.strerror}") from error
    if not file.size:
        raise ArtefactError(
            f"{path} is not a model file: it is empty. Pass a file that icfast fit wrote."
        )
    return file


@refuses_changes
def read_model_file(file: MappedFile) -> tuple[dict[str, Any], Arrays]:
    """Return (description, arrays) of a model file.

    The arrays are read-only and memory-mapped, and their checksums are verified.

    Raises:
        ArtefactError: the file is not a model, has another version, is truncated or damaged.
    """
    about, entries, end = _read_footer(file)
    _check_layout(file, entries, end)
    arrays = {name: _mapped(file, entry) for name, entry in entries.items()}
    for name, checksum in zip(arrays, _checksums(arrays.values()), strict=True):
        if checksum != entries[name].get("crc32"):
            raise damaged(file.path, f"the checksum of its array {name!r} is wrong")
    return about, arrays


def _mapped(file: MappedFile, entry: Mapping[str, Any]) -> NDArray[Any]:
    shape = tuple(entry["shape"])
    return file.array(entry["dtype"], math.prod(shape), entry["offset"]).reshape(shape)


def _read_footer(file: MappedFile) -> tuple[dict[str, Any], dict[str, Any], int]:
    """Return (description, entry of each array, offset where the arrays end)."""
    path = file.path
    if file.size < _START.size + _END.size or file.part(0, 8) != _MAGIC:
        raise ArtefactError(
            f"{path} is not a model file: it does not begin with {_MAGIC!r}. "
            "Pass a file that icfast fit or icfast compress wrote."
        )
    _, version, zero = _START.unpack(file.part(0, _START.size))
    if version != _VERSION:
        raise ArtefactError(
            f"{path} is a model file of version {version}, but this icfast reads version "
            f"{_VERSION}. Fit the model again."
        )
    offset, size, checksum, magic = _END.unpack(file.part(file.size - _END.size, file.size))
    if magic != _MAGIC or zero != 0 or offset + size + _END.size != file.size:
        raise damaged(path, "its end is missing, so it was truncated")
    if size > _MOST_FOOTER_BYTES:
        raise damaged(path, f"its description has {format_bytes(size)}")
    footer = file.part(offset, offset + size)
    if zlib.crc32(footer) != checksum:
        raise damaged(path, "the checksum of its description is wrong")
    try:
        stored = json.loads(footer)
        about, entries = stored["about"], stored["arrays"]
        if not isinstance(about, dict) or not isinstance(entries, dict):
            raise TypeError("not two dictionaries")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise damaged(path, f"its description can't be read ({error})") from error
    return about, entries, offset


def _check_layout(file: MappedFile, entries: Mapping[str, Mapping[str, Any]], end: int) -> None:
    """Check that the arrays follow each other as they were written, with zeros between them."""
    path, at = file.path, _START.size
    for name, entry in entries.items():
        try:
            dtype, shape, offset = _DTYPES[entry["dtype"]], entry["shape"], entry["offset"]
            sound = len(shape) <= _MOST_DIMENSIONS
            sound = sound and all(type(n) is int and 0 <= n <= end for n in [*shape, offset])
        except (KeyError, TypeError) as error:
            raise damaged(path, f"the description of its array {name!r} lacks {error}") from error
        first = at + -at % _ALIGN
        if not sound or offset != first or any(file.part(at, first)):
            raise damaged(path, f"its array {name!r} is not at its expected offset")
        at = first + dtype.itemsize * math.prod(shape)
        if at > end:
            raise damaged(path, f"its array {name!r} exceeds the arrays' part of the file")
    if at != end:
        raise damaged(path, "there is data after its last array")


def _view(mapped: mmap.mmap, entry: Mapping[str, Any]) -> NDArray[Any]:
    shape = tuple(entry["shape"])
    count = math.prod(shape)
    return np.frombuffer(mapped, entry["dtype"], count, entry["offset"]).reshape(shape)


def _checksums(arrays: Iterable[NDArray[Any]]) -> list[int]:
    """Return the CRC-32 of each array, computed on several threads (zlib releases the GIL)."""
    with thread_pool(_CHECK_THREADS) as pool:
        return list(pool.map(_crc32, arrays))


def _crc32(array: NDArray[Any]) -> int:
    data, checksum = array.reshape(-1).view(np.uint8), 0
    for begin in range(0, len(data), _CHECK_BYTES):
        checksum = zlib.crc32(data[begin : begin + _CHECK_BYTES].data, checksum)
    return checksum


def damaged(path: Path, why: str) -> ArtefactError:
    """Return the error for a damaged model file."""
    return ArtefactError(f"{path} is damaged: {why}. Fit the model again.")
