"""A corpus: shards, and the conventions that cut them into documents. Nothing is read until asked.

A document is a half-open range of positions in one shard; an end id belongs to its document.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from icfast.corpus.shard import Shard, Tokens, find_ids, largest_id
from icfast.errors import CorpusError, OptionError

#: The tokenizer whose ids are the text's UTF-8 bytes.
BYTES = "bytes"


@dataclass(frozen=True, eq=False)
class Documents:
    """The documents of one shard.

    Attributes:
        starts: i64[documents], first position of each.
        stops: i64[documents], position behind its last token; above its start.
        text_bytes: u64[documents], UTF-8 bytes of its text, or None where not known.
        skipped: empty documents left out.
    """

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    text_bytes: NDArray[np.uint64] | None = None
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.starts)


@dataclass(frozen=True, eq=False)
class Corpus:
    """Token shards with their conventions, as `open_corpus` makes it.

    Attributes:
        shards: the files, mapped; none is empty.
        given_vocab_size: the vocabulary the caller or a sidecar stated; None: from the largest id.
        eos_id: the id that separates documents, None where none does.
        boundary: "end" (the id closes its document) or "start" (it opens it).
        tokenizer: its name, where known.
        tokenizer_sha256: SHA-256 of the tokenizer file, where a sidecar says.
        cross_documents: each file is one document.
        skip_bad: empty documents are left out and counted, instead of refused.
        skipped_files: empty files left out.

    >>> shard = Shard(Path("x.bin"), "raw", np.array([5, 0, 7], np.uint16), (Path("x.bin"),))
    >>> Corpus((shard,), eos_id=0).documents_of(shard).stops
    array([2, 3])
    """

    shards: tuple[Shard, ...]
    given_vocab_size: int | None = None
    eos_id: int | None = None
    boundary: str = "end"
    tokenizer: str | None = None
    tokenizer_sha256: str | None = None
    cross_documents: bool = False
    skip_bad: bool = False
    skipped_files: tuple[Path, ...] = ()
    _documents: dict[Shard, Documents] = field(default_factory=dict, repr=False, init=False)

    @property
    def tokens(self) -> int:
        """Ids in all shards, end ids included."""
        return sum(len(shard.tokens) for shard in self.shards)

    @property
    def documents(self) -> int:
        """Documents in all shards; the first call scans for end ids."""
        return sum(len(self.documents_of(shard)) for shard in self.shards)

    @property
    def skipped_documents(self) -> int:
        """Empty documents left out of all shards."""
        return sum(self.documents_of(shard).skipped for shard in self.shards)

    @property
    def vocab_size_given(self) -> bool:
        """Whether the vocabulary was stated, by the caller or a sidecar, rather than measured."""
        return self.given_vocab_size is not None

    @cached_property
    def vocab_size(self) -> int:
        """Number of ids: as stated, else the largest id + 1 (one pass over the files, once).

        Raises:
            CorpusError: a signed id is negative.
            OptionError: the end id is above the largest id.
        """
        if self.given_vocab_size is not None:
            return self.given_vocab_size
        size = max(largest_id(shard) for shard in self.shards) + 1
        if self.eos_id is not None and self.eos_id >= size:
            raise OptionError(
                f"eos_id {self.eos_id} does not occur: the largest id is {size - 1}; correct it, "
                "or state the vocabulary (--vocab-size)"
            )
        return size

    def documents_of(self, shard: Shard) -> Documents:
        """The documents of a shard, end ids included; remembered.

        From its index where it has one, else from the end id, else the file is one document. A
        file's end ends a document.

        Raises:
            CorpusError: a document is empty, and `skip_bad` is off.
        """
        if shard not in self._documents:
            self._documents[shard] = self._cut(shard)
        return self._documents[shard]

    def content(self, shard: Shard) -> Documents:
        """Return the documents of a shard without their end ids; a document may then be empty."""
        documents = self.documents_of(shard)
        is_end = self._has_end_id(shard, documents).astype(np.int64)
        if self.boundary == "start":
            return replace(documents, starts=documents.starts + is_end)
        return replace(documents, stops=documents.stops - is_end)

    def _cut(self, shard: Shard) -> Documents:
        if self.cross_documents:
            return self._whole(shard)
        if shard.index_stops is not None:
            stops = shard.index_stops
        else:
            stops = _stops(shard.tokens, self.eos_id, self.boundary)
        starts = np.concatenate([[0], stops[:-1]]).astype(np.int64, copy=False)
        documents = Documents(starts, stops, shard.text_bytes)
        full = starts < stops
        if not full.all():
            documents = self._without_empty(shard, documents, full)
        if documents.text_bytes is None and self._is_text(shard):
            text_bytes = documents.stops - documents.starts - self._has_end_id(shard, documents)
            return replace(documents, text_bytes=text_bytes.astype(np.uint64))
        return documents

    def _whole(self, shard: Shard) -> Documents:
        text_bytes = None
        if shard.text_bytes is not None:
            text_bytes = shard.text_bytes.sum(keepdims=True)
        elif self._is_text(shard):
            ends = 0 if self.eos_id is None else len(find_ids(shard.tokens, self.eos_id))
            text_bytes = np.array([len(shard.tokens) - ends], np.uint64)
        return Documents(np.array([0]), np.array([len(shard.tokens)]), text_bytes)

    def _without_empty(
        self, shard: Shard, documents: Documents, full: NDArray[np.bool_]
    ) -> Documents:
        if not self.skip_bad:
            number = int(np.argmin(full))
            raise CorpusError(
                f"document {number} of {shard.path} is empty (its index repeats the end "
                f"{documents.stops[number]}); leave it out where the file is written, or skip and "
                "count such documents (--skip-bad)"
            )
        text_bytes = None if documents.text_bytes is None else documents.text_bytes[full]
        skipped = len(full) - int(np.count_nonzero(full))
        return Documents(documents.starts[full], documents.stops[full], text_bytes, skipped)

    def _is_text(self, shard: Shard) -> bool:
        return self.tokenizer == BYTES and shard.tokens.itemsize == 1

    def _has_end_id(self, shard: Shard, documents: Documents) -> NDArray[np.bool_]:
        """Whether each document closes (boundary "end") or opens ("start") with the end id."""
        if self.eos_id is None:
            return np.zeros(len(documents), np.bool_)
        at = documents.starts if self.boundary == "start" else documents.stops - 1
        return np.asarray(shard.tokens[at] == self.eos_id)


def _stops(tokens: Tokens, eos_id: int | None, boundary: str) -> NDArray[np.int64]:
    """Document ends by the end id; what is left before or behind is a document too."""
    cuts = np.zeros(0, np.int64) if eos_id is None else find_ids(tokens, eos_id)
    if boundary == "end":
        cuts = cuts + 1
    # Cut before the ids that open a document, behind those that close one; never at the rims.
    inner = cuts[(cuts > 0) & (cuts < len(tokens))]
    return np.append(inner, len(tokens))
