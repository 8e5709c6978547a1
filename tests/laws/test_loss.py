"""Means of a loss sum: formulas, and no mean where there is none."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest

from icfast.errors import IcfastError
from icfast.laws.loss import bits_per_byte, bits_per_token, perplexity, total_log10
from icfast.measure.loss import QUANTA_PER_NAT, LossSum


def loss(nats: int, tokens: int, infinite: int = 0, text_bytes: int | None = None) -> LossSum:
    return LossSum(nats * QUANTA_PER_NAT, tokens, 0, infinite, 1, text_bytes)


def test_means() -> None:
    found = loss(700, 200, text_bytes=500)
    assert bits_per_token(found) == pytest.approx(3.5 / math.log(2), rel=1e-15)
    assert bits_per_byte(found) == pytest.approx(1.4 / math.log(2), rel=1e-15)
    assert total_log10(found) == pytest.approx(-700 / math.log(10), rel=1e-15)
    assert perplexity(found) == pytest.approx(math.exp(3.5), rel=1e-14)


def test_perplexity_is_that_of_kenlm() -> None:
    found = loss(123, 45)
    assert perplexity(found) == pytest.approx(10 ** (-total_log10(found) / 45), rel=1e-14)


def test_the_mean_of_a_sum_is_not_the_mean_of_means() -> None:
    one, other = loss(1, 1), loss(9, 3)
    assert bits_per_token(one + other) == pytest.approx(10 / 4 / math.log(2))


@pytest.mark.parametrize("law", [bits_per_token, bits_per_byte, total_log10, perplexity])
def test_no_mean_of_an_infinite_loss(law: Callable[[LossSum], float]) -> None:
    with pytest.raises(IcfastError, match="2 of 5 predicted symbols have probability 0"):
        law(loss(1, 5, infinite=2, text_bytes=5))


@pytest.mark.parametrize("law", [bits_per_token, perplexity])
def test_no_mean_of_nothing(law: Callable[[LossSum], float]) -> None:
    with pytest.raises(IcfastError, match="no token was predicted"):
        law(loss(0, 0))
    assert total_log10(loss(0, 0)) == 0.0


def test_bytes_that_are_not_known() -> None:
    with pytest.raises(IcfastError, match="are not known"):
        bits_per_byte(loss(1, 1))
    with pytest.raises(IcfastError, match="the text has no bytes"):
        bits_per_byte(loss(1, 1, text_bytes=0))
