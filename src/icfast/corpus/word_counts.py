"""Number of words of a corpus whose ids are the bytes of its text."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from icfast.corpus.corpus import BYTES
from icfast.corpus.documents import DocumentSet, ShardDocuments

#: Bytes that bytes.split() splits at.
_WHITE_SPACE = b" \t\n\r\x0b\x0c"


def count_words(documents: DocumentSet) -> int | None:
    """Count the words in all documents: maximal sequences of bytes without white space.

    The end id counts as white space.

    Returns:
        the number of words, or None if the ids are not bytes.
    """
    corpus = documents.corpus
    if corpus.tokenizer != BYTES or any(s.tokens.itemsize != 1 for s in corpus.shards):
        return None
    space = np.zeros(256, np.bool_)
    space[list(_WHITE_SPACE)] = True
    if corpus.eos_id is not None and corpus.eos_id < 256:
        space[corpus.eos_id] = True
    return sum(_words(held, space) for held in documents.by_shard)


def _words(held: ShardDocuments, space: NDArray[np.bool_]) -> int:
    words = 0
    for start, stop in zip(held.starts.tolist(), held.stops.tolist(), strict=True):
        inside = ~space[held.shard.tokens[start:stop]]
        words += int(inside[:1].sum()) + int(np.count_nonzero(inside[1:] & ~inside[:-1]))
    return words
