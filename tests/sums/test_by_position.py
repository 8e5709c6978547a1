"""Losses by position: bins cover every position, and sums are exact."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from icfast.sums.by_position import PositionSums, first_positions, position_bins
from icfast.sums.kinds import Kind
from icfast.sums.loss import whole_sum

positions = st.integers(0, 2**40) | st.integers(0, 2000)


@given(st.lists(positions, min_size=1))
def test_a_position_lies_in_its_bin(given_positions):
    found = np.array(given_positions, np.int64)
    bins = position_bins(found)
    first = first_positions(int(bins.max()) + 2)
    assert (first[bins] <= found).all()
    assert (found < first[bins + 1]).all()


def test_bins_are_exact_and_then_narrow():
    first = first_positions(5000)
    assert first[:257].tolist() == list(range(257))
    widths = np.diff(first)
    assert (widths > 0).all()
    assert (widths[256:] * 128 <= first[256:-1]).all()
    assert np.array_equal(position_bins(first), np.arange(5000))
    assert np.array_equal(position_bins(first[1:] - 1), np.arange(4999))
    assert first_positions(0).tolist() == []


def sums(values):
    """Return sums whose bins have these (quanta, counts by status code)."""
    low = np.array([quanta % 2**64 for quanta, _ in values], np.uint64)
    high = np.array([quanta % 2**128 >> 64 for quanta, _ in values], np.uint64)
    counts = np.array([row for _, row in values], np.uint64).reshape(-1, len(Kind))
    return PositionSums(low, high, counts)


def values(found):
    pairs = zip(found.low, found.high, found.counts, strict=True)
    return [(whole_sum(low[None], high[None]), row.tolist()) for low, high, row in pairs]


wholes = st.integers(-(2**100), 2**100)
rows = st.lists(
    st.tuples(wholes, st.lists(st.integers(0, 2**40), min_size=6, max_size=6)), max_size=5
)


@given(rows, rows, rows)
def test_addition_laws(a, b, c):
    one, two, three = sums(a), sums(b), sums(c)
    left, right = values((one + two) + three), values(three + (two + one))
    assert left == right
    assert values(one + PositionSums.zeros()) == a == values(one)
    longest = max(len(a), len(b))
    padded = [side + [(0, [0] * 6)] * (longest - len(side)) for side in (list(a), list(b))]
    expected = [
        (q + p, [m + n for m, n in zip(x, y, strict=True)])
        for (q, x), (p, y) in zip(*padded, strict=True)
    ]
    assert values(one + two) == expected


def test_rows_by_doubling():
    held = [(n, [1, 0, 0, 0, 0, 0]) for n in range(300)]
    held[3] = (3, [1, 2, 3, 4, 5, 6])
    held[4:8] = [(0, [0] * 6)] * 4
    rows = sums(held).doublings()
    assert [(row.first, row.last) for row in rows] == [
        (0, 0),
        (1, 1),
        (2, 3),
        *((2**k, 2 ** (k + 1) - 1) for k in range(3, 9)),
    ]
    assert [row.loss.quanta for row in rows[:4]] == [0, 1, 5, sum(range(8, 16))]
    third = rows[2].loss
    assert (third.predicted_tokens, third.ignored, third.infinite) == (1 + 1 + 3 + 4 + 5 + 6, 2, 3)
    assert (third.nan, third.out_of_range, third.huge) == (4, 5, 6)
    assert sum(row.loss.quanta for row in rows) == sum(range(300)) - 4 - 5 - 6 - 7
    assert PositionSums.zeros().doublings() == []
