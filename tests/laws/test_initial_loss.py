"""Corollary 4.1: the formula against logits drawn at random."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import OptionError
from icfast.laws import expected_initial_loss_nats


def test_the_figure_of_gpt2() -> None:
    assert expected_initial_loss_nats(50257, 0.3072) == pytest.approx(10.9785, abs=5e-5)


@pytest.mark.parametrize("deviation", [0.0, 0.5, 1.0])
def test_random_logits_cost_it_whatever_the_targets(deviation: float) -> None:
    rng = np.random.default_rng(7)
    rows, vocab_size = 400, 20_000
    logits = rng.normal(3.0, deviation, (rows, vocab_size))
    normaliser = np.log(np.exp(logits - 3.0).sum(axis=1)) + 3.0
    loss = normaliser - logits[np.arange(rows), rng.integers(0, vocab_size, rows)]
    error = max(loss.std() / math.sqrt(rows), 1e-9)
    assert abs(loss.mean() - expected_initial_loss_nats(vocab_size, deviation**2)) < 5 * error


@given(st.integers(1, 1 << 20), st.floats(0, 100))
def test_never_below_a_uniform_guess(vocab_size: int, variance: float) -> None:
    assert expected_initial_loss_nats(vocab_size, variance) >= math.log(vocab_size)


@pytest.mark.parametrize(
    ("vocab_size", "variance"), [(0, 0.1), (10, -0.1), (10, math.nan), (10, math.inf)]
)
def test_meaningless_arguments(vocab_size: int, variance: float) -> None:
    with pytest.raises(OptionError, match="must be"):
        expected_initial_loss_nats(vocab_size, variance)
