"""Sorted runs on disk: a file of checksummed blocks of (key, count) entries.

A block is a unit of storage: what one checksum covers.

Layout, little-endian, version 1. Every block and the header start at a multiple of 8 bytes::

    header   magic "ICFRUN\\x00\\x01", u32 order, u32 bits, u32 words W, u32 CRC-32 of the 20 before
    block    "BLK1", u32 leads L, u64 entries E, u32 count width c, u32 CRC-32, u64 payload bytes
             payload: u64 entries[L] per lead, u64 keys[E, W], u32 leads[L], cE bytes of counts,
             zeros to a multiple of 8
    ...      until the end of the file

c is 1, 2, 4 or 8, the minimum for the counts of the block. The CRC-32 of a block covers its header
with that field zero, then its payload. Keys ascend within a lead, and leads within a file. A lead
may continue in the next block.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import SortedRun
from icfast.errors import ArtefactError
from icfast.ngrams.keys import KeyShape
from icfast.ngrams.sorted_runs import slice_run, split_run
from icfast.parallel.mapped_file import MappedFile

_MAGIC = b"ICFRUN\x00\x01"
_HEADER = struct.Struct("<8sIII")
_BLOCK = struct.Struct("<4sIQIIQ")
_MARK = b"BLK1"

#: Entries of one block: 2 MiB of one-word keys.
_BLOCK_ENTRIES = 1 << 18


def write_header(file: BinaryIO, shape: KeyShape) -> None:
    """Write the header of a run file."""
    header = _HEADER.pack(_MAGIC, shape.order, shape.bits, shape.words)
    file.write(header + struct.pack("<I", zlib.crc32(header)))


def pack_blocks(run: SortedRun) -> list[memoryview]:
    """Pack a run into blocks. They do not depend on other blocks: any thread can pack them."""
    return [_pack(entries) for entries in split_run(run, _BLOCK_ENTRIES)]


def _pack(run: SortedRun) -> memoryview:
    """Pack a run into one block, with one copy of its arrays."""
    entries, words = run.keys.shape
    leads, width = len(run.leads), _count_width(int(run.counts.max()))
    size = _payload_bytes(leads, entries, words, width)
    block = np.zeros(_BLOCK.size + size, np.uint8)
    columns: tuple[NDArray[Any], ...] = (np.diff(run.bounds), run.keys, run.leads, run.counts)
    offset = _BLOCK.size
    for column, dtype in zip(columns, ("<u8", "<u8", "<u4", f"<u{width}"), strict=True):
        end = offset + column.size * np.dtype(dtype).itemsize
        block[offset:end].view(dtype)[:] = column.reshape(-1)
        offset = end
    fields = (_MARK, leads, entries, width)
    _BLOCK.pack_into(block.data, 0, *fields, 0, size)
    _BLOCK.pack_into(block.data, 0, *fields, zlib.crc32(block.data), size)
    return block.data


def _payload_bytes(leads: int, entries: int, words: int, width: int) -> int:
    size = 8 * leads + 8 * words * entries + 4 * leads + width * entries
    return size + -size % 8


def _count_width(largest: int) -> int:
    return next(width for width in (1, 2, 4, 8) if largest < 1 << (8 * width))


def open_runs(path: Path) -> MappedFile:
    """Map a file of runs.

    Raises:
        ArtefactError: it is missing or empty, or can't be read.
    """
    try:
        file = MappedFile.open(path, ArtefactError, replaceable=True)
    except FileNotFoundError:
        raise _damaged(path, 0, "it is missing") from None
    if not file.size:
        raise _damaged(path, 0, "it is empty")
    return file


def read_runs(
    file: MappedFile,
    shape: KeyShape,
    low: int = 0,
    high: int = 2**32,
    sound: set[int] | None = None,
) -> Iterator[SortedRun]:
    """Yield the windows of a file with a lead in [low, high), one checked block at a time.

    Args:
        sound: positions of blocks whose checksums were verified. They are not verified again, and
            the positions of new ones are added.

    Raises:
        ArtefactError: a block is damaged, truncated, or has another key shape.
    """
    for block in _blocks(file, shape):
        first, last = block.lead_range(file)
        if last < low or first >= high:
            continue
        if sound is None or block.begin not in sound:
            _check_sum(file, block)
            if sound is not None:
                sound.add(block.begin)
        run = _unpack(file, block)
        if first < low or last >= high:
            begin, end = sorted(np.searchsorted(run.leads, [low, high]))
            run = slice_run(run, int(run.bounds[begin]), int(run.bounds[end]))
        yield run._replace(counts=run.counts.astype(np.uint64))
        file.check_readable()


def list_blocks(file: MappedFile, shape: KeyShape) -> list[tuple[int, int]]:
    """Return (first lead, entries) of each block of a file, without verifying checksums.

    Raises:
        ArtefactError: the header of a block is invalid, or the block is truncated.
    """
    return [(block.lead_range(file)[0], block.entries) for block in _blocks(file, shape)]


class _Block(NamedTuple):
    """Position of a block's payload, and the fields of its header."""

    begin: int
    leads: int
    entries: int
    words: int
    width: int
    checksum: int
    size: int

    @property
    def after_keys(self) -> int:
        """Position of the leads."""
        return self.begin + 8 * self.leads + 8 * self.words * self.entries

    def lead_range(self, file: MappedFile) -> tuple[int, int]:
        """Return the first and the last lead; the full range if the block has none."""
        if not self.leads:
            return 0, 2**32
        leads = file.array("<u4", self.leads, self.after_keys)
        return int(leads[0]), int(leads[-1])


def _blocks(file: MappedFile, shape: KeyShape) -> Iterator[_Block]:
    offset = _check_header(file, shape)
    while offset < file.size:
        block = _read_block(file, offset, shape.words)
        yield block
        offset = block.begin + block.size


def _check_header(file: MappedFile, shape: KeyShape) -> int:
    path, size = file.path, _HEADER.size + 4
    head = file.part(0, size)
    if len(head) < size or head[:6] != _MAGIC[:6]:
        raise _damaged(path, 0, "it does not begin like a run file")
    if head[:8] != _MAGIC:
        raise ArtefactError(
            f"{path} has run file version {head[7]}, and this icfast reads version {_MAGIC[7]}. "
            "Count it again."
        )
    found = _HEADER.unpack(head[:-4])[1:]
    wanted = (shape.order, shape.bits, shape.words)
    if zlib.crc32(head[:-4]) != struct.unpack("<I", head[-4:])[0] or found != wanted:
        raise _damaged(
            path, 0, f"its header has (order, bits, words) = {found}, and its table {wanted}"
        )
    return size


def _read_block(file: MappedFile, offset: int, words: int) -> _Block:
    path, begin = file.path, offset + _BLOCK.size
    if begin > file.size:
        raise _damaged(path, offset, "a block is truncated")
    mark, leads, entries, width, checksum, size = _BLOCK.unpack(file.part(offset, begin))
    sound = mark == _MARK and width in (1, 2, 4, 8)
    if not sound or size != _payload_bytes(leads, entries, words, width):
        raise _damaged(path, offset, "the header of a block is invalid")
    if begin + size > file.size:
        raise _damaged(path, offset, "a block is truncated")
    return _Block(begin, leads, entries, words, width, checksum, size)


def _check_sum(file: MappedFile, block: _Block) -> None:
    head = _BLOCK.pack(_MARK, block.leads, block.entries, block.width, 0, block.size)
    payload = file.array(np.uint8, block.size, block.begin)
    checksum = zlib.crc32(payload.data, zlib.crc32(head))
    file.check_readable()
    if checksum != block.checksum:
        raise _damaged(file.path, block.begin - _BLOCK.size, "a block's checksum is wrong")


def _unpack(file: MappedFile, block: _Block) -> SortedRun:
    """Return the memory-mapped arrays of a block; counts keep their stored width."""
    lengths = file.array("<u8", block.leads, block.begin)
    keys = file.array("<u8", block.words * block.entries, block.begin + 8 * block.leads)
    leads = file.array("<u4", block.leads, block.after_keys)
    counts = file.array(f"<u{block.width}", block.entries, block.after_keys + 4 * block.leads)
    # Each length is checked first: a sum of u64 may overflow.
    sound = block.leads > 0 and lengths.min() > 0 and lengths.max() <= block.entries
    bounds = np.zeros(block.leads + 1, np.int64)
    if sound:
        np.cumsum(lengths.astype(np.int64), out=bounds[1:])
    if not sound or bounds[-1] != block.entries:
        raise _damaged(
            file.path,
            block.begin - _BLOCK.size,
            "the leads of a block do not add up to its entries",
        )
    return SortedRun(leads, bounds, keys.reshape(block.entries, block.words), counts)


def _damaged(path: Path, offset: int, why: str) -> ArtefactError:
    return ArtefactError(
        f"{path} is damaged at byte {offset}: {why}. Count it again from the corpus."
    )
