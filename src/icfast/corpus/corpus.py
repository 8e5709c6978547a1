"""A corpus: memory-mapped shards, and the conventions that divide them into documents.

A document is a half-open range of positions in one shard. An end id belongs to its document.
Documents and the vocabulary are determined when they are first used.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from icfast.corpus.shard import Shard, Tokens, find_ids, largest_id
from icfast.corpus.warnings import corpus_warnings
from icfast.errors import CorpusError, OptionError
from icfast.files import shown_name
from icfast.notebook import facts_html, table_html
from icfast.parallel.mapped_file import MappedFile
from icfast.units import DASH, format_count

#: The tokenizer whose ids are the text's UTF-8 bytes.
BYTES = "bytes"

#: Shards that a notebook lists before it counts the rest.
_SHOWN_SHARDS = 10


@dataclass(frozen=True, eq=False, repr=False)
class Documents:
    """The documents of one shard.

    Attributes:
        starts: i64[documents], position of the first token.
        stops: i64[documents], position after the last token, larger than the start.
        text_bytes: u64[documents], UTF-8 bytes of the text, or None if unknown.
        skipped: number of empty documents left out.
    """

    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    text_bytes: NDArray[np.uint64] | None = None
    skipped: int = 0

    def __len__(self) -> int:
        return len(self.starts)

    def __repr__(self) -> str:
        return f"Documents({format_count(len(self))} documents)"


@dataclass(frozen=True, eq=False, repr=False)
class Corpus:
    """Token shards with their conventions. `icfast.open` returns one.

    Attributes:
        shards: the memory-mapped files, none of them empty.
        given_vocab_size: number of ids V from the caller or a sidecar. None means that V is the
            largest id + 1.
        eos_id: the id that separates documents, or None.
        boundary: "end" if that id is the last of its document, "start" if it is the first.
        tokenizer: name of the tokenizer, or None if unknown.
        tokenizer_sha256: SHA-256 of the tokenizer file, or None if no sidecar has it.
        cross_documents: whether each file counts as one document.
        skip_bad: whether empty documents are left out and counted, not refused.
        skipped_files: empty files left out.

    >>> shard = Shard(Path("x.bin"), "raw", np.array([5, 0, 7], np.uint16))
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

    def __repr__(self) -> str:
        return (
            f"Corpus({format_count(len(self.shards))} shards, {format_count(self.tokens)} tokens, "
            f"eos_id={self.eos_id}, boundary={self.boundary!r}, tokenizer={self.tokenizer!r})"
        )

    def _repr_html_(self) -> str:
        shown = [
            (shown_name(shard.path), shard.format, shard.dtype, format_count(len(shard.tokens)))
            for shard in self.shards[:_SHOWN_SHARDS]
        ]
        if (hidden := len(self.shards) - len(shown)) > 0:
            shown.append((f"{format_count(hidden)} more", "", "", ""))
        shown.append(("all", "", "", format_count(self.tokens)))
        conventions = {
            "vocabulary": "largest id + 1"
            if self.given_vocab_size is None
            else format_count(self.given_vocab_size),
            "end id": format_count(self.eos_id),
            "boundary": self.boundary,
            "tokenizer": self.tokenizer or DASH,
            "skipped files": format_count(len(self.skipped_files)),
        }
        return table_html("Corpus", ("file", "format", "dtype", "tokens"), shown) + facts_html(
            "Conventions", conventions
        )

    @property
    def files(self) -> tuple[Path, ...]:
        """Shards, their sidecars, and empty files, which are every file that the corpus reads."""
        return (*(path for shard in self.shards for path in shard.files), *self.skipped_files)

    @property
    def mapped_files(self) -> tuple[MappedFile, ...]:
        """The files of all shards."""
        return tuple(file for shard in self.shards for file in shard.mapped_files)

    @property
    def tokens(self) -> int:
        """Number of ids in all shards, end ids included."""
        return sum(len(shard.tokens) for shard in self.shards)

    @property
    def documents(self) -> int:
        """Number of documents in all shards. The first use scans for end ids."""
        return sum(len(self.documents_of(shard)) for shard in self.shards)

    @property
    def skipped_documents(self) -> int:
        """Number of empty documents left out of all shards."""
        return sum(self.documents_of(shard).skipped for shard in self.shards)

    @property
    def vocab_size_given(self) -> bool:
        """True if the caller or a sidecar stated the vocabulary, False if it is measured."""
        return self.given_vocab_size is not None

    @cached_property
    def vocab_size(self) -> int:
        """Number of ids V as stated, else the largest id + 1. The first use may read the files.

        Raises:
            CorpusError: a signed id is negative.
            OptionError: the end id is larger than the largest id.
        """
        if self.given_vocab_size is not None:
            return self.given_vocab_size
        size = max(largest_id(shard) for shard in self.shards) + 1
        for shard in self.shards:
            shard.check_readable()
        if self.eos_id is not None and self.eos_id >= size:
            raise OptionError(
                f"eos_id {self.eos_id} does not occur: the largest id is {size - 1}. Correct it, "
                "or pass the size of the vocabulary (--vocab-size)."
            )
        return size

    @cached_property
    def warnings(self) -> tuple[str, ...]:
        """Messages about what looks unusual but may be right, such as an unused end id.

        The first use reads the files up to the first end id.
        """
        return tuple(corpus_warnings(self.shards, self.eos_id, self.boundary, self.cross_documents))

    def documents_of(self, shard: Shard) -> Documents:
        """Return the documents of a shard, end ids included.

        The index of the shard defines them. Without an index the end id does, and without an end
        id the file is one document. The end of a file ends a document. The result is cached.

        Raises:
            CorpusError: a document is empty, and `skip_bad` is False.
        """
        if shard not in self._documents:
            documents = self._cut(shard)
            shard.check_readable()
            self._documents[shard] = documents
        return self._documents[shard]

    def content(self, shard: Shard) -> Documents:
        """Return the documents of a shard without their end ids. Such a document may be empty."""
        documents = self.documents_of(shard)
        is_end = self._has_end_id(shard, documents).astype(np.int64)
        if self.boundary == "start":
            return replace(documents, starts=documents.starts + is_end)
        return replace(documents, stops=documents.stops - is_end)

    def _cut(self, shard: Shard) -> Documents:
        if self.cross_documents:
            return self._whole(shard)
        if shard.index_stops is not None:
            stops = shard.index_stops.copy()  # kernels trust it, and the file may change later
            shard.check_unchanged()
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
                f"{documents.stops[number]}). Write the file without it, or skip and count such "
                "documents (--skip-bad)."
            )
        text_bytes = None if documents.text_bytes is None else documents.text_bytes[full]
        skipped = len(full) - int(np.count_nonzero(full))
        return Documents(documents.starts[full], documents.stops[full], text_bytes, skipped)

    def _is_text(self, shard: Shard) -> bool:
        return self.tokenizer == BYTES and shard.tokens.itemsize == 1

    def _has_end_id(self, shard: Shard, documents: Documents) -> NDArray[np.bool_]:
        """Return whether each document has the end id at its boundary, as bool[documents]."""
        if self.eos_id is None:
            return np.zeros(len(documents), np.bool_)
        at = documents.starts if self.boundary == "start" else documents.stops - 1
        return np.asarray(shard.tokens[at] == self.eos_id)


def _stops(tokens: Tokens, eos_id: int | None, boundary: str) -> NDArray[np.int64]:
    """Return the document ends by the end id. Tokens outside any end id are a document too."""
    cuts = np.zeros(0, np.int64) if eos_id is None else find_ids(tokens, eos_id)
    if boundary == "end":
        cuts = cuts + 1
    # A cut at the first or last position of the file would make an empty document.
    inner = cuts[(cuts > 0) & (cuts < len(tokens))]
    return np.append(inner, len(tokens))
