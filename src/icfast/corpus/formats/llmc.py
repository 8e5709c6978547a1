"""Token files of llm.c, modded-nanogpt and its fineweb shards.

    i32[256] little-endian header: [0] magic, [1] version, [2] number of ids; then the ids
    magic 20240520, version 1: u16 ids (GPT-2);  magic 20240801, version 7: u32 ids (Llama 3)

The end id comes before its document (boundary "start"). A document may continue in the next shard.
The format does not record this, so the end of a file ends a document.
"""

from __future__ import annotations

import struct
from pathlib import Path

from icfast.corpus.reader import (
    ReadOptions,
    ids_in,
    refuse_other_dtype,
    stated_ids,
)
from icfast.corpus.shard import Shard
from icfast.errors import CorpusError
from icfast.parallel.mapped_file import MappedFile

HEADER_BYTES = 1024
#: magic -> (version, dtype)
_KINDS = {20240520: (1, "u2"), 20240801: (7, "u4")}


class LlmC:
    """Format of a 1024-byte header and the ids."""

    name = "llmc"
    magics = tuple(struct.pack("<i", magic) for magic in _KINDS)

    def sniff(self, path: Path, head: bytes) -> bool:
        """Return whether the file begins with one of the two magic numbers."""
        return head.startswith(self.magics)

    def open(self, file: MappedFile, options: ReadOptions) -> Shard:
        """Return the ids after the header.

        Raises:
            CorpusError: the magic or version is wrong, or the file size contradicts the header.
        """
        dtype, stated = self._header(file)
        refuse_other_dtype(file.path, dtype, options)
        count = stated_ids(file, stated, dtype, HEADER_BYTES, options)
        tokens = ids_in(file, dtype, count, HEADER_BYTES)
        return Shard(file.path, self.name, tokens, (file,), boundary="start")

    def _header(self, file: MappedFile) -> tuple[str, int]:
        path, header = file.path, file.part(0, HEADER_BYTES)
        if len(header) < HEADER_BYTES:
            raise CorpusError(
                f"{path}: an llm.c header is {HEADER_BYTES} bytes, the file has {len(header)}. "
                "Copy or write it again."
            )
        magic, version, count = struct.unpack_from("<3i", header)
        if magic not in _KINDS:
            raise CorpusError(
                f"{path} begins with {magic}, llm.c files begin with one of {sorted(_KINDS)}. "
                "Pass --format raw for a headerless file."
            )
        expected, dtype = _KINDS[magic]
        if version != expected or count < 0:
            raise CorpusError(
                f"{path}: llm.c magic {magic} goes with version {expected} and a count of ids, "
                f"found version {version} and count {count}. Write the file again."
            )
        return dtype, count
