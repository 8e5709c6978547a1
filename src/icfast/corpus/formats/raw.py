"""Headerless files of ids, such as nanoGPT's .bin. The caller must state the dtype."""

from __future__ import annotations

from pathlib import Path

from icfast.corpus.reader import ReadOptions, map_array, whole_ids
from icfast.corpus.shard import Shard
from icfast.errors import CorpusError


class Raw:
    """Format of little-endian ids from the first byte to the last."""

    name = "raw"
    magics: tuple[bytes, ...] = ()

    def sniff(self, path: Path) -> bool:
        """Return whether the name ends in .bin. The content gives no hint."""
        return path.suffix == ".bin"

    def open(self, path: Path, options: ReadOptions) -> Shard:
        """Memory-map the whole file.

        Raises:
            CorpusError: no dtype is given, or bytes are left over.
        """
        if options.dtype is None:
            raise CorpusError(
                f"{path} has no header that states the dtype of its ids. Pass --dtype u2 for "
                "vocabularies of up to 65536 ids, such as GPT-2's, or u4, i4 or u1."
            )
        count = whole_ids(path, path.stat().st_size, options.dtype, options)
        tokens = map_array(path, options.dtype, count)
        return Shard(path, self.name, tokens, (path,), signed=options.dtype == "i4")
