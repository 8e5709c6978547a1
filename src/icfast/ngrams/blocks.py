"""Runs on disk: a file of checksummed blocks of sorted (key, count) entries.

Layout, little-endian, version 1; every part starts at a multiple of 8 bytes::

    header   magic "ICFRUN\\x00\\x01", u32 order, u32 bits, u32 words W, u32 CRC-32 of the 20 before
    block    "BLK1", u32 leads L, u64 entries E, u32 count width c, u32 CRC-32, u64 payload bytes
             payload: u64 entries[L] of each lead, u64 keys[E, W], u32 leads[L], cE bytes of counts,
             zeros to a multiple of 8
    ...      until the end of the file

c is 1, 2, 4 or 8, the least that holds the block's counts. The CRC-32 of a block is over its
header with that field zero, then its payload. Keys ascend within a lead, leads within a file; a
lead may go on in the next block.
"""

from __future__ import annotations

import mmap
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

_MAGIC = b"ICFRUN\x00\x01"
_HEADER = struct.Struct("<8sIII")
_BLOCK = struct.Struct("<4sIQIIQ")
_MARK = b"BLK1"

#: Entries of one block: 2 MiB of one-word keys.
_BLOCK_ENTRIES = 1 << 18


def write_header(file: BinaryIO, shape: KeyShape) -> None:
    """Begin a run file."""
    header = _HEADER.pack(_MAGIC, shape.order, shape.bits, shape.words)
    file.write(header + struct.pack("<I", zlib.crc32(header)))


def pack_blocks(run: SortedRun) -> list[memoryview]:
    """A run as the blocks of a file; independent of the blocks around it, so made in any thread."""
    return [_pack(part) for part in split_run(run, _BLOCK_ENTRIES)]


def _pack(run: SortedRun) -> memoryview:
    """One block, written in place: the only copy made of the run."""
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


def read_runs(
    path: Path,
    shape: KeyShape,
    low: int = 0,
    high: int = 2**32,
    sound: set[int] | None = None,
) -> Iterator[SortedRun]:
    """The windows of a file whose lead lies in [low, high), each block checked as it is read.

    Args:
        sound: where blocks stand whose checksums were found right; they are not summed again, and
            new ones are added.

    Raises:
        ArtefactError: a block is damaged, cut off, or of another shape.
    """
    mapped = _map(path)
    for block in _blocks(mapped, path, shape):
        first, last = block.lead_range(mapped)
        if last < low or first >= high:
            continue
        if sound is None or block.begin not in sound:
            _check_sum(mapped, block, path)
            if sound is not None:
                sound.add(block.begin)
        run = _unpack(mapped, block, path)
        if first < low or last >= high:
            begin, end = sorted(np.searchsorted(run.leads, [low, high]))
            run = slice_run(run, int(run.bounds[begin]), int(run.bounds[end]))
        yield run._replace(counts=run.counts.astype(np.uint64))


def list_blocks(path: Path, shape: KeyShape) -> list[tuple[int, int]]:
    """(first lead, entries) of each block of a file, none of them checked.

    Raises:
        ArtefactError: a block's header makes no sense, or it is cut off.
    """
    mapped = _map(path)
    return [(block.lead_range(mapped)[0], block.entries) for block in _blocks(mapped, path, shape)]


def _map(path: Path) -> mmap.mmap:
    try:
        with path.open("rb") as file:
            return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    except ValueError:
        raise _damaged(path, 0, "it is empty") from None
    except FileNotFoundError:
        raise _damaged(path, 0, "it is missing") from None


class _Block(NamedTuple):
    """Where a block's payload stands, and what its header says of it."""

    begin: int
    leads: int
    entries: int
    words: int
    width: int
    checksum: int
    size: int

    @property
    def after_keys(self) -> int:
        """Where its leads stand."""
        return self.begin + 8 * self.leads + 8 * self.words * self.entries

    def lead_range(self, mapped: mmap.mmap) -> tuple[int, int]:
        """Its first lead and its last; all of them where it has none."""
        if not self.leads:
            return 0, 2**32
        leads = _array(mapped, self.after_keys, "<u4", self.leads)
        return int(leads[0]), int(leads[-1])


def _blocks(mapped: mmap.mmap, path: Path, shape: KeyShape) -> Iterator[_Block]:
    offset = _check_header(mapped, path, shape)
    while offset < len(mapped):
        block = _read_block(mapped, offset, path, shape.words)
        yield block
        offset = block.begin + block.size


def _check_header(mapped: mmap.mmap, path: Path, shape: KeyShape) -> int:
    size = _HEADER.size + 4
    head = mapped[:size]
    if len(head) < size or head[:6] != _MAGIC[:6]:
        raise _damaged(path, 0, "it does not begin as a run file")
    if head[:8] != _MAGIC:
        raise ArtefactError(
            f"{path} is of run file version {head[7]}, this icfast reads version {_MAGIC[7]}"
        )
    found = _HEADER.unpack(head[:-4])[1:]
    wanted = (shape.order, shape.bits, shape.words)
    if zlib.crc32(head[:-4]) != struct.unpack("<I", head[-4:])[0] or found != wanted:
        raise _damaged(path, 0, f"its header says {found}, the table says {wanted}")
    return size


def _read_block(mapped: mmap.mmap, offset: int, path: Path, words: int) -> _Block:
    begin = offset + _BLOCK.size
    if begin > len(mapped):
        raise _damaged(path, offset, "a block is cut off")
    mark, leads, entries, width, checksum, size = _BLOCK.unpack_from(mapped, offset)
    sound = mark == _MARK and width in (1, 2, 4, 8)
    if not sound or size != _payload_bytes(leads, entries, words, width):
        raise _damaged(path, offset, "a block's header makes no sense")
    if begin + size > len(mapped):
        raise _damaged(path, offset, "a block is cut off")
    return _Block(begin, leads, entries, words, width, checksum, size)


def _check_sum(mapped: mmap.mmap, block: _Block, path: Path) -> None:
    head = _BLOCK.pack(_MARK, block.leads, block.entries, block.width, 0, block.size)
    with memoryview(mapped) as view, view[block.begin : block.begin + block.size] as payload:
        if zlib.crc32(payload, zlib.crc32(head)) != block.checksum:
            raise _damaged(path, block.begin - _BLOCK.size, "a block's checksum is wrong")


def _unpack(mapped: mmap.mmap, block: _Block, path: Path) -> SortedRun:
    """Its arrays, mapped; counts as wide as they are stored."""
    lengths = _array(mapped, block.begin, "<u8", block.leads)
    keys = _array(mapped, block.begin + 8 * block.leads, "<u8", block.words * block.entries)
    leads = _array(mapped, block.after_keys, "<u4", block.leads)
    counts = _array(mapped, block.after_keys + 4 * block.leads, f"<u{block.width}", block.entries)
    # Each length by itself first: a sum of u64 may wrap to anything.
    sound = block.leads > 0 and lengths.min() > 0 and lengths.max() <= block.entries
    bounds = np.zeros(block.leads + 1, np.int64)
    if sound:
        np.cumsum(lengths.astype(np.int64), out=bounds[1:])
    if not sound or bounds[-1] != block.entries:
        raise _damaged(path, block.begin - _BLOCK.size, "a block's leads don't add up")
    return SortedRun(leads, bounds, keys.reshape(block.entries, block.words), counts)


def _array(mapped: mmap.mmap, offset: int, dtype: str, count: int) -> NDArray[Any]:
    return np.frombuffer(mapped, dtype, count, offset)


def _damaged(path: Path, offset: int, why: str) -> ArtefactError:
    return ArtefactError(
        f"{path} is damaged at byte {offset}: {why}; count it again from the corpus"
    )
