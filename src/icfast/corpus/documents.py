"""Documents of a corpus under a convention.

A :class:`DocumentSet` holds the positions of documents in memory-mapped shards. Choosing documents
takes a few bytes per document and copies no tokens.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import Chunk
from icfast.corpus import Corpus, Shard
from icfast.corpus.source import CONVENTIONS, Convention, ShardRecord, Source
from icfast.errors import OptionError
from icfast.files import shown_name
from icfast.parallel.mapped_file import MappedFile


@dataclass(frozen=True, eq=False)
class ShardDocuments:
    """Documents chosen from one shard.

    Attributes:
        shard: the shard.
        starts: i64[documents], position of each document's first token.
        stops: i64[documents], position after each document's last token.
        numbers: i64[documents], number of each document in its shard.
        text_bytes: u64[documents], UTF-8 bytes of each document's text, or None if unknown.
    """

    shard: Shard
    starts: NDArray[np.int64]
    stops: NDArray[np.int64]
    numbers: NDArray[np.int64]
    text_bytes: NDArray[np.uint64] | None

    def chunk(self, begin: int = 0, end: int | None = None) -> Chunk:
        """Return the chunk of tokens [begin, end), with the documents that overlap it."""
        size = len(self.shard.tokens)
        if end is None or (begin == 0 and end == size):
            return Chunk(self.shard.tokens, self.starts, self.stops, 0, size)
        first = self.first_document(begin)
        last = int(np.searchsorted(self.stops, end, "right"))
        if last < len(self.starts) and self.starts[last] < end:
            last += 1
        return Chunk(self.shard.tokens, self.starts[first:last], self.stops[first:last], begin, end)

    def first_document(self, begin: int) -> int:
        """Return the index of the first document that overlaps the tokens from `begin` on."""
        # An empty document, which has only an end mark, belongs to the chunk that ends at it.
        return int(np.searchsorted(self.stops, begin, "right")) if begin else 0

    def whole_documents(self, first: int, last: int) -> Chunk:
        """Return the chunk of the documents [first, last), at least one."""
        starts, stops = self.starts[first:last], self.stops[first:last]
        return Chunk(self.shard.tokens, starts, stops, int(starts[0]), int(stops[-1]))

    def where(self, chosen: NDArray[np.bool_]) -> ShardDocuments:
        """Return the chosen documents."""
        text_bytes = None if self.text_bytes is None else self.text_bytes[chosen]
        return ShardDocuments(
            self.shard, self.starts[chosen], self.stops[chosen], self.numbers[chosen], text_bytes
        )


@dataclass(frozen=True, eq=False)
class DocumentSet:
    """Documents of a corpus under a convention.

    Attributes:
        corpus: the corpus.
        by_shard: the documents chosen from each shard.
        convention: "tokens" or "kenlm".
        chosen: "all", or one side of a held-out split.
    """

    corpus: Corpus
    by_shard: tuple[ShardDocuments, ...]
    convention: Convention
    chosen: str = "all"

    @property
    def end_mark(self) -> bool:
        """Whether a predicted </s> follows each document (convention "kenlm")."""
        return self.convention == "kenlm"

    def __len__(self) -> int:
        return sum(len(held.starts) for held in self.by_shard)

    @property
    def mapped_files(self) -> tuple[MappedFile, ...]:
        """The files that the documents are read from."""
        return tuple(file for held in self.by_shard for file in held.shard.mapped_files)

    @property
    def shard_names(self) -> tuple[str, ...]:
        """File name of each shard."""
        return tuple(shown_name(held.shard.path) for held in self.by_shard)

    @property
    def shard_numbers(self) -> NDArray[np.int32]:
        """i32[documents]: index of each document's shard in `shard_names`."""
        sizes = [len(held.starts) for held in self.by_shard]
        return np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)

    @property
    def numbers(self) -> NDArray[np.int64]:
        """i64[documents]: number of each document in its shard."""
        return np.concatenate([held.numbers for held in self.by_shard])

    @property
    def lengths(self) -> NDArray[np.int64]:
        """i64[documents]: predicted symbols of each document."""
        lengths = [held.stops - held.starts for held in self.by_shard]
        return np.concatenate(lengths) + int(self.end_mark)

    @property
    def tokens(self) -> int:
        """Number of predicted symbols, D."""
        return int(self.lengths.sum())

    @property
    def text_bytes(self) -> int | None:
        """UTF-8 bytes of the text, or None if a shard does not record them."""
        known = [held.text_bytes for held in self.by_shard]
        if any(sizes is None for sizes in known):
            return None
        return sum(int(sizes.sum()) for sizes in known if sizes is not None)

    def source(self, order: int) -> Source:
        """Return the conventions and shards for the record of a measurement to order N."""
        corpus = self.corpus
        return Source(
            order=order,
            convention=self.convention,
            tokenizer=corpus.tokenizer,
            vocab_size=corpus.vocab_size,
            vocab_size_given=corpus.vocab_size_given,
            eos_id=corpus.eos_id,
            boundary=corpus.boundary,
            cross_documents=corpus.cross_documents,
            documents=self.chosen,
            shards=tuple(_record(held) for held in self.by_shard),
        )


def _record(held: ShardDocuments) -> ShardRecord:
    return ShardRecord(
        name=shown_name(held.shard.path),
        sha256=held.shard.digest(),
        tokens=len(held.shard.tokens),
        documents=len(held.starts),
    )


def all_documents(corpus: Corpus, convention: str = "tokens") -> DocumentSet:
    """Return all documents of a corpus.

    Under "tokens" an end id is an ordinary token. Under "kenlm" it is dropped, and an end mark
    follows every document.

    Raises:
        OptionError: the convention is unknown.
        CorpusError: a document is empty, and the corpus was not opened with skip_bad.
    """
    if convention not in CONVENTIONS:
        raise OptionError(
            f"convention {convention!r} is unknown. Pass one of {', '.join(CONVENTIONS)}."
        )
    chosen = []
    for shard in corpus.shards:
        found = corpus.content(shard) if convention == "kenlm" else corpus.documents_of(shard)
        numbers = np.arange(len(found), dtype=np.int64)
        chosen.append(
            ShardDocuments(
                shard,
                np.ascontiguousarray(found.starts, np.int64),
                np.ascontiguousarray(found.stops, np.int64),
                numbers,
                found.text_bytes,
            )
        )
    return DocumentSet(corpus, tuple(chosen), convention)
