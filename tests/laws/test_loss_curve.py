"""Bits absorbed along a power law against its sum and asymptote; worth of an epoch."""

from __future__ import annotations

import math

import mpmath as mp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import OptionError
from icfast.laws.loss_curve import effective_tokens, power_law_absorbed_nats


@pytest.mark.parametrize("tokens", [1, 2, 31, 32, 33, 63, 64, 65, 66, 1000, 100_003])
@pytest.mark.parametrize("exponent", [0.01, 0.095, 0.3478, 0.999, 1.0, 1.0001, 2.5, 6.0])
def test_against_the_sum(tokens: int, exponent: float) -> None:
    with mp.workdps(40):
        a = mp.mpf(exponent)
        terms = mp.fsum(mp.mpf(t) ** -a for t in range(1, min(tokens, 66) + 1))
        if tokens > 66:
            terms = mp.zeta(a, 1) - mp.zeta(a, tokens + 1) if exponent != 1 else mp.harmonic(tokens)
        expected = float(3 * (terms - mp.mpf(tokens) ** (1 - a)))
        scale = float(3 * terms)
    measured = power_law_absorbed_nats(3.0, exponent, tokens)
    # For small exponents this is a difference of nearly equal numbers.
    assert measured == pytest.approx(expected, rel=1e-13, abs=1e-15 * scale)


@pytest.mark.parametrize("exponent", [0.1, 0.3478, 0.5, 0.9])
@pytest.mark.parametrize("tokens", [10**6, 10**9, 10**13])
def test_against_the_asymptote(exponent: float, tokens: int) -> None:
    zeta = float(mp.zeta(exponent))
    main = tokens ** (1 - exponent) * exponent / (1 - exponent)
    expected = main + zeta + tokens**-exponent / 2
    # The next term is of the size a/12 D^(-a-1).
    assert power_law_absorbed_nats(1.0, exponent, tokens) == pytest.approx(expected, rel=1e-11)


@pytest.mark.parametrize("tokens", [10**6, 10**9])
def test_against_the_logarithm(tokens: int) -> None:
    expected = math.log(tokens) + 0.5772156649015329 - 1 + 0.5 / tokens
    assert power_law_absorbed_nats(1.0, 1.0, tokens) == pytest.approx(expected, rel=1e-12)


def test_one_token_absorbs_nothing() -> None:
    assert power_law_absorbed_nats(5.0, 0.5, 1) == 0.0
    assert power_law_absorbed_nats(0.0, 0.5, 1000) == 0.0


@given(st.floats(0.01, 3), st.integers(1, 10**12))
def test_more_tokens_absorb_more(exponent: float, tokens: int) -> None:
    less, more = (power_law_absorbed_nats(1.0, exponent, d) for d in (tokens, 2 * tokens))
    assert less <= more * (1 + 1e-12)


def test_four_epochs() -> None:
    assert effective_tokens(1.0, 4) == pytest.approx(3.72567, abs=5e-6)
    assert effective_tokens(1e9, 1) == 1e9
    # The limit for many epochs is 1 + R.
    assert effective_tokens(1.0, 1e9) == pytest.approx(16.387756, rel=1e-15)


@given(st.floats(1, 1e4), st.floats(1, 1e4))
def test_an_epoch_is_worth_no_more_than_one(a: float, b: float) -> None:
    fewer, more = sorted((a, b))
    gained = effective_tokens(1.0, more) - effective_tokens(1.0, fewer)
    assert 0 <= gained <= (more - fewer) * (1 + 1e-9) + 1e-13


@pytest.mark.parametrize("wrong", [math.nan, math.inf, -1.0])
def test_domains(wrong: float) -> None:
    for given_values in ((wrong, 0.5, 10), (1.0, wrong, 10)):
        with pytest.raises(OptionError, match="must be"):
            power_law_absorbed_nats(*given_values)
    with pytest.raises(OptionError, match="tokens must be at least 1"):
        power_law_absorbed_nats(1.0, 0.5, 0)
    with pytest.raises(OptionError, match="unique_tokens"):
        effective_tokens(wrong, 1)
    with pytest.raises(OptionError, match="epochs"):
        effective_tokens(1.0, wrong)
    with pytest.raises(OptionError, match="epochs"):
        effective_tokens(1.0, 0.99)
