"""Modified Kneser-Ney of order 5: tokens to a model file, and held-out scoring. Checked, timed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import icfast
from data import Tokens
from harness import Job, print_table, side_by_side


@pytest.fixture(scope="module")
def corpus(tokens: Tokens):  # type: ignore[no-untyped-def]
    return icfast.open(tokens.path, **tokens.options)


@pytest.fixture(scope="module")
def model(corpus) -> icfast.NgramModel:  # type: ignore[no-untyped-def]
    return icfast.fit(corpus, order=5)


def test_scores_are_the_same_on_any_threads(corpus, model: icfast.NgramModel) -> None:  # type: ignore[no-untyped-def]
    one, two = (icfast.score(corpus, model, threads=threads) for threads in (1, 2))
    assert one.total == two.total
    assert np.array_equal(one.low, two.low)
    assert one.total.predicted_tokens == corpus.tokens


def test_fit_and_score(corpus, model: icfast.NgramModel, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    path = tmp_path / "model.icfast"
    jobs = [
        Job("fit, tokens to model file", lambda: icfast.fit(corpus, 5, output=path), corpus.tokens),
        Job("score", lambda: icfast.score(corpus, model), corpus.tokens),
        Job("score, one thread", lambda: icfast.score(corpus, model, threads=1), corpus.tokens),
    ]
    rows = side_by_side(jobs, rounds=3)
    print_table(f"Kneser-Ney order 5, model of {model.size_bits / 8e6:.0f} MB", rows)
