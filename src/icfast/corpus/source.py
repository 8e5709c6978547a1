"""Where a measurement comes from: conventions and shards. Merging refuses strangers by it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from icfast.errors import MergeError
from icfast.sums.stored import stored_as

#: What merged measurements must agree on, and how to say it.
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
    """One input shard: its file name, the SHA-256 of its files, and what was counted of it."""

    name: str
    sha256: str
    tokens: int
    documents: int


@dataclass(frozen=True)
class Source:
    """The conventions a measurement was made under, and the shards it covers.

    Attributes:
        order: N.
        convention: "tokens" or "kenlm".
        vocab_size: V, stated or largest id + 1.
        vocab_size_given: whether V was stated.
        documents: "all", or which side of which split.
    """

    order: int
    convention: str
    tokenizer: str | None
    vocab_size: int
    vocab_size_given: bool
    eos_id: int | None
    boundary: str
    cross_documents: bool
    documents: str
    shards: tuple[ShardRecord, ...]

    def as_json(self) -> dict[str, Any]:
        """Plain dictionary, the inverse of :meth:`from_json`."""
        return asdict(self)

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> Source:
        """Read what :meth:`as_json` wrote.

        Raises:
            KeyError, TypeError, ValueError: it is something else.
        """
        shards = tuple(stored_as(ShardRecord, record) for record in stored["shards"])
        source = stored_as(cls, stored, shards=shards)
        if not 1 <= source.vocab_size <= 1 << 32:
            raise ValueError(f"vocab_size {source.vocab_size} is not between 1 and 2^32")
        return source


def merged_source(sources: Sequence[Source]) -> Source:
    """The source of the sum of measurements.

    Raises:
        MergeError: they differ in order, tokenizer, vocabulary or a convention, or share a shard.
    """
    first = sources[0]
    for other in sources[1:]:
        for name, words in _AGREE.items():
            mine, its = getattr(first, name), getattr(other, name)
            if mine != its:
                raise MergeError(
                    f"can't merge: one was {words} {mine!r}, another {its!r}; "
                    "count both under the same conventions"
                )
        if first.vocab_size_given != other.vocab_size_given or (
            first.vocab_size_given and first.vocab_size != other.vocab_size
        ):
            raise MergeError(
                f"can't merge: vocabulary of {first.vocab_size} against {other.vocab_size}; "
                "state the same --vocab-size when counting both"
            )
    shards = tuple(record for source in sources for record in source.shards)
    _refuse_overlap(shards)
    shards = tuple(sorted(shards, key=lambda record: (record.name, record.sha256)))
    return replace(first, vocab_size=max(s.vocab_size for s in sources), shards=shards)


def _refuse_overlap(shards: Sequence[ShardRecord]) -> None:
    often = Counter(record.sha256 for record in shards)
    twice = sorted({record.name for record in shards if often[record.sha256] > 1})
    if twice:
        raise MergeError(
            f"can't merge: shards with the same content are counted twice ({', '.join(twice)}); "
            "merge tables of disjoint shards"
        )
