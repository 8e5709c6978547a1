"""Headerless files of ids (nanoGPT's .bin is one): nothing but the ids, so the dtype is told."""

from __future__ import annotations

from pathlib import Path

from icfast.corpus.reader import ReadOptions, map_array, whole_ids
from icfast.corpus.shard import Shard
from icfast.errors import CorpusError


class Raw:
    """Little-endian ids from the first byte to the last."""

    name = "raw"
    magics: tuple[bytes, ...] = ()

    def sniff(self, path: Path) -> bool:
        """Whether the name ends in .bin; there is nothing inside to go by."""
        return path.suffix == ".bin"

    def open(self, path: Path, options: ReadOptions) -> Shard:
        """Map the whole file.

        Raises:
            CorpusError: no dtype was given, or bytes are left over.
        """
        if options.dtype is None:
            raise CorpusError(
                f"{path} has no header that could say the dtype of its ids: give dtype u2 "
                "(--dtype u2; vocabularies up to 65536, such as GPT-2's), u4, i4 or u1"
            )
        count = whole_ids(path, path.stat().st_size, options.dtype, options)
        tokens = map_array(path, options.dtype, count)
        return Shard(path, self.name, tokens, (path,), signed=options.dtype == "i4")
