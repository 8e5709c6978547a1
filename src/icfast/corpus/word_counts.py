"""Words of a text whose bytes are the ids of a corpus."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from icfast.corpus.corpus import BYTES
from icfast.corpus.documents import DocumentSet, ShardDocuments

#: What bytes.split() cuts at.
_WHITE_SPACE = b" \t\n\r\x0b\x0c"


def count_words(documents: DocumentSet) -> int | None:
    """Runs of bytes between white space in all documents; None where the ids are no bytes.

    The end id, where there is one, counts as white space.
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
