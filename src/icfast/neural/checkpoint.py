"""Finished parts of a pass on disk, so that a pass goes on where it was stopped.

One file per unit of work, ``<SHA-256 of its key>.losses``; the key is JSON that names the input
(digest of the shard, documents, windows, model, policy), never the worker. Layout, little-endian,
version 1::

    "ICFLOSS" 01, SHA-256 of all that follows (32 bytes), u32 bytes of the key, the key as JSON,
    u64 documents d, u64 position bins p, then compressed by zlib, for most counts are 0, as u64:
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
from icfast.files import atomic_path
from icfast.sums.kinds import Kind

_MAGIC = b"ICFLOSS\x01"
_DIGEST_BYTES = 32
_SIZES = struct.Struct("<QQ")
_KEY_BYTES = struct.Struct("<I")
#: u64 words that each cell takes.
_WORDS = 2 + len(Kind)


class UnitSums(NamedTuple):
    """What one unit of work adds: cells of its documents, and of positions in them."""

    documents: LossCells
    positions: LossCells


@dataclass(frozen=True)
class Checkpoint:
    """A folder of finished units; several corpora and models may share it."""

    folder: Path

    @classmethod
    def at(cls, folder: str | Path) -> Checkpoint:
        """The folder, made where it is missing.

        Raises:
            OptionError: it can't be made.
        """
        try:
            Path(folder).mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise OptionError(
                f"cannot make the checkpoint folder {folder}: {error.strerror}; choose another"
            ) from error
        return cls(Path(folder))

    def path(self, key: Mapping[str, Any]) -> Path:
        """Where the unit of this key is kept."""
        return self.folder / f"{hashlib.sha256(_text(key)).hexdigest()}.losses"

    def save(self, key: Mapping[str, Any], sums: UnitSums) -> None:
        """Keep a finished unit: a whole file, or none.

        Raises:
            OptionError: the folder may not be written.
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

    def load(self, key: Mapping[str, Any]) -> UnitSums | None:
        """A finished unit, or None where there is none.

        Raises:
            ArtefactError: the file is damaged, or of something else.
        """
        path = self.path(key)
        try:
            stored = path.read_bytes()
        except FileNotFoundError:
            return None
        head = len(_MAGIC) + _DIGEST_BYTES
        content = stored[head:]
        if stored[: len(_MAGIC)] != _MAGIC:
            raise ArtefactError(f"{path} is no checkpoint that this icfast wrote")
        if hashlib.sha256(content).digest() != stored[len(_MAGIC) : head]:
            raise ArtefactError(f"{path} is damaged: its checksum does not fit")
        text = _text(key)
        if content[: _KEY_BYTES.size + len(text)] != _KEY_BYTES.pack(len(text)) + text:
            raise ArtefactError(f"{path} was made of something else")
        return _unpack(content[_KEY_BYTES.size + len(text) :], path)


def _text(key: Mapping[str, Any]) -> bytes:
    return json.dumps(key, sort_keys=True).encode()


def _unpack(content: bytes, path: Path) -> UnitSums:
    if len(content) < _SIZES.size:
        raise ArtefactError(f"{path} ends too early")
    documents, positions = _SIZES.unpack_from(content)
    size = 8 * _WORDS * (documents + positions)
    try:
        unpacked = zlib.decompressobj().decompress(content[_SIZES.size :], min(size + 1, 1 << 40))
    except zlib.error as error:
        raise ArtefactError(f"{path} can't be unpacked: {error}") from error
    if len(unpacked) != size:
        raise ArtefactError(f"{path} holds other sums than it says")
    words = np.frombuffer(unpacked, "<u8").astype(np.uint64)
    cut = _WORDS * documents
    return UnitSums(_cells(words[:cut]), _cells(words[cut:]))


def _cells(words: NDArray[np.uint64]) -> LossCells:
    cells = len(words) // _WORDS
    return LossCells(
        words[:cells], words[cells : 2 * cells], words[2 * cells :].reshape(cells, len(Kind))
    )
