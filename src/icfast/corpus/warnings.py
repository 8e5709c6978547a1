"""Warnings about a corpus: what looks unusual but may be right."""

from __future__ import annotations

from collections.abc import Sequence

from icfast.corpus.boundary import count_edges
from icfast.corpus.dtype_hints import dtype_hint
from icfast.corpus.shard import Shard, occurs

#: No known vocabulary is this large.
_IMPLAUSIBLE_VOCABULARY = 1 << 24


def shard_warnings(shard: Shard) -> list[str]:
    """Return the warnings about one file that do not depend on its documents."""
    hint = dtype_hint(shard)
    return [*shard.warnings, *([] if hint is None else [hint])]


def guessed_vocabulary(vocab_size: int) -> str:
    """Return the note that a vocabulary was not stated, for figures that depend on it."""
    advice = "Pass --vocab-size."
    if vocab_size > _IMPLAUSIBLE_VOCABULARY:
        advice = "No known vocabulary is that large: check --dtype, and pass --vocab-size."
    return (
        f"the vocabulary was not stated, so V = {vocab_size} is guessed: the largest id + 1. The "
        f"uniform entropy log2 V, IC-1 and n-gram models depend on it. {advice}"
    )


def corpus_warnings(
    shards: Sequence[Shard], eos_id: int | None, boundary: str, cross_documents: bool
) -> list[str]:
    """Return the warnings about all files of a corpus and about its documents."""
    found = [text for shard in shards for text in shard_warnings(shard)]
    if eos_id is not None:
        found += end_id_warnings(shards, eos_id)
        found += boundary_warnings(shards, eos_id, boundary, cross_documents)
    return found


def end_id_warnings(shards: Sequence[Shard], eos_id: int) -> list[str]:
    """Return a warning if the end id never occurs in some of the files."""
    without = [shard.path for shard in shards if not occurs(shard.tokens, eos_id)]
    if not without:
        return []
    more = f" and in {len(without) - 1} more of {len(shards)} files" if len(without) > 1 else ""
    return [end_id_never_occurs(eos_id, f"{without[0]}{more}")]


def end_id_never_occurs(eos_id: int, where: str) -> str:
    """Return the warning for an end id that does not occur in a file or table."""
    return (
        f"eos_id {eos_id} never occurs in {where}, so it ends no document there. Is it the id of "
        "another tokenizer? Pass --eos-id."
    )


def boundary_warnings(
    shards: Sequence[Shard], eos_id: int, boundary: str, cross_documents: bool
) -> list[str]:
    """Return a warning if the edges of documents show the other boundary."""
    counts = count_edges(shards, eos_id, cross_documents)
    shown = counts.boundary
    if shown is None or shown == boundary:
        return []
    return [
        f"boundary {boundary!r} contradicts the data: {counts.shown(eos_id)}. "
        f"Does each document {'begin' if shown == 'start' else 'end'} with this id? "
        f"Pass --boundary {shown}."
    ]
