"""Headerless files of ids, such as nanoGPT's .bin. The caller must state the dtype."""

from __future__ import annotations

from pathlib import Path

from icfast.corpus.reader import ReadOptions, ids_in, whole_ids
from icfast.corpus.shard import Shard
from icfast.errors import CorpusError
from icfast.parallel.mapped_file import MappedFile


class Raw:
    """Format of little-endian ids from the first byte to the last."""

    name = "raw"
    magics: tuple[bytes, ...] = ()

    def sniff(self, path: Path, head: bytes) -> bool:
        """Return whether the name ends in .bin. The content gives no hint."""
        return path.suffix == ".bin"

    def open(self, file: MappedFile, options: ReadOptions) -> Shard:
        """Return the ids of the whole file.

        Raises:
            CorpusError: no dtype is given, or bytes are left over.
        """
        if options.dtype is None:
            raise CorpusError(
                f"{file.path} has no header that states the dtype of its ids. Pass --dtype u2 for "
                "vocabularies of up to 65536 ids, such as GPT-2's, or u4, i4 or u1."
            )
        count = whole_ids(file.path, file.size, options.dtype, options)
        tokens = ids_in(file, options.dtype, count)
        return Shard(file.path, self.name, tokens, (file,), signed=options.dtype == "i4")
