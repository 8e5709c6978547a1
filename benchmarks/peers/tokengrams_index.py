"""tokengrams: a suffix array of the token file in memory, from which n-grams of any order count."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from peers.counter import missing_package

NAME = "tokengrams"


def available() -> str | None:
    return missing_package("tokengrams")


class Index:
    """An index of a u16 file."""

    def __init__(self, path: Path) -> None:
        from tokengrams import InMemoryIndex

        self._index = InMemoryIndex.from_token_file(str(path))

    def count(self, ngram: Sequence[int]) -> int:
        """Occurrences of an n-gram, windows crossing documents."""
        return int(self._index.count(list(ngram)))
