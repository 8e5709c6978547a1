"""Documents of a corpus under a convention, the held-out split, and chunks for threads.

A :class:`DocumentSet` holds the positions of documents in memory-mapped shards. A split takes a few
bytes per document and copies no tokens.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal, NamedTuple, get_args

import numpy as np
from numpy.typing import NDArray

from icfast.backends.arrays import Status
from icfast.backends.contract import Kernels
from icfast.backends.counting import Chunk
from icfast.corpus import Corpus, Shard, outside_vocabulary
from icfast.corpus.source import ShardRecord, Source
from icfast.errors import ID_OUTSIDE_VOCABULARY, CorpusError, OptionError, check

Convention = Literal["tokens", "kenlm"]
CONVENTIONS: tuple[Convention, ...] = get_args(Convention)


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
    def shard_names(self) -> tuple[str, ...]:
        """File name of each shard."""
        return tuple(held.shard.path.name for held in self.by_shard)

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
        name=held.shard.path.name,
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


def content_hashes(corpus: Corpus, kernels: Kernels) -> list[NDArray[np.uint64]]:
    """Return u64[documents] per shard: a 64-bit hash of each document's ids without the end id.

    The hash is fmix64(FNV-1a(ids as little-endian u32)). It must never change: splits depend on it.
    """
    hashes = []
    for shard in corpus.shards:
        found = corpus.content(shard)
        starts = np.ascontiguousarray(found.starts, np.int64)
        stops = np.ascontiguousarray(found.stops, np.int64)
        values = np.zeros(len(starts), np.uint64)
        chunk = Chunk(shard.tokens, starts, stops, 0, len(shard.tokens))
        check(kernels.hash_documents(chunk, values), shard.path)
        hashes.append(values)
    return hashes


@dataclass(frozen=True)
class Split:
    """Split of a corpus into training documents and held-out documents.

    Attributes:
        training: the documents to fit on.
        heldout: the documents to predict.
        fraction: requested share of held-out documents.
        predicted_set_sha256: SHA-256 over the sorted hashes of the held-out documents. Two losses
            are comparable only if it is equal.
        repeated_documents: documents on both sides whose ids, without the end id, repeat an
            earlier document.
        repeated_tokens: tokens of the repeated documents.
    """

    training: DocumentSet
    heldout: DocumentSet
    fraction: float
    predicted_set_sha256: str
    repeated_documents: int
    repeated_tokens: int


def split(documents: DocumentSet, fraction: float, kernels: Kernels) -> Split:
    """Hold out the documents whose hash is below fraction * 2^64.

    Equal documents are on the same side, and the side of a document does not depend on the others.

    Raises:
        OptionError: the fraction is not between 0 and 1.
        CorpusError: a side is empty, or the corpus has only one document.
    """
    if not 0.0 < fraction < 1.0:
        raise OptionError(f"held-out fraction {fraction} is invalid: it must be between 0 and 1")
    if len(documents) < 2:
        raise CorpusError(
            "the corpus has one document and cannot be split into training and held-out documents. "
            "Pass --eos-id (and --boundary) so that its documents are found, or add shards."
        )
    hashes = content_hashes(documents.corpus, kernels)
    threshold = np.uint64(int(fraction * 2.0**64))
    held = [values < threshold for values in hashes]
    sides = _Sides(documents, held)
    training, heldout = sides.take(False, fraction), sides.take(True, fraction)
    for side, name in ((training, "training"), (heldout, "held-out")):
        if not len(side):
            raise CorpusError(
                f"the {name} side is empty: the corpus has {len(documents)} documents, and the "
                f"held-out fraction is {fraction}. Pass another --heldout, or add documents."
            )
    chosen = [values[side] for values, side in zip(hashes, held, strict=True)]
    again = _seen_before(np.concatenate(hashes))
    return Split(
        training,
        heldout,
        fraction,
        _set_sha256(chosen),
        int(again.sum()),
        int(documents.lengths[again].sum()),
    )


def _seen_before(hashes: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return bool[documents]: whether an earlier document has an equal hash."""
    again = np.ones(len(hashes), np.bool_)
    again[np.unique(hashes, return_index=True)[1]] = False
    return again


def predicted_set_sha256(documents: DocumentSet, kernels: Kernels) -> str:
    """Return the SHA-256 over the sorted hashes of the documents, as in :class:`Split`."""
    hashes = content_hashes(documents.corpus, kernels)
    by_shard = zip(hashes, documents.by_shard, strict=True)
    return _set_sha256([values[held.numbers] for values, held in by_shard])


def _set_sha256(hashes: Sequence[NDArray[np.uint64]]) -> str:
    return hashlib.sha256(np.sort(np.concatenate(hashes)).astype("<u8").tobytes()).hexdigest()


@dataclass(frozen=True)
class _Sides:
    documents: DocumentSet
    held: Sequence[NDArray[np.bool_]]

    def take(self, heldout: bool, fraction: float) -> DocumentSet:
        by_shard = tuple(
            shard.where(held if heldout else ~held)
            for shard, held in zip(self.documents.by_shard, self.held, strict=True)
        )
        name = f"{'held out' if heldout else 'training'} at {fraction}"
        return replace(self.documents, by_shard=by_shard, chosen=name)


class ShardChunk(NamedTuple):
    """A chunk and its shard, whose path error messages name."""

    chunk: Chunk
    shard: Shard


def check_ids(status: Status, shard: Shard, vocab_size: int) -> None:
    """Raise the error that a kernel reported for a shard.

    Raises:
        CorpusError: an id is outside the vocabulary.
    """
    if status[0] == ID_OUTSIDE_VOCABULARY:
        raise outside_vocabulary(shard, status[1], vocab_size)
    check(status, shard.path)


def chunks_by_thread(
    documents: DocumentSet, threads: int, largest: int | None = None
) -> list[list[ShardChunk]]:
    """Cut the documents into one list of chunks per thread, of about equally many tokens.

    Args:
        largest: most tokens of a chunk; None for no limit.
    """
    total = sum(len(held.shard.tokens) for held in documents.by_shard)
    edges = [total * i // threads for i in range(threads + 1)]
    return [
        list(_chunks(documents, low, high, largest or max(total, 1)))
        for low, high in pairwise(edges)
    ]


def sample(documents: DocumentSet, tokens: int, cuts: int) -> list[ShardChunk]:
    """Copy about `tokens` tokens from `cuts` places spread evenly over the shards.

    Returns:
        one chunk per shard; the tokens that a place has of a document are one of its documents.
    """
    total = sum(len(held.shard.tokens) for held in documents.by_shard)
    length = min(tokens, total) // cuts
    if length < 1 or tokens >= total:
        cuts, length = 1, min(tokens, total)
    lows = (2 * np.arange(cuts) + 1) * (total - length) // (2 * cuts)
    found, origin = [], 0
    for held in documents.by_shard:
        size = len(held.shard.tokens)
        cut = _overlaps(held, (lows - origin).clip(0, size), (lows + length - origin).clip(0, size))
        if cut:
            copied = np.concatenate([held.shard.tokens[low:high] for low, high in cut])
            stops = np.cumsum([high - low for low, high in cut]).astype(np.int64)
            starts = np.append(0, stops[:-1]).astype(np.int64)
            found.append(ShardChunk(Chunk(copied, starts, stops, 0, len(copied)), held.shard))
        origin += size
    return found


def _overlaps(
    held: ShardDocuments, lows: NDArray[np.int64], highs: NDArray[np.int64]
) -> list[tuple[int, int]]:
    """Return the overlaps of the documents with the ascending ranges [lows, highs)."""
    edges = np.unique(np.concatenate([held.starts, held.stops, lows, highs]))
    middle = edges[:-1]

    def inside(starts: NDArray[np.int64], stops: NDArray[np.int64]) -> NDArray[np.bool_]:
        return np.searchsorted(starts, middle, "right") > np.searchsorted(stops, middle, "right")

    kept = inside(held.starts, held.stops) & inside(lows, highs)
    return list(zip(middle[kept].tolist(), edges[1:][kept].tolist(), strict=True))


def _chunks(documents: DocumentSet, low: int, high: int, largest: int) -> Iterator[ShardChunk]:
    origin = 0
    for held in documents.by_shard:
        size = len(held.shard.tokens)
        first, last = max(0, low - origin), min(size, high - origin)
        for begin in range(first, last, largest):
            yield ShardChunk(held.chunk(begin, min(begin + largest, last)), held.shard)
        origin += size
