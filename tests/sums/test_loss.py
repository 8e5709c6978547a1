"""Sums of losses are exact, in any summation order and for any number of bits."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import MissingExtraError
from icfast.sums.loss import (
    QUANTA_PER_NAT,
    DocumentScores,
    LossSum,
    add_halves,
    halves_to_nats,
    whole_sum,
)

counts = st.integers(0, 2**70)
signed = st.integers(-(2**70), 2**70)
known = st.none() | st.integers(0, 2**40)
losses = st.builds(LossSum, signed, *[counts] * 4, known, *[counts] * 4, known)
NOTHING = LossSum(0, 0, 0, 0, 0, 0, words=0)
u64 = st.integers(0, 2**64 - 1)


@pytest.mark.ci
@given(losses, losses, losses)
def test_addition_laws(a, b, c):
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + NOTHING == a


def test_addition_by_hand():
    total = LossSum(5, 3, 1, 0, 1, 10) + LossSum(7, 4, 0, 2, 2, 20)
    assert total == LossSum(12, 7, 1, 2, 3, 30)
    assert (total + LossSum(1, 1, 0, 0, 1, None)).text_bytes is None
    left_out = LossSum(5, 3, 1, 0, 1, None, 1, 2, 3, 4, 5) + LossSum(
        -7, 4, 0, 2, 2, 0, 9, 8, 7, 6, 5
    )
    assert left_out == LossSum(-2, 7, 1, 2, 3, None, 10, 10, 10, 10, 10)


@given(signed)
def test_nats_are_rounded_once(quanta):
    assert LossSum(quanta, 1, 0, 0, 1).nats == float(Fraction(quanta, 2**32))
    assert QUANTA_PER_NAT == 2**32


@given(st.lists(st.tuples(u64, st.integers(0, 2**40)), max_size=40))
def test_whole_sum_of_128_bit_halves(pairs):
    low = np.array([pair[0] for pair in pairs], np.uint64)
    high = np.array([pair[1] for pair in pairs], np.uint64)
    assert whole_sum(low, high) == sum((b << 64) + a for a, b in pairs)


def test_a_million_full_low_halves_carry():
    low = np.full(1_000_000, 2**64 - 1, np.uint64)
    assert whole_sum(low, np.zeros_like(low)) == 1_000_000 * (2**64 - 1)


wide = st.integers(-(2**120), 2**120) | st.integers(-(2**66), 2**66) | st.integers(-9, 9)


def halves(values):
    low = np.array([value % 2**64 for value in values], np.uint64)
    return low, np.array([value % 2**128 >> 64 for value in values], np.uint64)


@given(st.lists(st.tuples(wide, wide), min_size=1, max_size=9))
def test_halves_are_numbers_of_128_bits(pairs):
    one, other = (halves(values) for values in zip(*pairs, strict=True))
    add_halves(*one, *other)
    sums = [a + b for a, b in pairs]
    assert all(np.array_equal(*pair) for pair in zip(one, halves(sums), strict=True))
    assert whole_sum(*one) == sum(sums)
    nats = [float(Fraction(value, 2**32)) for value in sums]
    assert halves_to_nats(*one).tolist() == pytest.approx(nats, rel=1e-15, abs=0)


def scores(**changes) -> DocumentScores:
    arrays = {
        "shard": np.array([0, 0, 1], np.int32),
        "document": np.array([0, 4, 0]),
        "predicted_tokens": np.array([3, 1, 2], np.uint64),
        "oov": np.array([0, 1, 0], np.uint64),
        "infinite": np.array([0, 0, 1], np.uint64),
        "low": np.array([2**32, 2**63, 5], np.uint64),
        "high": np.array([0, 1, 0], np.uint64),
        **{name: np.zeros(3, np.uint64) for name in ("ignored", "nan", "out_of_range", "huge")},
    }
    return DocumentScores(shards=("a.bin", "b.bin"), **{**arrays, **changes})


def test_document_losses():
    assert scores().loss_nats.tolist() == [1.0, 2.0**32 + 2.0**31, np.inf]
    assert scores().total == LossSum(2**32 + 2**64 + 2**63 + 5, 6, 1, 1, 3)
    assert (scores(text_bytes=7).total.text_bytes, scores(words=3).total.words) == (7, 3)


def test_small_negative_losses():
    """Rounding may make the loss of a token slightly negative."""
    below = scores(
        low=np.array([2**64 - 3, 0, 1], np.uint64), high=np.array([2**64 - 1, 0, 0], "u8")
    )
    assert below.loss_nats[0] == -3 * 2.0**-32
    assert below.total.quanta == -2


@pytest.mark.parametrize("kind", ["nan", "out_of_range", "huge"])
def test_a_document_with_a_loss_in_no_sum_has_none(kind):
    left_out = scores(**{kind: np.array([0, 2, 1], np.uint64)})
    nats = left_out.loss_nats
    assert nats[0] == 1.0
    assert np.isnan(nats[1:]).all()
    assert getattr(left_out.total, kind) == 3
    assert scores(ignored=np.array([1, 0, 1], np.uint64)).total.ignored == 2


def test_to_arrow():
    pytest.importorskip("pyarrow")
    table = scores().to_arrow()
    assert table.column_names == [
        "shard",
        "document",
        "predicted_tokens",
        "loss_nats",
        "oov",
        "infinite",
        "ignored",
        "nan",
        "out_of_range",
        "huge",
    ]
    assert table["shard"].to_pylist() == ["a.bin", "a.bin", "b.bin"]
    assert table["document"].to_pylist() == [0, 4, 0]
    assert table["loss_nats"].to_pylist() == [1.0, 2.0**32 + 2.0**31, np.inf]


def test_to_arrow_without_pyarrow(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'icfast\[arrow\]'"):
        scores().to_arrow()
