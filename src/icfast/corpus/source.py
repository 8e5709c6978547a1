"""The source of a measurement: its conventions and shards. Merging compares sources."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from icfast.errors import MergeError
from icfast.sums.stored import stored_as

Convention = Literal["tokens", "kenlm"]
CONVENTIONS: tuple[Convention, ...] = get_args(Convention)

#: Positions of the end id in its document, as they were decided.
_DECIDED = ("end", "start")

_SHA256 = re.compile("[0-9a-f]{64}")
#: What `documents` may be: all, or one side of a held-out split and the share held out.
_DOCUMENTS = re.compile(r"all|(?:held out|training) at \d[\d.e+-]*")

#: Fields that must be equal to merge measurements, and how messages name them.
_AGREE = {
    "order": "counted to order",
    "convention": "made under convention",
    "tokenizer": "written by tokenizer",
    "eos_id": "cut at end id",
    "boundary": "cut with boundary",
    "cross_documents": "counted with cross_documents",
    "documents": "made of documents",
}


@dataclass(frozen=True)
class ShardRecord:
    """Record of an input shard: name, SHA-256 of its files, and tokens and documents counted."""

    name: str
    sha256: str
    tokens: int
    documents: int


@dataclass(frozen=True)
class Source:
    """Conventions of a measurement, and the shards it covers.

    Attributes:
        order: N, tokens of the longest n-grams.
        convention: "tokens" or "kenlm".
        tokenizer: name of the tokenizer, or None if it was not recorded.
        vocab_size: V, as given or the largest id + 1.
        vocab_size_given: whether V was given.
        eos_id: the id that separates documents, or None.
        boundary: "end" or "start", the position of that id in its document.
        cross_documents: whether each file is one document.
        documents: "all", or one side of a held-out split.
        shards: record of each shard.
    """

    order: int
    convention: str = field(metadata={"one_of": CONVENTIONS})
    tokenizer: str | None
    vocab_size: int
    vocab_size_given: bool
    eos_id: int | None
    boundary: str = field(metadata={"one_of": _DECIDED})
    cross_documents: bool
    documents: str
    shards: tuple[ShardRecord, ...]

    def as_json(self) -> dict[str, Any]:
        """Return a dictionary for JSON, the inverse of :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Source:
        """Return the source that :meth:`as_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: the dictionary has another form.
        """
        shards = tuple(stored_as(ShardRecord, record) for record in stored["shards"])
        source = stored_as(cls, stored, shards=shards)
        source._check()
        return source

    def _check(self) -> None:
        """Refuse values of the right type that no corpus has."""
        if not 1 <= self.vocab_size <= 1 << 32:
            raise ValueError(f"vocab_size {self.vocab_size} is not between 1 and 2^32")
        if self.eos_id is not None and self.eos_id >= self.vocab_size:
            raise ValueError(f"eos_id {self.eos_id} is not below vocab_size {self.vocab_size}")
        if not _DOCUMENTS.fullmatch(self.documents):
            raise ValueError(
                f"documents is {self.documents!r:.60}; allowed are 'all', 'held out at SHARE' and "
                "'training at SHARE'"
            )
        for shard in self.shards:
            if not _SHA256.fullmatch(shard.sha256):
                raise ValueError(
                    f"sha256 of shard {shard.name!r:.60} is {shard.sha256!r:.70}; allowed are 64 "
                    "hexadecimal digits"
                )


def merged_source(sources: Sequence[Source]) -> Source:
    """Return the source of merged measurements.

    Raises:
        MergeError: the sources differ in order, tokenizer, vocabulary or a convention, or share a
            shard.
    """
    first = sources[0]
    for other in sources[1:]:
        for name, words in _AGREE.items():
            mine, its = getattr(first, name), getattr(other, name)
            if mine != its and not (name == "boundary" and first.eos_id is None):
                raise MergeError(
                    f"cannot merge: one was {words} {mine!r}, another {its!r}. Count both with the "
                    "same conventions."
                )
        _refuse_other_vocabulary(first, other)
    shards = tuple(record for source in sources for record in source.shards)
    _refuse_overlap(shards)
    shards = tuple(sorted(shards, key=lambda record: (record.name, record.sha256)))
    return replace(first, vocab_size=max(s.vocab_size for s in sources), shards=shards)


def _refuse_other_vocabulary(first: Source, other: Source) -> None:
    if first.vocab_size_given != other.vocab_size_given:
        stated, measured = (first, other) if first.vocab_size_given else (other, first)
        raise MergeError(
            f"cannot merge: one vocabulary was stated to have {stated.vocab_size} ids, the other "
            f"was measured: its largest id is {measured.vocab_size - 1}. Count both with "
            f"--vocab-size {stated.vocab_size}."
        )
    if first.vocab_size_given and first.vocab_size != other.vocab_size:
        raise MergeError(
            f"cannot merge: one vocabulary has {first.vocab_size} ids, another "
            f"{other.vocab_size}. Count both with the same --vocab-size."
        )


def _refuse_overlap(shards: Sequence[ShardRecord]) -> None:
    often = Counter(record.sha256 for record in shards)
    twice = sorted({record.name for record in shards if often[record.sha256] > 1})
    if twice:
        raise MergeError(
            f"cannot merge: shards with equal content would be counted twice ({', '.join(twice)}). "
            "Merge tables of disjoint shards."
        )
