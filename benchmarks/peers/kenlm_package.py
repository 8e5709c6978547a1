"""The Python package of KenLM: one call a document."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from peers.counter import missing_package

NAME = "kenlm (Python)"


def available() -> str | None:
    return missing_package("kenlm")


class Scorer:
    """A binary model, mapped."""

    def __init__(self, model: Path) -> None:
        import kenlm

        self._model = kenlm.Model(str(model))

    def total_log10(self, documents: Sequence[str]) -> float:
        """Sum over documents, each from <s> to </s>."""
        score = self._model.score
        return float(sum(score(document) for document in documents))
