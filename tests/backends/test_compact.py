"""score_compact at the limits of its arithmetic; tests/kneser_ney/test_compact.py has the rest."""

from __future__ import annotations

import numpy as np
import pytest

from icfast.backends.counting import Alphabet, Chunk
from icfast.backends.models import CompactTrie, ScoreOut

#: A negative loss, which rounding and pruning can produce.
BELOW_ZERO = -5
HUGE = 2**62


def unigrams(losses):
    rows = np.zeros((len(losses) + 1, 3), np.int64)
    rows[:-1, 0] = losses
    return CompactTrie(
        np.array([0, len(losses)], np.int64),
        rows,
        np.zeros((0, 3), np.int64),
        np.zeros((0, 2, 2), np.int64),
        np.zeros(1, np.uint64),
        np.ones(1, np.uint64),
        np.zeros(1, np.uint64),
        np.zeros(0, np.int64),
        np.zeros(0, np.uint32),
    )


def score(kernels, trie, documents, end_rank=0, dtype="u2"):
    stops = np.cumsum([len(document) for document in documents]).astype(np.int64)
    starts = np.append(0, stops[:-1]).astype(np.int64)
    tokens = np.array([token for document in documents for token in document], dtype)
    chunk = Chunk(tokens, starts, stops, 0, len(tokens))
    # Ids 0 and 1 have ranks; 2 is unknown.
    alphabet = Alphabet(np.array([1, 2, 0], np.uint32), end_rank, 1, 2)
    one, each = (len(documents),), (len(documents), 1)
    out = ScoreOut(*(np.full(s, 99, np.uint64) for s in (each, each, one, one, each)))
    return kernels.score_compact(chunk, alphabet, trie, out), out


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
def test_sums(kernels, dtype):
    trie = unigrams([70, 10, 20, 3])
    status, out = score(kernels, trie, [[0, 1, 1], [], [2, 0]], end_rank=3, dtype=dtype)
    assert status == (0, 0, 0)
    assert out.low[:, 0].tolist() == [53, 3, 83]
    assert out.predicted.tolist() == [4, 1, 3]
    assert out.oov.tolist() == [0, 0, 1]
    assert not out.high.any()
    assert not out.infinite.any()


def test_sums_carry_into_128_bits(kernels):
    _, out = score(kernels, unigrams([1, HUGE, HUGE]), [[0] * 9, [2, 1]])
    assert (int(out.high[0, 0]) << 64) + int(out.low[0, 0]) == 9 * HUGE
    assert (out.high[1, 0], out.low[1, 0]) == (0, HUGE + 1)


def test_no_loss_is_below_zero(kernels):
    _, out = score(kernels, unigrams([1, BELOW_ZERO, 7]), [[0, 1, 0]])
    assert out.low[0, 0] == 7


def test_an_id_outside_the_vocabulary(kernels):
    status, _ = score(kernels, unigrams([1, 1, 1]), [[0], [1, 3, 0]])
    assert status == (1, 2, 3)
