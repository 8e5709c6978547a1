"""Kneser-Ney of the oracle against KenLM's figures, calculations by hand and sums to 1."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import naive

small_corpora = st.lists(st.lists(st.integers(0, 5), max_size=12), min_size=1, max_size=6)
orders = st.integers(1, 5)


A, B = 0, 1
TOY = [[A, A, B, A], [B, A, A, B]]
TOY_LOG10 = [
    (naive.UNKNOWN, [], -0.90309),
    (A, [], -0.46943438),
    (B, [], -0.5720968),
    (naive.END, [], -0.5720968),
    (A, [A], -0.37712017),
    (naive.END, [A], -0.58682007),
    (A, [B], -0.2984526),
    (B, [naive.BEGIN], -0.41574955),
    (B, [A, A], -0.20102891),
    (A, [naive.BEGIN, A], -0.14885087),
    (A, [naive.BEGIN, B], -0.124077894),
    (naive.END, [B, A], -0.42082912),
]


def toy(number=float):
    return naive.KneserNey(TOY, 3, "kenlm", number=number)


@pytest.mark.parametrize(("token", "history", "log10"), TOY_LOG10)
def test_toy_log10(token, history, log10):
    # Printed by KenLM in float32: seven to eight digits.
    assert math.log10(toy().probability(token, history)) == pytest.approx(log10, rel=3e-7)


def test_toy_exact():
    model = toy(Fraction)
    assert model.fallback == [True, True, True]
    assert model.discounts[3] == (Fraction(1, 2), 1, Fraction(3, 2))
    assert float(model.probability(B, [A, A])) == 0.6294642857142857
    assert float(model.probability(A, [naive.BEGIN, B])) == 0.7514880952380952
    assert model.probability(naive.UNKNOWN, []) == Fraction(1, 8)
    assert model.probability(99, []) == Fraction(1, 8)
    assert float(model.probability(A, [])) == 0.3392857142857143


def all_histories(model):
    """Every context of every order, and some that were never seen."""
    known = [history for n in model.contexts for history in model.contexts[n]]
    unseen = [(A, 5, B), (5,), (naive.BEGIN, 5), (5, 5, 5, 5, 5)]
    return [*known, (), (naive.BEGIN,), *unseen]


def test_toy_sums_to_one():
    model = toy(Fraction)
    for history in all_histories(model):
        assert sum(model.probability(token, history) for token in model.vocabulary) == 1


def test_discounts():
    expected = (Fraction(5, 9), Fraction(7, 6), Fraction(5, 3))
    assert naive.modified_discounts(100, 40, 20, 12) == expected
    assert naive.modified_discounts(100, 40, 20, 0) == (*expected[:2], 3)
    assert naive.modified_discounts(0, 40, 20, 12) is None
    assert naive.modified_discounts(100, 0, 20, 12) is None
    assert naive.modified_discounts(100, 40, 0, 12) is None
    assert naive.modified_discounts(100, 40, 100, 12) is None  # D2 = 2 - 25/6 < 0
    assert naive.modified_discounts(100, 40, 20, 28) is None  # D3 = 3 - 28/9 < 0


def test_discounts_of_a_model():
    """One order, five ids seen once, three twice, two three times, one four times, one nine."""
    times = [1] * 5 + [2] * 3 + [3] * 2 + [4, 9]
    document = [token for token, count in enumerate(times) for _ in range(count)]
    model = naive.KneserNey([document], 1, "tokens", vocab_size=12, number=Fraction)
    assert model.counts_of_counts[1] == (5, 3, 2, 1)
    d1, d2, d3 = model.discounts[1]
    assert (d1, d2, d3) == (Fraction(5, 11), Fraction(12, 11), Fraction(23, 11))
    gamma = (5 * d1 + 3 * d2 + 4 * d3) / 30
    assert model.probability(11, [3, 4]) == (9 - d3) / 30 + gamma / 12
    assert model.fallback == [False]


def test_tokens_by_hand():
    """One document 0 0 1, V = 4, order 2: the unigram counts are 0: {<s>, 0} and 1: {0}."""
    model = naive.KneserNey([[0, 0, 1]], 2, "tokens", vocab_size=4, number=Fraction)
    assert model.counts[1] == {(0,): 2, (1,): 1}
    assert model.counts[2] == {(naive.BEGIN, 0): 1, (0, 0): 1, (0, 1): 1}
    assert model.probability(0, []) == Fraction(1, 3) + Fraction(1, 2) / 4
    assert model.probability(1, []) == Fraction(1, 6) + Fraction(1, 2) / 4
    assert model.probability(2, []) == Fraction(1, 8)
    first = Fraction(1, 2) + Fraction(1, 2) * Fraction(11, 24)
    assert model.probability(0, [naive.BEGIN]) == first
    assert model.probability(1, [0]) == Fraction(1, 4) + Fraction(1, 2) * Fraction(7, 24)
    assert model.probability(3, [naive.BEGIN]) == Fraction(1, 16)
    # 1 was seen at the document's end only, 3 never: neither has a successor.
    assert model.probability(0, [1]) == model.probability(0, [3]) == model.probability(0, [])
    by_parts = math.log2(first) + math.log2(Fraction(1, 16)) + math.log2(Fraction(11, 24))
    assert model.document_log2([0, 3, 0]) == pytest.approx(by_parts, abs=1e-12)
    assert (model.document_predicted([0, 3, 0]), model.document_oov([0, 3, 0])) == (3, 1)
    assert model.document_log2([]) == 0


def test_end_id():
    plain = naive.KneserNey(TOY, 3, "kenlm")
    marked = [[*document, 9] for document in TOY]
    ended = naive.KneserNey(marked, 3, "kenlm", eos_id=9)
    started = naive.KneserNey([[9, *d] for d in TOY], 3, "kenlm", eos_id=9, boundary="start")
    assert plain.counts == ended.counts == started.counts
    assert ended.document_log2([A, B, 9]) == plain.document_log2([A, B])
    assert (ended.document_predicted([A, B, 9]), ended.document_oov([A, 5, 9])) == (3, 1)
    assert ended.document_predicted([A, B]) == 3
    as_token = naive.KneserNey(marked, 3, "tokens", vocab_size=10, eos_id=9)
    assert as_token.document_predicted([A, B, 9]) == 3
    assert (9,) in as_token.counts[1]


def test_unknown_cuts_the_history():
    model = toy()
    assert model.probability(A, [B, 5]) == model.probability(A, [])
    assert model.probability(A, [5, B]) == model.probability(A, [B])
    assert model.document_oov([A, 5, 6, A]) == 2


def test_refusals():
    with pytest.raises(ValueError, match="needs vocab_size"):
        naive.KneserNey(TOY, 2, "tokens")
    with pytest.raises(ValueError, match="outside the vocabulary"):
        naive.KneserNey(TOY, 2, "tokens", vocab_size=1)
    with pytest.raises(ValueError, match="outside the vocabulary"):
        naive.KneserNey(TOY, 2, "tokens", vocab_size=2).probability(2, [])
    with pytest.raises(ValueError, match="never predicted"):
        toy().probability(naive.BEGIN, [])
    with pytest.raises(ValueError, match="convention"):
        naive.KneserNey(TOY, 2, "other")


@given(small_corpora, orders, st.sampled_from(["tokens", "kenlm"]))
@settings(max_examples=60)
def test_small_corpora_sum_to_one(documents, order, convention):
    model = naive.KneserNey(documents, order, convention, vocab_size=8, number=Fraction)
    for history in all_histories(model):
        assert sum(model.probability(token, history) for token in model.vocabulary) == 1


@pytest.mark.parametrize("convention", ["tokens", "kenlm"])
@pytest.mark.parametrize("order", [1, 2, 3, 4, 5])
def test_larger_corpora_sum_to_one(order, convention):
    """Phrases over and over: all orders have discounts of their own."""
    draw = random.Random(order)
    ids, weights = range(1000), [1 / (i + 1) ** 1.2 for i in range(1000)]
    phrases = [draw.choices(ids, weights, k=4) for _ in ids]
    drawn = [draw.choices(phrases, weights, k=draw.randrange(40)) for _ in range(80)]
    documents = [[token for phrase in document for token in phrase] for document in drawn]
    model = naive.KneserNey(documents, order, convention, vocab_size=1020)
    assert model.fallback == [False] * order
    histories = all_histories(model)
    histories = draw.sample(histories, min(20, len(histories)))
    for history in [*histories, (), (naive.BEGIN,)]:
        total = math.fsum(model.probability(token, history) for token in model.vocabulary)
        assert total == pytest.approx(1, abs=1e-12)
    heldout = [draw.choices(ids, weights, k=30)]
    extra = convention == "kenlm"
    bits = -model.document_log2(heldout[0]) / (30 + extra)
    assert model.loss_bits_per_token(heldout) == pytest.approx(bits, rel=1e-12)
