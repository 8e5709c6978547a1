"""A shard: one memory-mapped file of token ids, as every format's reader returns it."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from icfast.corpus.sidecar import Description
from icfast.errors import (
    ID_OUTSIDE_VOCABULARY,
    CorpusError,
    IcfastError,
    OptionError,
    kernel_error,
)
from icfast.parallel.mapped_file import MappedFile
from icfast.units import format_count

Tokens: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]

#: Ids per numpy step of a scan. Temporary arrays stay within a few MiB.
SCAN_TOKENS = 1 << 22
#: Ids per step of a search that ends at the first occurrence.
_SEARCH_TOKENS = 1 << 16
_FIRST_NEGATIVE = 1 << 31


@dataclass(frozen=True, eq=False, repr=False)
class Shard:
    """One file of token ids.

    Attributes:
        path: the file with the ids.
        format: name of the format it was read as.
        tokens: u8[n], u16[n] or u32[n], little-endian ids, mapped and read-only.
        index_stops: i64[documents], exclusive document ends in tokens, from the index file.
        text_bytes: u64[documents], UTF-8 bytes of each document's text, if a sidecar has them.
        mapped_files: the file with the ids and its sidecars. Empty for an array without a file.
        continues: whether the format states that the last document continues in the next shard.
        signed: whether the file has signed ids. Values of 2^31 and above are then negative ids.
        description: content of the sidecar FILE.ds.json, or None.
        boundary: the format's own position of an end id in its document, "end" or "start".
        warnings: what was unusual when the file was opened.
    """

    path: Path
    format: str
    tokens: Tokens
    mapped_files: tuple[MappedFile, ...] = ()
    index_stops: NDArray[np.int64] | None = None
    text_bytes: NDArray[np.uint64] | None = None
    continues: bool = False
    signed: bool = False
    description: Description | None = None
    boundary: str = "end"
    warnings: tuple[str, ...] = ()

    def __repr__(self) -> str:
        tokens = format_count(len(self.tokens))
        return f"Shard({str(self.path)!r}, {self.format}, {self.dtype}, {tokens} tokens)"

    @property
    def dtype(self) -> str:
        """Dtype of the ids in the file ("u1", "u2", "u4" or "i4")."""
        return f"{'i' if self.signed else 'u'}{self.tokens.itemsize}"

    @property
    def files(self) -> tuple[Path, ...]:
        """The file with the ids and its sidecars."""
        return tuple(file.path for file in self.mapped_files) or (self.path,)

    def digest(self) -> str:
        """Return the SHA-256 in hex of what was mapped. The first call reads all of it.

        For one file this is the output of `sha256sum`. For several it is the SHA-256 of their
        digests in the order of `files`. File names do not matter. An array without a file is hashed
        as its bytes.

        Raises:
            CorpusError: a file changed after it was opened.
        """
        digests = [file.sha256 for file in self.mapped_files]
        digests = digests or [hashlib.sha256(self.tokens.tobytes())]
        self.check_unchanged()
        if len(digests) == 1:
            return str(digests[0].hexdigest())
        return hashlib.sha256(b"".join(digest.digest() for digest in digests)).hexdigest()

    def check_range(self, vocab_size: int | None, eos_id: int | None) -> None:
        """Refuse a vocabulary or an end id that the dtype of the file cannot hold.

        Raises:
            OptionError: an id is beyond the dtype.
        """
        most = 1 << (31 if self.signed else 8 * self.tokens.itemsize)
        stored = f"{self.path} has ids of dtype {self.dtype}, the largest of which is {most - 1}"
        wrapped = "Larger ids would have wrapped round when they were written: write the file "
        if eos_id is not None and eos_id >= most:
            raise OptionError(
                f"{stored}, so it cannot hold the end id {eos_id}. {wrapped}again as u4, pass the "
                "--dtype that it has, or another --eos-id."
            )
        if vocab_size is not None and vocab_size > most:
            raise OptionError(
                f"{stored}, so it cannot hold a vocabulary of {vocab_size} ids. {wrapped}again as "
                f"u4, or pass the --dtype that it has. If no id was larger, pass --vocab-size "
                f"{most}."
            )

    def check_readable(self) -> None:
        """Refuse what was read if a file was cut, as a chunk of it can already show.

        Raises:
            CorpusError: a part of a file could not be read.
        """
        for file in self.mapped_files:
            file.check_readable()

    def check_unchanged(self) -> None:
        """Refuse what was read if a file changed after it was opened.

        Raises:
            CorpusError: a file was cut, replaced or written to.
        """
        for file in self.mapped_files:
            file.check_unchanged()


def chunks(tokens: Tokens, step: int | None = None) -> Iterator[tuple[int, Tokens]]:
    """Yield the position of the first id and a view of up to `step` ids.

    >>> [(start, ids.tolist()) for start, ids in chunks(np.arange(5, dtype=np.uint8), 3)]
    [(0, [0, 1, 2]), (3, [3, 4])]
    """
    step = step or SCAN_TOKENS
    for start in range(0, len(tokens), step):
        yield start, tokens[start : start + step]


def find_ids(tokens: Tokens, token_id: int) -> NDArray[np.int64]:
    """Return the positions of one id, ascending, as i64[occurrences].

    >>> find_ids(np.array([7, 1, 7], np.uint16), 7).tolist()
    [0, 2]
    """
    found = [np.flatnonzero(ids == token_id) + start for start, ids in chunks(tokens)]
    return np.concatenate(found).astype(np.int64, copy=False) if found else np.zeros(0, np.int64)


def occurs(tokens: Tokens, token_id: int) -> bool:
    """Return whether an id occurs. Reads up to its first occurrence.

    >>> occurs(np.array([7, 1, 7], np.uint16), 1)
    True
    """
    return any(bool(np.any(ids == token_id)) for _, ids in chunks(tokens, _SEARCH_TOKENS))


def first_at_least(tokens: Tokens, bound: int) -> int | None:
    """Return the position of the first id that is `bound` or larger, or None.

    >>> first_at_least(np.array([3, 9, 8], np.uint8), 8)
    1
    """
    for start, ids in chunks(tokens):
        if int(ids.max()) >= bound:
            return start + int(np.argmax(ids >= bound))
    return None


def largest_id(shard: Shard) -> int:
    """Return the largest id of a shard, or -1 for an empty one. Reads the file once.

    Raises:
        CorpusError: the ids are signed and one of them is negative.
    """
    largest = max((int(ids.max()) for _, ids in chunks(shard.tokens)), default=-1)
    if shard.signed and largest >= _FIRST_NEGATIVE:
        index = first_at_least(shard.tokens, _FIRST_NEGATIVE)
        raise outside_vocabulary(shard, index or 0, _FIRST_NEGATIVE)
    return largest


def outside_vocabulary(shard: Shard, index: int, vocab_size: int) -> IcfastError:
    """Return the error for an id that is negative, or `vocab_size` or larger."""
    value = int(shard.tokens[index])
    if shard.signed and value >= _FIRST_NEGATIVE:
        return CorpusError(
            f"token {value - (1 << 32)} at position {index} of {shard.path} is negative, but ids "
            "count from 0. Is i4 the right dtype? Pass --dtype."
        )
    return kernel_error((ID_OUTSIDE_VOCABULARY, index, value), shard.path, vocab_size)
