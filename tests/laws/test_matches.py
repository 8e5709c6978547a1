"""Entropy rates from match lengths: the formulas written out, and refused arguments."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable, Sequence
from itertools import pairwise

import numpy as np
import pytest

from icfast.errors import OptionError
from icfast.laws import matches
from icfast.laws.matches import (
    BLOCKS,
    match_estimates,
    mean_length_bits_per_token,
    mean_ratio_bits_per_token,
    two_sided_bits_per_token,
)
from icfast.sums.matches import MatchLengths

Law = Callable[[np.ndarray], float]
LAWS = [mean_length_bits_per_token, mean_ratio_bits_per_token, two_sided_bits_per_token]


def some_lengths(tokens: int, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).integers(1, 30, tokens, dtype=np.int32)


def mean_length(lengths: Sequence[int], before: int = 0) -> float:
    ratios = [n / math.log2(i + 1) for i, n in enumerate(lengths, start=before + 1)]
    return len(lengths) / math.fsum(ratios)


def mean_ratio(lengths: Sequence[int], before: int = 0) -> float:
    ratios = [math.log2(i + 1) / n for i, n in enumerate(lengths, start=before + 1)]
    return math.fsum(ratios) / len(lengths)


@pytest.mark.parametrize("chunk", [1, 7, 1 << 16])
@pytest.mark.parametrize("tokens", [1, 2, 31, 32, 33, 64, 1000])
def test_the_formulas(tokens: int, chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matches, "_CHUNK", chunk)
    earlier, anywhere = some_lengths(tokens), some_lengths(tokens, 2)
    found = match_estimates(MatchLengths(earlier, anywhere, 5))
    listed = earlier.tolist()
    two_sided = tokens * math.log2(tokens) / sum(anywhere.tolist())
    assert found.bits_per_token == pytest.approx(
        {
            "mean_length": mean_length(listed),
            "mean_ratio": mean_ratio(listed),
            "two_sided": two_sided,
        },
        rel=1e-13,
    )
    assert found.bits_per_token["mean_length"] <= found.bits_per_token["mean_ratio"] * (1 + 1e-12)
    assert mean_length_bits_per_token(earlier) == pytest.approx(mean_length(listed), rel=1e-13)
    assert mean_ratio_bits_per_token(earlier) == pytest.approx(mean_ratio(listed), rel=1e-13)
    assert (found.tokens, found.cut_tokens) == (tokens, 5)
    assert found.longest_match == max(listed) - 1
    assert found.mean_length == sum(listed) / tokens


@pytest.mark.parametrize("tokens", [1, 2, 3, 4, 7, 8, 1000, 1023, 1024])
def test_windows_double(tokens: int) -> None:
    lengths = some_lengths(tokens)
    windows = match_estimates(MatchLengths(lengths, lengths, 0)).windows
    assert [window.first for window in windows] == [2**k for k in range(tokens.bit_length())]
    assert [w.last + 1 for w in windows] == [*(w.first for w in windows[1:]), tokens + 1]
    for window in windows:
        part = lengths[window.first - 1 : window.last].tolist()
        assert window.mean_length == sum(part) / len(part)
        before = window.first - 1
        expected = mean_length(part, before), mean_ratio(part, before)
        found = window.mean_length_bits_per_token, window.mean_ratio_bits_per_token
        assert found == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("tokens", [BLOCKS, 1000])
def test_the_spread_is_that_of_blocks(tokens: int) -> None:
    lengths = some_lengths(tokens)
    found = match_estimates(MatchLengths(lengths, lengths, 0))
    edges = [tokens * b // BLOCKS for b in range(BLOCKS + 1)]
    blocks = [(low, lengths[low:high].tolist()) for low, high in pairwise(edges)]
    inverse = statistics.stdev(1 / mean_length(block, low) for low, block in blocks)
    ratio = statistics.stdev(mean_ratio(block, low) for low, block in blocks)
    slope = mean_length(lengths.tolist()) ** 2
    assert found.block_spread_bits_per_token == pytest.approx(
        {"mean_length": slope * inverse / BLOCKS**0.5, "mean_ratio": ratio / BLOCKS**0.5},
        rel=1e-9,
    )


def test_no_spread_of_fewer_tokens_than_blocks() -> None:
    lengths = some_lengths(BLOCKS - 1)
    found = match_estimates(MatchLengths(lengths, lengths, 0))
    assert found.block_spread_bits_per_token == {"mean_length": None, "mean_ratio": None}


def test_sums_past_32_bits() -> None:
    lengths = np.full(4, 2**30, np.int32)
    found = match_estimates(MatchLengths(lengths, lengths, 0))
    assert found.mean_length == 2**30
    assert found.bits_per_token["two_sided"] == 2 / 2**30


@pytest.mark.parametrize("law", LAWS)
def test_lengths_that_are_none(law: Law) -> None:
    with pytest.raises(OptionError, match="no match lengths"):
        law(np.zeros(0, np.int32))
    with pytest.raises(OptionError, match="at least 1, found 0"):
        law(np.array([1, 0, 2], np.int32))


def test_lengths_of_different_texts() -> None:
    with pytest.raises(OptionError, match="3 lengths of earlier matches but 4 of matches anywhere"):
        match_estimates(MatchLengths(some_lengths(3), some_lengths(4), 0))
