"""Section 5.1 against the printed digits, the corrected ones, and the two laws it equates."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import OptionError
from icfast.laws.kaplan import (
    CORRECTED_BITS_PER_TOKEN,
    kaplan_bits_per_token,
    kaplan_etas,
    kaplan_loss_nats_from_model_bits,
    kaplan_loss_nats_from_tokens,
)


def test_the_printed_ratio_is_a_slip() -> None:
    assert pytest.approx(26.0740740741, abs=5e-11) == CORRECTED_BITS_PER_TOKEN
    assert pytest.approx(16 * 8.8 / 5.4, rel=1e-15) == CORRECTED_BITS_PER_TOKEN


@pytest.mark.parametrize(
    ("label", "loss", "in_nats", "in_bits"),
    [
        ("printed", 7.0, 0.115030674846626, None),
        ("printed", 3.0, 0.268404907975460, None),
        ("corrected", 7.0, 0.115056818181818, 0.165991901011),
        ("corrected", 3.0, 0.268465909090909, 0.387314435693),
        ("corrected", 2.0, 8 * 27 / 704, 8 * 27 / 704 / math.log(2)),
    ],
)
def test_etas(label: str, loss: float, in_nats: float, in_bits: float | None) -> None:
    (row,) = (r for r in kaplan_etas() if (r.label, r.loss_nats_per_token) == (label, loss))
    assert row.entropy_nats_per_token == 10.0
    assert row.eta_nats_per_bit == pytest.approx(in_nats, abs=5e-16)
    if in_bits is not None:
        assert row.eta == pytest.approx(in_bits, abs=5e-13)


@given(st.floats(1.2, 12.0))
def test_k_is_where_both_laws_give_the_loss(loss: float) -> None:
    tokens = 5.4e13 * loss ** (-1 / 0.095)
    model_bits = tokens * kaplan_bits_per_token(loss)
    assert kaplan_loss_nats_from_tokens(tokens) == pytest.approx(loss, rel=1e-12, abs=0)
    assert kaplan_loss_nats_from_model_bits(model_bits) == pytest.approx(loss, rel=1e-12, abs=0)


def test_k_is_no_constant() -> None:
    exact = [r for r in kaplan_etas() if r.label == "exact k(L)"]
    assert [r.model_bits_per_token for r in exact] == [kaplan_bits_per_token(x) for x in (7, 3, 2)]
    ratio = kaplan_bits_per_token(3.0) / kaplan_bits_per_token(7.0)
    assert ratio == pytest.approx((3 / 7) ** (1 / 0.095 - 1 / 0.076), rel=1e-14, abs=0)
    assert ratio > 9


@pytest.mark.parametrize(
    "law", [kaplan_loss_nats_from_tokens, kaplan_loss_nats_from_model_bits, kaplan_bits_per_token]
)
@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_domains(law: object, wrong: float) -> None:
    with pytest.raises(OptionError, match="must be positive"):
        law(wrong)  # type: ignore[operator]
