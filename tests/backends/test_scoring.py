"""score_ngrams against naive Kneser-Ney, on tries made from dictionaries."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from tests import naive
from tests.backends.definitions import Shape, lay, trie_of

from icfast.backends.counting import Alphabet, Chunk
from icfast.backends.models import ScoreOut

VOCABULARY = 12
words = pytest.mark.parametrize("word", [np.uint32, np.uint64], ids=["u32", "u64"])
conventions = pytest.mark.parametrize("convention", ["tokens", "kenlm"])


def documents(seed, ids, sizes):
    generator = random.Random(seed)
    return [
        [min(generator.randrange(ids), generator.randrange(ids)) for _ in range(n)] for n in sizes
    ]


#: Enough repetition for real discounts, and every length around the order. Id 9 occurs only at the
#: end of documents, so nothing follows it.
TRAINING = [*documents(1, 8, [0, 1, 2, 3, 4, 5, 6, 40, 60, 90]), [1, 2, 9], [3, 9], [9]]
#: Ids 8, 10 and 11 are not in training.
HELDOUT = [*documents(2, VOCABULARY, [0, 1, 2, 3, 7, 30, 50]), [1, 2, 9, 1, 2], [9, 9, 3]]


class Fitted:
    """Arguments of the kernel for a model, from naive definitions."""

    def __init__(self, order, convention, word=np.uint32, training=TRAINING):
        kenlm = convention == "kenlm"
        laid = lay(training, Shape(order, 4, 1), end_mark=kenlm)
        ranks = naive.ranks(training)
        table = np.zeros(VOCABULARY, np.uint32)
        for token, rank in ranks.items():
            table[token] = rank
        symbols = len(ranks) + 1 + kenlm
        self.alphabet = Alphabet(table, len(ranks) + 1 if kenlm else 0, order, 4)
        self.trie = trie_of(laid.ranked, order, symbols, word)
        self.models = [
            naive.KneserNey(training, k, convention, VOCABULARY) for k in range(1, order + 1)
        ]
        self.uniform = float(self.models[0].uniform)
        self.discounts = np.zeros((2, order + 1, 4))
        for n in range(1, order + 1):
            self.discounts[0, n, 1:] = self.models[-1].discounts[n] if n < order else 0
            self.discounts[1, n, 1:] = self.models[n - 1].discounts[n]

    def score(self, kernels, held, columns, dtype="u2"):
        stops = np.cumsum([len(document) for document in held]).astype(np.int64)
        starts = np.append(0, stops[:-1]).astype(np.int64)
        tokens = np.array([token for document in held for token in document], dtype)
        chunk = Chunk(tokens, starts, stops, 0, len(tokens))
        # The kernel overwrites earlier contents of the rows.
        one, each = (len(held),), (len(held), columns)
        rows = [each, each, one, one, each]
        out = ScoreOut(*(np.full(shape, 99, np.uint64) for shape in rows))
        status = kernels.score_ngrams(
            chunk, self.alphabet, self.trie, self.discounts, self.uniform, out
        )
        return status, out


@conventions
@words
@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("ladder", [False, True], ids=["top", "ladder"])
def test_losses_are_those_of_naive_models(kernels, order, convention, word, ladder):
    fitted = Fitted(order, convention, word)
    status, out = fitted.score(kernels, HELDOUT, order if ladder else 1)
    assert status == (0, 0, 0)
    assert not out.high.any()
    models = fitted.models if ladder else fitted.models[-1:]
    for d, document in enumerate(HELDOUT):
        assert out.predicted[d] == models[0].document_predicted(document)
        assert out.oov[d] == models[0].document_oov(document)
        for column, model in enumerate(models):
            probabilities = [float(p) for p in model.document_probabilities(document)]
            impossible = sum(p == 0 for p in probabilities)
            assert out.infinite[d, column] == impossible
            quanta = sum(naive.fixed_point_nats(-math.log(p)) for p in probabilities if p)
            # A logarithm can be rounded to either side of half a quantum.
            assert abs(int(out.low[d, column]) - quanta) <= 1e-9 * quanta + len(probabilities)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
def test_every_token_dtype(kernels, dtype):
    fitted = Fitted(3, "tokens")
    _, expected = fitted.score(kernels, HELDOUT, 1)
    _, found = fitted.score(kernels, HELDOUT, 1, dtype)
    assert all(np.array_equal(*pair) for pair in zip(found, expected, strict=True))


def test_a_symbol_of_probability_zero_is_counted_apart(kernels):
    # Without discounts, unseen symbols have probability 0.
    fitted = Fitted(2, "tokens")
    fitted.discounts[:] = 0
    status, out = fitted.score(kernels, [[11, 11], [9]], 2)
    assert status == (0, 0, 0)
    assert out.infinite.tolist() == [[2, 2], [0, 0]]
    assert out.low[0].tolist() == [0, 0]
    assert out.predicted.tolist() == [2, 1]


@pytest.mark.ci
def test_sums_carry_into_128_bits(kernels):
    # A symbol of 700 nats is 700 * 2^32 units; 6.2 million of them exceed 2^64.
    fitted = Fitted(1, "tokens")
    fitted.uniform = math.exp(-700.0)
    repeats = 6_200_000
    status, out = fitted.score(kernels, [[11] * repeats, [11]], 1, "u1")
    assert status == (0, 0, 0)
    assert out.high[0, 0] == 1
    one = int(out.low[1, 0])
    assert 700 * 2**32 < one < 703 * 2**32
    assert (int(out.high[0, 0]) << 64) + int(out.low[0, 0]) == repeats * one


def test_an_id_outside_the_vocabulary(kernels):
    fitted = Fitted(3, "tokens")
    status, _ = fitted.score(kernels, [[1, 2], [VOCABULARY - 1, VOCABULARY, 1]], 1)
    assert status == (1, 3, VOCABULARY)
