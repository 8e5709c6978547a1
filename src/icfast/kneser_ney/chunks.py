"""Prepare documents for scoring: cut them into chunks and map their ids to a model's symbols."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import Chunk
from icfast.backends.models import ScoreOut
from icfast.corpus import Corpus, Shard
from icfast.corpus.documents import DocumentSet
from icfast.errors import MergeError
from icfast.kneser_ney.compact import CompactModel
from icfast.kneser_ney.model import NgramModel
from icfast.ngrams.alphabet import Symbols
from icfast.ngrams.keys import KeyShape

#: Tokens per chunk. A document is never cut, so longer documents make longer chunks.
_CHUNK_TOKENS = 1 << 16


class ScoredChunk(NamedTuple):
    """Whole documents of one shard, and the row of the output where their results begin."""

    chunk: Chunk
    shard: Shard
    row: int

    @property
    def rows(self) -> slice:
        """Rows of the output that belong to these documents."""
        return slice(self.row, self.row + len(self.chunk.starts))

    @property
    def windows(self) -> int:
        """Upper bound on the windows: one per token and one per end mark."""
        lengths = self.chunk.stops - self.chunk.starts
        return int(lengths.sum()) + len(lengths)


def chunks_of(documents: DocumentSet) -> Iterator[ScoredChunk]:
    """Yield consecutive documents in chunks of about ``_CHUNK_TOKENS`` tokens."""
    at = 0
    for held in documents.by_shard:
        ends = np.cumsum(held.stops - held.starts)
        first = 0
        while first < len(ends):
            before = int(ends[first - 1]) if first else 0
            last = max(first + 1, int(np.searchsorted(ends, before + _CHUNK_TOKENS, "right")))
            yield ScoredChunk(held.whole_documents(first, last), held.shard, at + first)
            first = last
        at += len(ends)


def empty_scores(documents: int, columns: int) -> ScoreOut:
    """Return zeroed arrays for the losses of documents, one column per order."""

    def zeros(*shape: int) -> NDArray[np.uint64]:
        return np.zeros(shape, np.uint64)

    return ScoreOut(
        zeros(documents, columns),
        zeros(documents, columns),
        zeros(documents),
        zeros(documents),
        zeros(documents, columns),
    )


def symbols_of(corpus: Corpus, model: NgramModel | CompactModel) -> Symbols:
    """Return the model's symbols, with a table for the ids of the corpus.

    Raises:
        MergeError: the corpus and the model have different tokenizers or vocabularies.
    """
    _check_vocabulary(corpus, model)
    shape = KeyShape.of(1, len(model.ids))
    return Symbols(model.ids, _vocab_size(corpus, model), model.end_mark, shape)


def _vocab_size(corpus: Corpus, model: NgramModel | CompactModel) -> int:
    """Return the size of the vocabulary that may be scored.

    Convention tokens allows the model's vocabulary. Convention kenlm allows any id: an id that the
    model never saw is <unk>.
    """
    if model.convention == "kenlm":
        return max(model.source.vocab_size, corpus.vocab_size)
    return model.source.vocab_size


def _check_vocabulary(corpus: Corpus, model: NgramModel | CompactModel) -> None:
    used, expected = corpus.tokenizer, model.source.tokenizer
    if used is not None and expected is not None and used != expected:
        raise MergeError(
            f"the corpus was written by tokenizer {used!r}, but the model was fitted on "
            f"tokenizer {expected!r}. Score a corpus written by the model's tokenizer."
        )
    stated, fitted = corpus.given_vocab_size, model.source.vocab_size
    if stated is not None and model.source.vocab_size_given and stated != fitted:
        raise MergeError(
            f"the corpus has a vocabulary of {stated} ids, but the model has one of {fitted}. "
            "Score a corpus written by the model's tokenizer."
        )
