"""Documents as scoring reads them: cut into chunks, their ids mapped to a model's symbols."""

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

#: Tokens one thread scores at a time; a document is never cut.
_CHUNK_TOKENS = 1 << 16


class ScoredChunk(NamedTuple):
    """Whole documents of one shard, and the row their results begin at."""

    chunk: Chunk
    shard: Shard
    row: int

    @property
    def rows(self) -> slice:
        """Where their results go."""
        return slice(self.row, self.row + len(self.chunk.starts))

    @property
    def windows(self) -> int:
        """At most this many: their tokens, and an end mark each."""
        lengths = self.chunk.stops - self.chunk.starts
        return int(lengths.sum()) + len(lengths)


def chunks_of(documents: DocumentSet) -> Iterator[ScoredChunk]:
    """Neighbouring documents of about so many tokens as one thread takes at a time."""
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


def room_for(documents: int, columns: int) -> ScoreOut:
    """Rows of losses for a kernel to write."""

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
    """The model's symbols, for ids of the corpus.

    Raises:
        MergeError: the corpus was written by another tokenizer than the model's.
    """
    _refuse_strangers(corpus, model)
    shape = KeyShape.of(1, len(model.ids))
    return Symbols(model.ids, _vocab_size(corpus, model), model.end_mark, shape)


def _vocab_size(corpus: Corpus, model: NgramModel | CompactModel) -> int:
    """Ids that may be scored: the model's vocabulary, or under kenlm any, the rest being <unk>."""
    if model.convention == "kenlm":
        return max(model.source.vocab_size, corpus.vocab_size)
    return model.source.vocab_size


def _refuse_strangers(corpus: Corpus, model: NgramModel | CompactModel) -> None:
    mine, its = corpus.tokenizer, model.source.tokenizer
    if mine is not None and its is not None and mine != its:
        raise MergeError(
            f"the corpus was written by tokenizer {mine!r}, the model fitted on {its!r}; "
            "a loss between them means nothing"
        )
    stated, fitted = corpus.given_vocab_size, model.source.vocab_size
    if stated is not None and model.source.vocab_size_given and stated != fitted:
        raise MergeError(
            f"the corpus has a vocabulary of {stated}, the model one of {fitted}; "
            "a loss between them means nothing"
        )
