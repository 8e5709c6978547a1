"""Finished chunks on disk, from which an interrupted run resumes.

Each chunk has one file, ``<SHA-256 of its key>.losses``. The key is JSON that names the input: the
digest of the shard, the documents, the contexts, the model and the policy, but not the worker.
Layout, little-endian, version 1::

    "ICFLOSS" 01, SHA-256 of the bytes that follow (32 bytes), u32 length of the key, the key,
    u64 documents d, u64 position bins p, then compressed by zlib (most counts are 0), as u64:
    low[d], high[d], counts[d, 6] by document, low[p], high[p], counts[p, 6] by position
"""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.losses import LossCells
from icfast.errors import ArtefactError, OptionError
from icfast.files import atomic_path, read_regular, sweep
from icfast.sums.kinds import Kind

_MAGIC = b"ICFLOSS\x01"
_DIGEST_BYTES = 32
_SIZES = struct.Struct("<QQ")
_KEY_BYTES = struct.Struct("<I")
#: Bytes of a file without its key and its sums, rounded up. zlib adds less than 64 bytes and 1 in
#: 1,000 to sums that it cannot compress.
_OVERHEAD = 256
#: Number of u64 words of each cell.
_WORDS = 2 + len(Kind)


class ChunkSums(NamedTuple):
    """The sums of one chunk: cells of its documents, and cells of positions in them."""

    documents: LossCells
    positions: LossCells


@dataclass(frozen=True)
class Checkpoint:
    """A folder of finished chunks; several corpora and models may share it."""

    folder: Path

    @classmethod
    def at(cls, folder: str | Path) -> Checkpoint:
        """Return the folder, created if it is missing.

        Raises:
            OptionError: the folder cannot be created.
        """
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OptionError(
                f"cannot create the checkpoint folder {folder}: {error.strerror}. "
                "Choose another folder"
            ) from error
        sweep(Path(folder))
        return cls(Path(folder))

    def path(self, key: Mapping[str, Any]) -> Path:
        """Return the path of the chunk with this key."""
        return self.folder / f"{hashlib.sha256(_text(key)).hexdigest()}.losses"

    def save(self, key: Mapping[str, Any], sums: ChunkSums) -> None:
        """Write a finished chunk under a temporary name and rename it.

        Raises:
            OptionError: the folder is not writable.
            ResourceError: the disk is full.
        """
        text = _text(key)
        parts = [_KEY_BYTES.pack(len(text)), text]
        parts.append(_SIZES.pack(len(sums.documents.low), len(sums.positions.low)))
        words = [array.astype("<u8").tobytes() for cells in sums for array in cells]
        parts.append(zlib.compress(b"".join(words), 1))
        content = b"".join(parts)
        with atomic_path(self.path(key)) as temporary:
            temporary.write_bytes(_MAGIC + hashlib.sha256(content).digest() + content)

    def load(self, key: Mapping[str, Any], documents: int, positions: int) -> ChunkSums | None:
        """Return a finished chunk, or None if there is none.

        Args:
            key: the key of the chunk.
            documents: number of its documents.
            positions: number of its position bins. A file that states other numbers is refused
                before it is decompressed.

        Raises:
            ArtefactError: the file is damaged, has another key, or holds other sums.
        """
        path = self.path(key)
        size = 8 * _WORDS * (documents + positions)
        try:
            stored = read_regular(path, ArtefactError, _OVERHEAD + len(_text(key)) + 2 * size)
        except FileNotFoundError:
            return None
        head = len(_MAGIC) + _DIGEST_BYTES
        content = stored[head:]
        if stored[: len(_MAGIC)] != _MAGIC:
            raise ArtefactError(f"{path} is not a checkpoint of this version of icfast")
        if hashlib.sha256(content).digest() != stored[len(_MAGIC) : head]:
            raise ArtefactError(f"{path} is damaged: its checksum does not match")
        text = _text(key)
        if content[: _KEY_BYTES.size + len(text)] != _KEY_BYTES.pack(len(text)) + text:
            raise ArtefactError(
                f"{path} belongs to another key: it was renamed or copied from another chunk"
            )
        return _unpack(content[_KEY_BYTES.size + len(text) :], path, documents, positions)


def _text(key: Mapping[str, Any]) -> bytes:
    return json.dumps(key, sort_keys=True).encode()


def _unpack(content: bytes, path: Path, documents: int, positions: int) -> ChunkSums:
    if len(content) < _SIZES.size:
        raise ArtefactError(f"{path} is truncated")
    stated = _SIZES.unpack_from(content)
    if stated != (documents, positions):
        raise ArtefactError(
            f"{path} states sums of {stated[0]} documents and {stated[1]} position bins, but its "
            f"chunk has {documents} and {positions}"
        )
    size = 8 * _WORDS * (documents + positions)
    try:
        # One byte more than expected shows that there is more.
        unpacked = zlib.decompressobj().decompress(content[_SIZES.size :], size + 1)
    except zlib.error as error:
        raise ArtefactError(f"{path} cannot be decompressed: {error}") from error
    if len(unpacked) != size:
        raise ArtefactError(f"{path} holds sums of another size than its header says")
    words = np.frombuffer(unpacked, "<u8").astype(np.uint64)
    cut = _WORDS * documents
    return ChunkSums(_cells(words[:cut]), _cells(words[cut:]))


def _cells(words: NDArray[np.uint64]) -> LossCells:
    cells = len(words) // _WORDS
    return LossCells(
        words[:cells], words[cells : 2 * cells], words[2 * cells :].reshape(cells, len(Kind))
    )
