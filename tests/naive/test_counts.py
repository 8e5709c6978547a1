"""Counts of the oracle, by hand and against each other."""

from __future__ import annotations

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st
from tests import naive

small_corpora = st.lists(st.lists(st.integers(0, 5), max_size=12), min_size=1, max_size=6)
orders = st.integers(1, 5)


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
