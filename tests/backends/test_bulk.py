"""weigh_ngrams against naive Kneser-Ney; matched windows against scoring token by token."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from tests import naive
from tests.backends.definitions import bigrams_of, key_of, key_rows, ranked_windows, scratch_of
from tests.backends.test_scoring import HELDOUT, TRAINING, VOCABULARY, Fitted, conventions, words

from icfast.backends.counting import Alphabet, Chunk
from icfast.backends.models import Matches, MatchScratch, ScoreOut, Weights


def weigh_range(kernels, fitted, low, high, weights):
    trie = fitted.trie
    bigrams, scratch = bigrams_of(trie), scratch_of(trie)
    return kernels.weigh_ngrams(
        trie, bigrams, fitted.discounts, fitted.uniform, low, high, scratch, *weights
    )


def weigh(kernels, fitted, edges=()):
    """Return weights from ranges that begin at these ranks, in any order."""
    trie = fitted.trie
    found = Weights(np.full(len(trie.counts), np.nan), np.full(len(trie.child) - 1, np.nan))
    cuts = [0, *edges, int(trie.levels[1])]
    for low, high in reversed(list(pairwise(cuts))):
        status = weigh_range(kernels, fitted, low, high, found)
        assert status == (0, 0, 0)
    return found


def grams_of(fitted, convention):
    """Return the symbols of each node, oldest first, with the ids of the naive model."""
    ranks = naive.ranks(TRAINING)
    name = {0: naive.BEGIN, **{rank: token for token, rank in ranks.items()}}
    if convention == "kenlm":
        name[len(ranks) + 1] = naive.END
    trie = fitted.trie
    grams = [(name[node],) for node in range(int(trie.levels[1]))]
    for parent in range(len(trie.child) - 1):
        for node in range(int(trie.child[parent]), int(trie.child[parent + 1])):
            assert node == len(grams)
            grams.append((name[int(trie.symbols[node])], *grams[parent]))
    return grams


@conventions
@words
@pytest.mark.parametrize("order", [1, 2, 3, 5])
def test_weights_are_those_of_the_naive_model(kernels, order, convention, word):
    fitted = Fitted(order, convention, word)
    weights = weigh(kernels, fitted, edges=[1, 4])
    model = fitted.models[-1]
    stranger = VOCABULARY - 1
    assert weights.probabilities[0] == pytest.approx(model.probability(stranger, ()), rel=1e-12)
    for node, gram in enumerate(grams_of(fitted, convention)):
        if node:
            expected = model.probability(gram[-1], gram[:-1])
            assert weights.probabilities[node] == pytest.approx(expected, rel=1e-12)
        if len(gram) < order:
            # The backoff is the factor of an unseen successor's probability after the context
            # without its oldest symbol. Contexts without successors are skipped.
            unseen = model.probability(stranger, gram) / model.probability(stranger, gram[1:])
            assert weights.backoffs[node] == pytest.approx(unseen, rel=1e-12)


def test_an_ngram_without_its_context(kernels):
    fitted = Fitted(3, "tokens")
    node = int(fitted.trie.levels[3]) - 1
    fitted.trie.symbols[node] = 14
    weights = Weights(np.zeros(len(fitted.trie.counts)), np.zeros(len(fitted.trie.child) - 1))
    status = weigh_range(kernels, fitted, 0, int(fitted.trie.levels[1]), weights)
    assert status == (5, node, 14)


class Bulk:
    """Documents scored in bulk, with the scatter in Python."""

    def __init__(self, fitted, order, bits, words):
        self.fitted, self.order, self.bits, self.words = fitted, order, bits, words
        self.unknown = int(fitted.trie.levels[1])
        table = np.where(fitted.alphabet.ranks == 0, self.unknown, fitted.alphabet.ranks)
        end_rank = fitted.alphabet.end_rank
        self.alphabet = Alphabet(table.astype(np.uint32), end_rank, order, bits)

    def windows(self, held):
        """Return (lead, window) of every token, in order."""
        table, end = self.alphabet.ranks, self.alphabet.end_rank
        for document in held:
            ranks = [int(table[token]) for token in document] + [end] * bool(end)
            yield from ranked_windows(ranks, self.order)

    def match(self, kernels, held, groups, weights):
        """Return (offsets, matches), matched in groups of adjacent leads."""
        leads = np.arange(self.unknown + 1, dtype=np.uint32)
        buckets = [[w for w in self.windows(held) if w[0] == lead] for lead in leads]
        bounds = np.append(0, np.cumsum([len(b) for b in buckets])).astype(np.int64)
        keys = key_rows((key_of(w, self.bits) for b in buckets for w in b), self.words)
        largest = max(len(bucket) for bucket in buckets)
        index = np.full(len(keys), 2**32 - 1, np.uint32)
        matches = Matches(
            index, np.full((len(keys), self.order), np.nan), np.full(len(keys), 99, np.uint64)
        )
        scratch = MatchScratch(
            np.zeros((2 * largest, self.words), np.uint64), np.zeros(4 * largest, np.uint32)
        )
        edges = np.linspace(0, len(leads), groups + 1).astype(int).tolist()
        for first, last in pairwise(edges):
            status = kernels.match_windows(
                leads[first:last],
                bounds[first : last + 1],
                keys,
                self.bits,
                self.fitted.trie,
                weights,
                scratch,
                matches,
            )
            assert status == (0, 0, 0)
        return bounds[:-1].copy(), matches

    def score(self, kernels, held, groups=1, dtype="u2", weights=None):
        weights = weights or weigh(kernels, self.fitted)
        offsets, matches = self.match(kernels, held, groups, weights)
        stops = np.cumsum([len(document) for document in held]).astype(np.int64)
        starts = np.append(0, stops[:-1]).astype(np.int64)
        tokens = np.array([token for document in held for token in document], dtype)
        begin = weights.backoffs[0] if self.order > 1 else 1.0
        rows = [(len(held), 1), (len(held), 1), (len(held),), (len(held),), (len(held), 1)]
        out = ScoreOut(*(np.full(shape, 99, np.uint64) for shape in rows))
        # The second chunk of a thread continues where the first stopped.
        for first, last in [(0, 3), (3, len(held))]:
            chunk = Chunk(tokens, starts[first:last], stops[first:last], 0, len(tokens))
            here = ScoreOut(*(array[first:last] for array in out))
            status = kernels.score_windows(
                chunk, self.alphabet, self.unknown, offsets, matches, begin, here
            )
            assert status == (0, 0, 0)
        return out


#: Longer than a block of records, with frequent and unseen windows.
LONG = [[token for _ in range(40) for token in (1, 2, 1, 10, 3)], *HELDOUT]


@conventions
@words
@pytest.mark.parametrize("shape", [(1, 4, 1), (2, 4, 1), (3, 4, 1), (5, 4, 1), (5, 20, 2)])
@pytest.mark.parametrize("groups", [1, 4])
def test_sums_are_the_very_ones_of_the_walk(kernels, shape, convention, word, groups):
    fitted = Fitted(shape[0], convention, word)
    _, walked = fitted.score(kernels, LONG, 1)
    found = Bulk(fitted, *shape).score(kernels, LONG, groups)
    for name in ScoreOut._fields:
        assert np.array_equal(getattr(found, name), getattr(walked, name)), name


@pytest.mark.parametrize("shape", [(9, 24, 3), (9, 32, 4)])
def test_the_widest_keys(kernels, shape):
    fitted = Fitted(shape[0], "kenlm")
    _, walked = fitted.score(kernels, LONG, 1)
    found = Bulk(fitted, *shape).score(kernels, LONG)
    assert np.array_equal(found.low, walked.low)


@pytest.mark.parametrize("dtype", ["u1", "u4"])
def test_every_token_dtype(kernels, dtype):
    bulk = Bulk(Fitted(3, "tokens"), 3, 4, 1)
    assert np.array_equal(bulk.score(kernels, LONG, dtype=dtype).low, bulk.score(kernels, LONG).low)


def test_a_symbol_of_probability_zero_is_counted_apart(kernels):
    fitted = Fitted(2, "tokens")
    fitted.discounts[:] = 0
    held = [[11, 11], [9], [1, 2], [3]]
    _, walked = fitted.score(kernels, held, 1)
    found = Bulk(fitted, 2, 4, 1).score(kernels, held)
    assert found.infinite.tolist() == walked.infinite.tolist()
    assert found.infinite[0] == 2
    assert found.low.tolist() == walked.low.tolist()


def test_an_id_outside_the_vocabulary(kernels):
    bulk = Bulk(Fitted(3, "tokens"), 3, 4, 1)
    weights = weigh(kernels, bulk.fitted)
    offsets, matches = bulk.match(kernels, [[1, 2, 1]], 1, weights)
    tokens = np.array([1, VOCABULARY, 1], np.uint16)
    chunk = Chunk(tokens, np.array([0]), np.array([3]), 0, 3)
    out = ScoreOut(*(np.zeros((1, 1) if i in (0, 1, 4) else 1, np.uint64) for i in range(5)))
    status = kernels.score_windows(chunk, bulk.alphabet, 10, offsets, matches, 1.0, out)
    assert status == (1, 1, VOCABULARY)
