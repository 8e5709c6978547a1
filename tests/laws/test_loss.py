"""Means of a loss sum: formulas, and errors if no mean exists."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from icfast.errors import IcfastError
from icfast.laws.loss import (
    bits_per,
    bits_per_byte,
    bits_per_token,
    bits_per_word,
    nats_per_token,
    perplexity,
    standard_error,
    total_log10,
)
from icfast.sums.loss import QUANTA_PER_NAT, LossSum


def loss(nats: int, tokens: int, infinite: int = 0, text_bytes: int | None = None) -> LossSum:
    return LossSum(nats * QUANTA_PER_NAT, tokens, 0, infinite, 1, text_bytes)


def test_means() -> None:
    found = loss(700, 200, text_bytes=500)
    assert bits_per_token(found) == pytest.approx(3.5 / math.log(2), rel=1e-15)
    assert nats_per_token(found) == 3.5
    assert bits_per_word(replace(found, words=70)) == pytest.approx(10 / math.log(2), rel=1e-15)
    assert bits_per_byte(found) == pytest.approx(1.4 / math.log(2), rel=1e-15)
    assert total_log10(found) == pytest.approx(-700 / math.log(10), rel=1e-15)
    assert perplexity(found) == pytest.approx(math.exp(3.5), rel=1e-14)


def test_means_by_the_name_of_their_unit() -> None:
    found = replace(loss(700, 200, text_bytes=500), words=70)
    for unit, law in (("token", bits_per_token), ("byte", bits_per_byte), ("word", bits_per_word)):
        assert bits_per(unit, found) == law(found)


def test_perplexity_is_that_of_kenlm() -> None:
    found = loss(123, 45)
    assert perplexity(found) == pytest.approx(10 ** (-total_log10(found) / 45), rel=1e-14)


@pytest.mark.parametrize("nats", [709.0, 709.7, 709.9, 710.0, 1e6, 2.0**31])
def test_perplexities_beyond_the_largest_number_are_infinite(nats: float) -> None:
    found = LossSum(round(nats * 2**32), 1, 0, 0, 1)
    expected = math.exp(nats) if nats < 709.75 else math.inf
    assert perplexity(found) == pytest.approx(expected, rel=1e-9)
    assert bits_per_token(found) == pytest.approx(nats / math.log(2))


def test_the_mean_of_a_sum_is_not_the_mean_of_means() -> None:
    one, other = loss(1, 1), loss(9, 3)
    assert bits_per_token(one + other) == pytest.approx(10 / 4 / math.log(2))


LAWS = [nats_per_token, bits_per_token, bits_per_byte, bits_per_word, total_log10, perplexity]


@pytest.mark.parametrize("law", LAWS)
@pytest.mark.parametrize(
    ("kind", "words"),
    [
        ("nan", "3 of 5 predicted symbols have no distribution .* so no mean exists"),
        ("out_of_range", "3 of 5 predicted symbols are ids without a logit in the model"),
        ("huge", r"3 of 5 predicted symbols have a loss of 2\^31 nats or more"),
    ],
)
def test_no_mean_beside_what_is_in_no_sum(
    law: Callable[[LossSum], float], kind: str, words: str
) -> None:
    found = replace(loss(1, 5, text_bytes=5), words=2, **{kind: 3})
    with pytest.raises(IcfastError, match=words):
        law(found)
    both = replace(found, infinite=1)
    with pytest.raises(IcfastError, match=r"1 of 5 .* probability 0 .*, 3 of 5"):
        law(both)
    law(replace(loss(1, 5, text_bytes=5), words=2, ignored=3, oov=3))


@pytest.mark.parametrize("law", LAWS)
def test_no_mean_of_an_infinite_loss(law: Callable[[LossSum], float]) -> None:
    with pytest.raises(IcfastError, match="2 of 5 predicted symbols have probability 0"):
        law(replace(loss(1, 5, infinite=2, text_bytes=5), words=2))


@pytest.mark.parametrize("law", [nats_per_token, bits_per_token, perplexity])
def test_no_mean_of_nothing(law: Callable[[LossSum], float]) -> None:
    with pytest.raises(IcfastError, match="no token was predicted"):
        law(loss(0, 0))
    assert total_log10(loss(0, 0)) == 0.0


def test_bytes_that_are_not_known() -> None:
    with pytest.raises(IcfastError, match="number of bytes is unknown"):
        bits_per_byte(loss(1, 1))
    with pytest.raises(IcfastError, match="the text has no bytes"):
        bits_per_byte(loss(1, 1, text_bytes=0))
    with pytest.raises(IcfastError, match="text's number of words is unknown"):
        bits_per_word(loss(1, 1))
    with pytest.raises(IcfastError, match="the text has no words"):
        bits_per_word(replace(loss(1, 1), words=0))


# The standard error of the mean ------------------------------------------------------------------


def clustered(random: np.random.Generator, documents: int) -> tuple[np.ndarray, np.ndarray]:
    """Make documents of unequal length with a common error each; short ones have larger losses."""
    tokens = random.integers(1, 200, documents).astype(np.uint64)
    shared = random.normal(3.0, 0.5, documents) + 10.0 / (5.0 + tokens)
    own = random.normal(0.0, 1.0, documents) * np.sqrt(tokens)
    return tokens * shared + own, tokens


def test_the_error_is_that_of_repeated_draws() -> None:
    random = np.random.default_rng(11)
    means, errors, naive = [], [], []
    for _ in range(1500):
        nats, tokens = clustered(random, 120)
        means.append(nats.sum() / tokens.sum())
        errors.append(standard_error(nats, tokens))
        naive.append(1.1 / math.sqrt(tokens.sum()))
    spread = float(np.std(means))
    # The spread of 1500 draws is known to 1.8 %.
    assert float(np.mean(errors)) == pytest.approx(spread, rel=0.08)
    assert float(np.mean(naive)) < spread / 3, "tokens are not independent, so documents matter"
    inside = np.abs(np.array(means) - np.mean(means)) < 1.96 * np.array(errors)
    assert 0.93 < inside.mean() < 0.97


def test_the_error_by_hand() -> None:
    nats, tokens = np.array([2.0, 3.0, 10.0]), np.array([1, 2, 3], np.uint64)
    # The mean is 2.5; residuals -0.5, -2, 2.5.
    assert standard_error(nats, tokens) == pytest.approx(math.sqrt(1.5 * 10.5) / 6, rel=1e-15)
    with_empty = np.append(nats, 0.0), np.append(tokens, np.uint64(0))
    assert standard_error(*with_empty) == standard_error(nats, tokens)
    assert standard_error(2 * tokens.astype(float), tokens) == 0.0


def test_documents_of_one_length_give_the_error_of_their_means() -> None:
    nats = np.random.default_rng(3).normal(50.0, 5.0, 40)
    tokens = np.full(40, 10, np.uint64)
    expected = float(np.std(nats / 10, ddof=1)) / math.sqrt(40)
    assert standard_error(nats, tokens) == pytest.approx(expected, rel=1e-12)


def test_no_error_of_too_little() -> None:
    one = np.array([1.0, 0.0]), np.array([3, 0], np.uint64)
    with pytest.raises(IcfastError, match="at least two documents, found 1"):
        standard_error(*one)
    for nats in (np.inf, np.nan):
        with pytest.raises(IcfastError, match="not finite"):
            standard_error(np.array([1.0, nats]), np.array([3, 4], np.uint64))
