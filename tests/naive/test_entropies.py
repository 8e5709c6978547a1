"""Entropies of the oracle against published figures and their own identities."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import naive

small_corpora = st.lists(st.lists(st.integers(0, 5), max_size=12), min_size=1, max_size=6)
orders = st.integers(1, 5)
ABRACADABRA = [ord(letter) for letter in "abracadabra"]
ABRA = ABRACADABRA[:4]


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
