"""add_losses against exact fractions: the same integers for any order, split and merge."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from icfast.backends.losses import LossCells
from icfast.sums.kinds import Kind

CELLS = 3
UNIT = 2.0**-32

#: Losses of every size a sum takes, halves of a unit and both signs among them.
sums = st.one_of(
    st.floats(0, 30),
    st.floats(-(2.0**31), 2.0**31, exclude_min=True, exclude_max=True),
    st.integers(-40, 40).map(lambda halves: halves * UNIT / 2),
    st.integers(-(2**53) + 1, 2**53 - 1).map(lambda halves: halves * UNIT / 2),
    st.floats(-1e-9, 1e-9),
)
#: Losses that enter no sum, for any kind.
OTHERS = [math.inf, -math.inf, math.nan, 2.0**31, -(2.0**31), 1e300, -1e300]
kinds = st.just(Kind.SCORED) | st.sampled_from(list(Kind))
rows = st.lists(
    st.tuples(sums | st.sampled_from(OTHERS), kinds, st.integers(-2, CELLS - 1)), max_size=40
)


def no_cells(cells=CELLS):
    return LossCells(*(np.zeros(cells, np.uint64) for _ in "ab"), np.zeros((cells, 6), np.uint64))


def add(kernels, given_rows, into=None):
    into = no_cells() if into is None else into
    columns = list(zip(*given_rows, strict=True)) or [(), (), ()]
    arrays = [np.array(c, t) for c, t in zip(columns, ("f8", "u1", "i8"), strict=True)]
    status = kernels.add_losses(*arrays, into)
    return status, into


def whole(cells):
    """Return each cell's sum as a Python integer."""
    halves = zip(cells.high.tolist(), cells.low.tolist(), strict=True)
    return [((high << 64) + low + 2**127) % 2**128 - 2**127 for high, low in halves]


def defined(given_rows):
    """Return sums and counts by the definition: exact fractions, rounded half to even."""
    quanta, counts = [0] * CELLS, [[0] * 6 for _ in range(CELLS)]
    for nats, kind, cell in given_rows:
        if cell < 0:
            continue
        if kind == Kind.SCORED:
            if math.isnan(nats) or nats == -math.inf:
                kind = Kind.NAN
            elif nats == math.inf:
                kind = Kind.INFINITE
            elif abs(nats) >= 2**31:
                kind = Kind.HUGE
            else:
                quanta[cell] += round(Fraction(nats) * 2**32)
        counts[cell][kind] += 1
    return quanta, counts


@given(rows)
@example([(1.5 * UNIT, Kind.SCORED, 0), (2.5 * UNIT, Kind.SCORED, 1), (-0.5 * UNIT, 0, 2)])
@example([(-1.5 * UNIT, Kind.SCORED, 0), ((2**52 - 1) * UNIT / 2, Kind.SCORED, 1)])
@example([((2**52 + 1) * UNIT / 2, 0, 0), (-(2**52 + 1) * UNIT / 2, 0, 1)])
@example([((2**53 - 1) * UNIT / 2, 0, 0), (-(2**53 - 1) * UNIT / 2, 0, 1), (-0.0, 0, 2)])
@example([(math.nextafter(2.0**31, 0), 0, 0)] * 5 + [(math.nextafter(-(2.0**31), 0), 0, 1)] * 5)
def test_sums_are_those_of_fractions(kernels, given_rows):
    status, found = add(kernels, given_rows)
    assert status == (0, 0, 0)
    quanta, counts = defined(given_rows)
    assert whole(found) == quanta
    assert found.counts.tolist() == counts


@given(st.data(), rows)
def test_any_order_split_and_merge_gives_the_same_integers(kernels, data, given_rows):
    _, expected = add(kernels, given_rows)
    shuffled = data.draw(st.permutations(given_rows))
    cut = data.draw(st.integers(0, len(shuffled)))
    _, one = add(kernels, shuffled[:cut])
    _, found = add(kernels, shuffled[cut:], one)
    assert all(np.array_equal(*pair) for pair in zip(found, expected, strict=True))


@pytest.mark.parametrize("nats", OTHERS)
@pytest.mark.parametrize("kind", list(Kind))
def test_what_fits_no_sum_is_counted_as_what_it_is(kernels, nats, kind):
    _, found = add(kernels, [(nats, kind, 1)])
    quanta, counts = defined([(nats, kind, 1)])
    assert whole(found) == quanta == [0, 0, 0]
    assert found.counts.tolist() == counts


def test_sums_carry_and_borrow_across_the_halves(kernels):
    largest = math.nextafter(2.0**31, 0)
    quanta = int(largest * 2**32)
    up = [(largest, 0, 0)] * 5
    _, found = add(kernels, up)
    assert (found.high[0], whole(found)[0]) == (2, 5 * quanta)
    _, found = add(kernels, [(-largest, 0, 0)] * 7, found)
    assert (found.high[0], whole(found)[0]) == (2**64 - 1, -2 * quanta)
    _, found = add(kernels, [(largest, 0, 0)] * 2 + [(-UNIT, 0, 0), (UNIT, 0, 0)], found)
    assert whole(found) == [0, 0, 0]


def test_nothing_to_add(kernels):
    status, found = add(kernels, [])
    assert status == (0, 0, 0)
    assert not any(array.any() for array in found)


@pytest.mark.parametrize("row", [(1.0, 0, CELLS), (1.0, 6, 0)], ids=["cell", "kind"])
def test_a_cell_or_a_kind_that_is_none(kernels, row):
    status, found = add(kernels, [(1.0, 0, 1), row, (1.0, 0, 1)])
    assert status == (3, 1, max(row[1], row[2]) + 1)
    assert whole(found) == [0, 2**32, 0]
    status, found = add(kernels, [(1.0, 6, -1)])
    assert status == (0, 0, 0)
