"""The oracle against published figures, hand calculations and its own identities."""

from __future__ import annotations

import math
import random
from collections import Counter
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests import naive

ABRACADABRA = [ord(letter) for letter in "abracadabra"]
ABRA = ABRACADABRA[:4]

small_corpora = st.lists(st.lists(st.integers(0, 5), max_size=12), min_size=1, max_size=6)
orders = st.integers(1, 5)


# Counts --------------------------------------------------------------------------------------


def test_counts_by_hand():
    documents = [[7, 7, 9], [7], []]
    begin = naive.BEGIN
    assert naive.ngram_counts(documents, 1) == {(7,): 3, (9,): 1}
    assert naive.ngram_counts(documents, 2) == {(7, 7): 1, (7, 9): 1}
    assert naive.ngram_counts(documents, 4) == {}
    assert naive.starting_counts(documents, 2) == {(begin, 7): 2}
    assert naive.starting_counts(documents, 3) == {(begin, 7, 7): 1}
    assert naive.followed_counts(documents, 1) == {(7,): 2}
    assert naive.followed_counts(documents, 2) == {(7, 7): 1}
    assert naive.starting_followed_counts(documents, 1) == {(begin,): 2}
    assert naive.starting_followed_counts(documents, 2) == {(begin, 7): 1}
    assert naive.left_neighbour_counts(documents, 1) == {(7,): 2, (9,): 1}
    assert naive.left_neighbour_counts(documents, 2) == {(7, 7): 1, (7, 9): 1}
    assert naive.fan_out_counts(documents, 1) == {(7,): 2}
    assert naive.starting_fan_out_counts(documents, 1) == {(begin,): 1}
    assert naive.spectrum(naive.ngram_counts(documents, 1)) == {1: 1, 3: 1}


def test_padded_windows_by_hand():
    documents = [[40, 10, 40], [], [20]]
    expected = [(3, 0, 0), (1, 3, 0), (3, 1, 3), (2, 0, 0)]
    assert naive.padded_windows(documents, 3) == expected
    assert naive.padded_window_counts(documents, 1) == {(3,): 2, (1,): 1, (2,): 1}


@given(small_corpora, orders)
def test_counts_agree_with_each_other(documents, n):
    grams = naive.ngram_counts(documents, n)
    windows = sum(max(0, len(document) - n + 1) for document in documents)
    assert sum(r * phi for r, phi in naive.spectrum(grams).items()) == windows
    # Every follower belongs to one (n+1)-gram, every predecessor to one begun (n+1)-gram.
    longer = naive.ngram_counts(documents, n + 1)
    starting = naive.starting_counts(documents, n + 1)
    followed = naive.followed_counts(documents, n)
    assert followed.total() == longer.total()
    assert naive.fan_out_counts(documents, n).total() == len(longer)
    assert naive.fan_out_counts(documents, n).keys() == followed.keys()
    starting_followed = naive.starting_followed_counts(documents, n)
    assert starting_followed.total() == starting.total()
    assert naive.starting_fan_out_counts(documents, n).keys() == starting_followed.keys()
    left = naive.left_neighbour_counts(documents, n)
    assert left.keys() == grams.keys()
    assert left.total() == len(longer) + len(starting)


@given(small_corpora, orders)
def test_padded_windows_hold_every_order(documents, n):
    windows = naive.padded_window_counts(documents, n)
    back = {rank: token for token, rank in naive.ranks(documents).items()}
    assert list(back.values()) == sorted(back.values())
    assert windows.total() == sum(map(len, documents))
    for k in range(1, n + 1):
        grams = Counter()
        for window, count in windows.items():
            if 0 not in window[:k]:
                grams[tuple(back[rank] for rank in reversed(window[:k]))] += count
        assert grams == naive.ngram_counts(documents, k)


# Entropies -----------------------------------------------------------------------------------


def test_abracadabra():
    one, two = [ABRACADABRA], [ABRACADABRA, ABRA]
    assert naive.prefix_marginal_bits(one, 2) == pytest.approx(0.6, abs=1e-15)
    assert naive.bos_padded_bits(one, 2) == pytest.approx(6 / 11, abs=1e-15)
    assert naive.difference_bits(one, 2) == pytest.approx(0.68155470119886616, abs=1e-15)
    assert naive.prefix_marginal_bits(two, 2) == pytest.approx(0.5272886901748726, abs=1e-15)
    assert naive.bos_padded_bits(two, 2) == pytest.approx(0.4569835314848897, abs=1e-15)


def thue_morse(length):
    return [i.bit_count() % 2 for i in range(length)]


@pytest.mark.parametrize("n", range(2, 8))
@pytest.mark.parametrize("name", ["prefix_marginal", "bos_padded", "difference"])
def test_thue_morse(name, n):
    # The figures are those of the infinite word. A prefix of 2^14 has factor frequencies off by a
    # few occurrences in 16384, and bos_padded gives up to n - 1 first tokens a history of their
    # own: together below 1.7e-4 bit, falling as 1/length (a prefix of 2^20 is within 1e-6 or so).
    infinite = {2: 0.91829583405448951, 3: 2 / 3, 4: 2 / 3, 5: 1 / 3, 6: 1 / 3, 7: 1 / 3}
    entropy_bits = getattr(naive, f"{name}_bits")
    assert entropy_bits([thue_morse(2**14)], n) == pytest.approx(infinite[n], abs=2e-4)


@pytest.mark.parametrize(("n", "bits"), [(1, 1), (2, 2), (3, 3), (4, 4), (5, 4), (6, 4)])
def test_de_bruijn(n, bits):
    cycle = [int(bit) for bit in "0000100110101111"]
    circular = [(cycle * 2)[: 16 + n - 1]]
    assert naive.block_entropy_bits(circular, n) == bits


@given(small_corpora, orders)
def test_entropies_do_not_see_what_they_must_not(documents, n):
    if max(map(len, documents)) < n:
        with pytest.raises(ValueError, match="no window"):
            naive.prefix_marginal_bits(documents, n)
        return
    relabelled = [[1000 - 7 * token for token in document] for document in documents]
    backwards = [document[::-1] for document in documents]
    for entropy_bits in (naive.prefix_marginal_bits, naive.bos_padded_bits, naive.difference_bits):
        value = entropy_bits(documents, n)
        assert entropy_bits(documents * 2, n) == pytest.approx(value, abs=1e-12)
        assert entropy_bits(relabelled, n) == pytest.approx(value, abs=1e-12)
        assert entropy_bits(documents[::-1], n) == pytest.approx(value, abs=1e-12)
    block = naive.block_entropy_bits(documents, n)
    assert naive.block_entropy_bits(backwards, n) == pytest.approx(block, abs=1e-12)


@given(small_corpora, orders)
def test_entropies_from_counts(documents, n):
    """[sum n_c log2 n_c - sum n_cw log2 n_cw] / M, the form a count table uses."""
    tokens = sum(map(len, documents))
    windows = naive.ngram_counts(documents, n)
    if not windows:
        return

    def entropy_sum(*tables):
        return math.fsum(c * math.log2(c) for table in tables for c in table.values())

    contexts = naive.followed_counts(documents, n - 1) if n > 1 else {(): tokens}
    by_sums = (entropy_sum(contexts) - entropy_sum(windows)) / windows.total()
    assert naive.prefix_marginal_bits(documents, n) == pytest.approx(by_sums, abs=1e-12)
    # All tokens: besides the complete windows, one event for each document's first n - 1 tokens.
    begun = [naive.starting_counts(documents, k) for k in range(2, n + 1)]
    opened = [naive.starting_followed_counts(documents, k) for k in range(1, n)]
    by_sums = (entropy_sum(contexts, *opened) - entropy_sum(windows, *begun)) / tokens
    assert naive.bos_padded_bits(documents, n) == pytest.approx(by_sums, abs=1e-12)


# Kneser-Ney ----------------------------------------------------------------------------------

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


# Hash and fixed point ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "value"),
    [(b"", 0xCBF29CE484222325), (b"a", 0xAF63DC4C8601EC8C), (b"foobar", 0x85944171F73967E8)],
)
def test_fnv1a(data, value):
    assert naive.fnv1a_64(data) == value


def test_fmix64():
    assert naive.fmix64(0) == 0
    assert naive.fmix64(1) == 0xB456BCFC34C2CB2C


def test_document_hash():
    ids_as_bytes = bytes([1, 0, 0, 0, 0x51, 0xC4, 0, 0, 0, 0, 1, 0])
    value = naive.fmix64(naive.fnv1a_64(ids_as_bytes))
    assert naive.document_hash([1, 0xC451, 65536]) == value
    assert naive.document_hash([1, 0xC451, 65536, 7], 7) == value
    assert naive.document_hash([7, 1, 0xC451, 65536], 7, "start") == value
    assert naive.document_hash([7, 1, 0xC451, 65536], 7, "end") != value
    assert naive.document_hash([1, 0xC451, 65536, 7, 7], 7) != value
    # Frozen for good: a split is only reproducible while these stay.
    assert naive.document_hash([]) == 0xEFD01F60BA992926
    assert naive.document_hash([1, 2, 3]) == 0xF50E90AAE860FE4C


def test_heldout_share():
    documents = [[i, i * i, 50256] for i in range(4000)]
    for fraction in (0.0, 0.1, 0.5, 1.0):
        share = sum(naive.is_heldout(d, fraction, 50256, "end") for d in documents) / 4000
        # Five standard errors of a fair hash; 0 and 1 are exact.
        assert abs(share - fraction) <= 5 * math.sqrt(fraction * (1 - fraction) / 4000)
    hashed = naive.document_hash([1, 2, 3])
    assert not naive.is_heldout([1, 2, 3], Fraction(hashed, 2**64))
    assert naive.is_heldout([1, 2, 3], Fraction(hashed + 1, 2**64))


@pytest.mark.parametrize(
    ("nats", "units"),
    [(0.0, 0), (1.0, 2**32), (2**-33, 0), (3 * 2**-33, 2), (5 * 2**-33, 2), (-(2**-32), -1)],
)
def test_fixed_point(nats, units):
    assert naive.fixed_point_nats(nats) == units


# Losses of logits ----------------------------------------------------------------------------


def test_losses_by_hand():
    assert naive.token_loss([1000.0, 1000.0], 0).nll_nats == math.log(2)
    assert naive.token_loss([0.0] * 50257, 7).nll_nats == pytest.approx(math.log(50257), rel=1e-15)
    found = naive.token_loss([math.log(3), 0.0, -math.inf], 1)
    assert found == ("scored", *(pytest.approx(x) for x in (math.log(4), math.log(4))), *found[3:])
    assert found.entropy_nats == pytest.approx(math.log(4) - 0.75 * math.log(3))
    assert found.rank == 1
    assert naive.token_loss([1.0, -math.inf], 1)[:2] == ("infinite", math.inf)
    # 2 tanh(x / 2) of 2 artanh(1/2) is 1, and halving the temperature doubles it.
    x = 2 * math.atanh(0.5)
    capped = naive.token_loss([x, 0.0], 1, softcap=2.0, temperature=0.5)
    assert capped.nll_nats == pytest.approx(math.log1p(math.exp(2)))


@pytest.mark.parametrize(
    ("logits", "target", "kind"),
    [
        ([1.0, 2.0], -100, "ignored"),
        ([math.nan, 2.0], -100, "ignored"),
        ([1.0, 2.0], 2, "out_of_range"),
        ([1.0, 2.0], -1, "out_of_range"),
        ([math.nan, 2.0], 2, "out_of_range"),
        ([math.nan, 2.0], 1, "nan"),
        ([math.inf, 2.0], 0, "nan"),
        ([-math.inf, -math.inf], 0, "nan"),
    ],
)
def test_rows_without_a_loss(logits, target, kind):
    found = naive.token_loss(logits, target)
    assert found.kind == kind
    assert found.nll_nats == 0 if kind == "ignored" else math.isnan(found.nll_nats)
    assert found.rank == -1
    assert math.isnan(found.logsumexp_nats) == (logits != [1.0, 2.0])
