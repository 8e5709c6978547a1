"""One file of token ids, mapped into memory: what every format's reader returns."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from icfast.corpus.sidecar import Description
from icfast.errors import ID_OUTSIDE_VOCABULARY, CorpusError, IcfastError, kernel_error

Tokens: TypeAlias = NDArray[np.uint8] | NDArray[np.uint16] | NDArray[np.uint32]

#: Ids looked at in one numpy step; the temporaries of a scan stay within a few MiB.
SCAN_TOKENS = 1 << 22
_FIRST_NEGATIVE = 1 << 31


@dataclass(frozen=True, eq=False)
class Shard:
    """One file of token ids.

    Attributes:
        path: the file with the ids.
        format: name of the format it was read as.
        tokens: u8[n], u16[n] or u32[n], little-endian ids, mapped and read-only.
        index_stops: i64[documents], exclusive document ends in tokens, from an index beside it.
        text_bytes: u64[documents], UTF-8 bytes of each document's text, where a sidecar says.
        files: all the files it is made of.
        continues: whether the format says that the last document goes on in the next shard.
        signed: whether the ids were written as signed, so that 2^31 and above mean negative ones.
        description: what the file's sidecar says of its tokenizer, where there is one.
    """

    path: Path
    format: str
    tokens: Tokens = field(repr=False)
    files: tuple[Path, ...]
    index_stops: NDArray[np.int64] | None = field(default=None, repr=False)
    text_bytes: NDArray[np.uint64] | None = field(default=None, repr=False)
    continues: bool = False
    signed: bool = False
    description: Description | None = None

    @property
    def dtype(self) -> str:
        """The ids' dtype as written: "u1", "u2", "u4" or "i4"."""
        return f"{'i' if self.signed else 'u'}{self.tokens.itemsize}"

    @cached_property
    def _digest(self) -> str:
        digests = []
        for path in self.files:
            with path.open("rb") as file:
                digests.append(hashlib.file_digest(file, "sha256"))
        if len(digests) == 1:
            return digests[0].hexdigest()
        return hashlib.sha256(b"".join(digest.digest() for digest in digests)).hexdigest()

    def digest(self) -> str:
        """SHA-256 in hex of the contents of its files, read once and remembered.

        Of one file it is what `sha256sum` prints; of several, the SHA-256 of their digests in
        the order of `files`. Names and places of the files do not count.
        """
        return self._digest


def chunks(tokens: Tokens, step: int | None = None) -> Iterator[tuple[int, Tokens]]:
    """Yield (position of the first id, up to `step` ids), views and no copies.

    >>> [(start, ids.tolist()) for start, ids in chunks(np.arange(5, dtype=np.uint8), 3)]
    [(0, [0, 1, 2]), (3, [3, 4])]
    """
    step = step or SCAN_TOKENS
    for start in range(0, len(tokens), step):
        yield start, tokens[start : start + step]


def find_ids(tokens: Tokens, token_id: int) -> NDArray[np.int64]:
    """Positions of one id, ascending, i64[occurrences].

    >>> find_ids(np.array([7, 1, 7], np.uint16), 7).tolist()
    [0, 2]
    """
    found = [np.flatnonzero(ids == token_id) + start for start, ids in chunks(tokens)]
    return np.concatenate(found).astype(np.int64, copy=False) if found else np.zeros(0, np.int64)


def first_at_least(tokens: Tokens, bound: int) -> int | None:
    """Position of the first id not below `bound`, or None.

    >>> first_at_least(np.array([3, 9, 8], np.uint8), 8)
    1
    """
    for start, ids in chunks(tokens):
        if int(ids.max()) >= bound:
            return start + int(np.argmax(ids >= bound))
    return None


def largest_id(shard: Shard) -> int:
    """The largest id of a shard, -1 of an empty one; one pass over the file.

    Raises:
        CorpusError: the ids are signed and one of them is negative.
    """
    largest = max((int(ids.max()) for _, ids in chunks(shard.tokens)), default=-1)
    if shard.signed and largest >= _FIRST_NEGATIVE:
        index = first_at_least(shard.tokens, _FIRST_NEGATIVE)
        raise outside_vocabulary(shard, index or 0, _FIRST_NEGATIVE)
    return largest


def outside_vocabulary(shard: Shard, index: int, vocab_size: int) -> IcfastError:
    """The one sentence for an id that can't be: negative, or `vocab_size` and above."""
    value = int(shard.tokens[index])
    if shard.signed and value >= _FIRST_NEGATIVE:
        return CorpusError(
            f"token {value - (1 << 32)} at position {index} of {shard.path} is negative; "
            "ids count from 0; is i4 the right dtype?"
        )
    return kernel_error((ID_OUTSIDE_VOCABULARY, index, value), shard.path, vocab_size)
