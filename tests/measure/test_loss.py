"""Losses add up exactly, in any order, over any number of bits."""

from __future__ import annotations

import sys
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import MissingExtraError
from icfast.measure.loss import QUANTA_PER_NAT, DocumentScores, LossSum, whole_sum

counts = st.integers(0, 2**70)
losses = st.builds(
    LossSum, counts, counts, counts, counts, counts, st.none() | st.integers(0, 2**40)
)
NOTHING = LossSum(0, 0, 0, 0, 0, 0)
u64 = st.integers(0, 2**64 - 1)


@given(losses, losses, losses)
def test_addition_laws(a, b, c):
    assert (a + b) + c == a + (b + c)
    assert a + b == b + a
    assert a + NOTHING == a


def test_addition_by_hand():
    total = LossSum(5, 3, 1, 0, 1, 10) + LossSum(7, 4, 0, 2, 2, 20)
    assert total == LossSum(12, 7, 1, 2, 3, 30)
    assert (total + LossSum(1, 1, 0, 0, 1, None)).text_bytes is None


@given(counts)
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


def scores(**changes) -> DocumentScores:
    arrays = {
        "shard": np.array([0, 0, 1], np.int32),
        "document": np.array([0, 4, 0]),
        "predicted_tokens": np.array([3, 1, 2], np.uint64),
        "oov": np.array([0, 1, 0], np.uint64),
        "infinite": np.array([0, 0, 1], np.uint64),
        "low": np.array([2**32, 2**63, 5], np.uint64),
        "high": np.array([0, 1, 0], np.uint64),
    }
    return DocumentScores(shards=("a.bin", "b.bin"), **{**arrays, **changes})


def test_document_losses():
    assert scores().loss_nats.tolist() == [1.0, 2.0**32 + 2.0**31, np.inf]
    assert scores().total == LossSum(2**32 + 2**64 + 2**63 + 5, 6, 1, 1, 3)
    assert scores(text_bytes=7).total.text_bytes == 7


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
    ]
    assert table["shard"].to_pylist() == ["a.bin", "a.bin", "b.bin"]
    assert table["document"].to_pylist() == [0, 4, 0]
    assert table["loss_nats"].to_pylist() == [1.0, 2.0**32 + 2.0**31, np.inf]


def test_to_arrow_without_pyarrow(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(MissingExtraError, match=r"pip install 'icfast\[arrow\]'"):
        scores().to_arrow()
