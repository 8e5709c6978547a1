"""Token files of llm.c, modded-nanogpt and its fineweb shards.

    i32[256] little-endian header: [0] magic, [1] version, [2] number of ids; then the ids
    magic 20240520, version 1: u16 ids (GPT-2);  magic 20240801, version 7: u32 ids (Llama 3)

The end id stands before its document (boundary "start"). A document may go on in the next shard,
which the file can't say: a file's end ends a document.
"""

from __future__ import annotations

import struct
from pathlib import Path

from icfast.corpus.reader import (
    ReadOptions,
    map_array,
    refuse_other_dtype,
    starts_with,
    stated_ids,
)
from icfast.corpus.shard import Shard
from icfast.errors import CorpusError

HEADER_BYTES = 1024
#: magic -> (version, dtype)
_KINDS = {20240520: (1, "u2"), 20240801: (7, "u4")}


class LlmC:
    """A 1024-byte header, then the ids."""

    name = "llmc"
    magics = tuple(struct.pack("<i", magic) for magic in _KINDS)

    def sniff(self, path: Path) -> bool:
        """Whether the file begins with one of the two magic numbers."""
        return starts_with(path, self.magics)

    def open(self, path: Path, options: ReadOptions) -> Shard:
        """Map the ids behind the header.

        Raises:
            CorpusError: wrong magic or version, or the size is not the header's.
        """
        dtype, stated = self._header(path)
        refuse_other_dtype(path, dtype, options)
        count = stated_ids(path, stated, dtype, HEADER_BYTES, options)
        return Shard(path, self.name, map_array(path, dtype, count, HEADER_BYTES), (path,))

    def _header(self, path: Path) -> tuple[str, int]:
        with path.open("rb") as file:
            header = file.read(HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            raise CorpusError(
                f"{path}: an llm.c header is {HEADER_BYTES} bytes, the file has {len(header)}"
            )
        magic, version, count = struct.unpack_from("<3i", header)
        if magic not in _KINDS:
            raise CorpusError(
                f"{path} begins with {magic}, llm.c files with one of {sorted(_KINDS)}; "
                "for a headerless file use --format raw"
            )
        expected, dtype = _KINDS[magic]
        if version != expected or count < 0:
            raise CorpusError(
                f"{path}: llm.c magic {magic} goes with version {expected} and a count of ids, "
                f"found version {version} and count {count}"
            )
        return dtype, count
