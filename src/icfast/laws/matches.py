"""Entropy rate from match lengths, without an order, a model or a spectrum.

Input: Lambda_i for each position i = 1..n, the length of the shortest string from i on that has not
occurred before (1 + the longest match). Output: bits per token. For stationary sources with
sufficiently fast mixing Lambda_i grows as log2(i)/h (Wyner & Ziv 1989; Ornstein & Weiss 1993;
Kontoyiannis, Algoet, Suhov & Wyner 1998), so each of the three means below converges to the entropy
rate h.

Convergence is slow. The mean of Lambda_i is about (log2 i + c)/h with constant c, so the relative
error is about c/log2 n. For a memoryless source with probabilities p_w the constant is known (depth
in a digital trie; Szpankowski 2001): c ln 2 = 0.5772... + sum p_w ln^2 p_w / (2 h), h in nats, plus
a small oscillation in log i. It is positive, so the estimates are low. Dependence longer than the
matches raises them, and copies of whole documents lower them. None is a bound.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from icfast.errors import OptionError
from icfast.laws.result_table import ResultTable
from icfast.sums.matches import MatchLengths

Lengths = NDArray[np.int32] | NDArray[np.int64]

#: Number of blocks of equally many tokens for the block spread.
BLOCKS = 32

#: Lengths per numpy operation.
_CHUNK = 1 << 16


@dataclass(frozen=True)
class MatchWindow:
    """Tokens 2^k..2^(k+1) - 1 (fewer in the last window), to show how estimates move as n doubles.

    Attributes:
        first: first token, counted from 1.
        last: last token.
        mean_length: mean Lambda_i, in tokens.
        mean_length_bits_per_token: estimate "mean_length" over these tokens.
        mean_ratio_bits_per_token: estimate "mean_ratio" over these tokens.
    """

    first: int
    last: int
    mean_length: float
    mean_length_bits_per_token: float
    mean_ratio_bits_per_token: float


@dataclass(frozen=True)
class MatchEntropy(ResultTable):
    """Entropy-rate estimates from the match lengths of a corpus.

    Attributes:
        tokens: n.
        cut_tokens: number of tokens whose match runs to the end of their document. Their Lambda_i
            is too small, because the match might have continued.
        mean_length: mean Lambda_i, in tokens.
        longest_match: max Lambda_i - 1, in tokens.
        bits_per_token: estimate by form: "mean_length" (1/mean of Lambda_i/log2(i + 1)),
            "mean_ratio" (mean of log2(i + 1)/Lambda_i; never below the first, and robust against
            long copies) and "two_sided" (Grassberger's, with matches anywhere in the corpus).
        block_spread_bits_per_token: standard error of the first two, if 32 blocks of consecutive
            tokens were independent. They are not, and the usually larger bias is not included.
            None below 32 tokens.
        windows: estimates over windows of doubling size.
    """

    tokens: int
    cut_tokens: int
    mean_length: float
    longest_match: int
    bits_per_token: dict[str, float]
    block_spread_bits_per_token: dict[str, float | None]
    windows: tuple[MatchWindow, ...] = field(repr=False)


def mean_length_bits_per_token(lengths: Lengths) -> float:
    """Return [(1/n) sum_i Lambda_i / log2(i + 1)]^-1 with i = 1..n, bits per token.

    This is the increasing-window estimator of Kontoyiannis, Algoet, Suhov & Wyner (1998), in which
    Lambda_i looks back on all tokens before i. Matches may overlap position i.

    Args:
        lengths: integers[n], Lambda_i >= 1.

    Raises:
        OptionError: there are no lengths, or one is below 1.

    >>> round(mean_length_bits_per_token(np.array([1, 1, 1, 4, 3, 2])), 12)
    1.047740509023
    """
    _checked(lengths)
    return _sums(lengths, 0, len(lengths)).mean_length_bits


def mean_ratio_bits_per_token(lengths: Lengths) -> float:
    """Return (1/n) sum_i log2(i + 1) / Lambda_i with i = 1..n, bits per token.

    This is the other increasing-window estimator of the same paper. By Jensen's inequality it is at
    least :func:`mean_length_bits_per_token`, and equal to it if all ratios are equal.

    Args:
        lengths: integers[n], Lambda_i >= 1.

    Raises:
        OptionError: there are no lengths, or one is below 1.

    >>> round(mean_ratio_bits_per_token(np.array([1, 1, 1, 4, 3, 2])), 12)
    1.238462692063
    """
    _checked(lengths)
    return _sums(lengths, 0, len(lengths)).mean_ratio_bits


def two_sided_bits_per_token(lengths: Lengths) -> float:
    """Return n log2 n / sum_i Lambda_i, bits per token; 0 if n = 1.

    In Grassberger's (1989) estimator Lambda_i is 1 + the longest match between the string at i and
    a string at any other position, before or after. It is consistent for mixing Markov sources, but
    not for all ergodic ones (Shields 1992).

    Args:
        lengths: integers[n], Lambda_i >= 1.

    Raises:
        OptionError: there are no lengths, or one is below 1.

    >>> round(two_sided_bits_per_token(np.array([1, 4, 3, 4, 3, 2])), 12)
    0.912339706137
    """
    tokens = _checked(lengths)
    return tokens * math.log2(tokens) / int(np.sum(lengths, dtype=np.int64))


def match_estimates(lengths: MatchLengths) -> MatchEntropy:
    """Return all estimates from the match lengths of one text, bits per token.

    Raises:
        OptionError: there are no lengths, one is below 1, or the two kinds differ in number.

    >>> banana = np.array([1, 1, 1, 4, 3, 2]), np.array([1, 4, 3, 4, 3, 2])
    >>> found = match_estimates(MatchLengths(*banana, cut_tokens=3))
    >>> found.longest_match, [window.last for window in found.windows]
    (3, [1, 3, 6])
    """
    earlier, tokens = lengths.earlier, _checked(lengths.earlier)
    if _checked(lengths.anywhere) != tokens:
        raise OptionError(
            f"{tokens} lengths of earlier matches but {len(lengths.anywhere)} of matches anywhere; "
            "both must be of the same tokens"
        )
    windows = [2**k - 1 for k in range(tokens.bit_length())] + [tokens]
    blocks = [tokens * b // BLOCKS for b in range(BLOCKS + 1)]
    # One pass serves both: sums between neighbouring edges add up to windows and to blocks.
    parts = {low: _sums(earlier, low, high) for low, high in pairwise(sorted({*windows, *blocks}))}

    def between(edges: list[int]) -> list[_Sums]:
        return [
            _Sums.total([part for at, part in parts.items() if low <= at < high])
            for low, high in pairwise(edges)
        ]

    whole = _Sums.total(list(parts.values()))
    spreads = _block_spreads(between(blocks), whole) if tokens >= BLOCKS else (None, None)
    return MatchEntropy(
        tokens=tokens,
        cut_tokens=lengths.cut_tokens,
        mean_length=whole.lengths / tokens,
        longest_match=int(np.max(earlier)) - 1,
        bits_per_token={
            "mean_length": whole.mean_length_bits,
            "mean_ratio": whole.mean_ratio_bits,
            "two_sided": two_sided_bits_per_token(lengths.anywhere),
        },
        block_spread_bits_per_token=dict(zip(("mean_length", "mean_ratio"), spreads, strict=True)),
        windows=tuple(_windows(between(windows))),
    )


def _checked(lengths: Lengths) -> int:
    if len(lengths) == 0:
        raise OptionError("there are no match lengths, so nothing can be estimated")
    least = int(np.min(lengths))
    if least < 1:
        raise OptionError(
            f"a match length counts the first new token and is at least 1, found {least}"
        )
    return len(lengths)


@dataclass(frozen=True)
class _Sums:
    """Sums of 1, Lambda_i, Lambda_i/log2(i + 1) and log2(i + 1)/Lambda_i over tokens in a row."""

    tokens: int
    lengths: int
    length_over_log: float
    log_over_length: float

    @classmethod
    def total(cls, parts: list[_Sums]) -> _Sums:
        return cls(
            sum(part.tokens for part in parts),
            sum(part.lengths for part in parts),
            math.fsum(part.length_over_log for part in parts),
            math.fsum(part.log_over_length for part in parts),
        )

    @property
    def mean_length_bits(self) -> float:
        return self.tokens / self.length_over_log

    @property
    def mean_ratio_bits(self) -> float:
        return self.log_over_length / self.tokens


def _sums(lengths: Lengths, low: int, high: int) -> _Sums:
    """Return the sums over lengths[low:high], computed in chunks."""
    parts = []
    for start in range(low, high, _CHUNK):
        stop = min(start + _CHUNK, high)
        part, logs = lengths[start:stop], np.log2(np.arange(start + 2, stop + 2))
        parts.append(
            _Sums(
                stop - start,
                int(np.sum(part, dtype=np.int64)),
                float(np.sum(part / logs)),
                float(np.sum(logs / part)),
            )
        )
    return _Sums.total(parts)


def _block_spreads(blocks: list[_Sums], whole: _Sums) -> tuple[float, float]:
    """Return standard errors over blocks, of 1/mean by the delta method and of the mean ratio."""
    means = [(1 / block.mean_length_bits, block.mean_ratio_bits) for block in blocks]
    spread = np.std(means, axis=0, ddof=1) / math.sqrt(len(blocks))
    return float(whole.mean_length_bits**2 * spread[0]), float(spread[1])


def _windows(sums: list[_Sums]) -> Iterator[MatchWindow]:
    first = 1
    for window in sums:
        yield MatchWindow(
            first=first,
            last=first + window.tokens - 1,
            mean_length=window.lengths / window.tokens,
            mean_length_bits_per_token=window.mean_length_bits,
            mean_ratio_bits_per_token=window.mean_ratio_bits,
        )
        first += window.tokens
