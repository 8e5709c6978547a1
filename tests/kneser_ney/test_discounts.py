"""Discounts of modified Kneser-Ney from counts of counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import naive

from icfast.kneser_ney.discounts import (
    FALLBACK,
    Discounts,
    OrderDiscounts,
    discount_table,
    discounts,
)


def test_by_hand():
    found = discounts([100, 40, 20, 12])
    assert found.values == (5 / 9, 7 / 6, 5 / 3)
    assert found.counts_of_counts == (100, 40, 20, 12)
    assert not found.fallback


#: Discounts of real token ids, computed in double precision without icfast.
REAL = [
    ((5847, 3668, 2521, 1713), (0.4435257529, 1.085500199, 1.794510726)),
    ((358721, 73931, 28533, 14853), (0.7081189065, 1.180123760, 1.525540235)),
    ((901540, 172563, 61638, 34799), (0.7231608145, 1.225079775, 1.366898784)),
    ((1085788, 111835, 31681, 13905), (0.8291888705, 1.295313651, 1.544254128)),
    ((1652051, 97287, 22422, 9058), (0.8946326406, 1.381434732, 1.554351537)),
    ((1770201, 203033, 58699, 31798), (0.8134116816, 1.294502091, 1.237457902)),
]


@pytest.mark.parametrize(("counts_of_counts", "values"), REAL)
def test_of_real_token_ids(counts_of_counts, values):
    assert discounts(counts_of_counts).values == pytest.approx(values, rel=1e-9)


@given(st.lists(st.integers(0, 2**60), min_size=4, max_size=4))
def test_against_exact_fractions(counts_of_counts):
    found, exact = discounts(counts_of_counts), naive.modified_discounts(*counts_of_counts)
    assert found.fallback == (exact is None)
    assert found.values == tuple(map(float, exact or naive.FALLBACK_DISCOUNTS))
    assert found.counts_of_counts == tuple(counts_of_counts)


@pytest.mark.parametrize(
    "counts_of_counts",
    [
        (0, 1, 1, 1),
        (1, 0, 1, 1),
        (1, 1, 0, 1),
        (1, 1, 2, 0),  # D2 = 2 - 3 * 1/3 * 2 = 0: on the edge, kept
        (1, 2, 4, 1),  # D2 = 2 - 3/5 * 2 = 4/5 kept
        (10, 1, 1, 1),
        (1, 1, 1, 3),  # D3 = 3 - 4/3 * 3 = -1
        (2, 1, 2, 1),  # D2 = 2 - 3/2 * 2 = -1
    ],
)
def test_the_edges_of_the_fallback(counts_of_counts):
    exact = naive.modified_discounts(*counts_of_counts)
    assert discounts(counts_of_counts).fallback == (exact is None)


def test_an_absent_n4_is_no_reason_to_fall_back():
    assert discounts([10, 5, 2, 0]).values[2] == 3.0


def test_the_table_of_the_scoring_kernel():
    top = [Discounts((n + 0.1, n + 0.2, n + 0.3), (1, 1, 1, 1), False) for n in (1, 2)]
    lower = Discounts(FALLBACK, (0, 0, 0, 0), True)
    table = discount_table([OrderDiscounts(1, top[0], lower), OrderDiscounts(2, top[1], None)])
    expected = np.zeros((2, 3, 4))
    expected[0, 1] = [0, 0.5, 1.0, 1.5]
    expected[1, 1:] = [[0, 1.1, 1.2, 1.3], [0, 2.1, 2.2, 2.3]]
    assert np.array_equal(table, expected)
