"""Vocabulary growth against hand counts, rational arithmetic and high precision."""

from __future__ import annotations

import math
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import OptionError
from icfast.laws.heaps import fit_heaps, observed_types, shuffled_types
from icfast.sums.spectrum import Spectrum


def exact_types(counts: list[int], n: int) -> Fraction:
    total = sum(counts)
    everything = math.comb(total, n)
    return sum((1 - Fraction(math.comb(total - r, n), everything) for r in counts), Fraction(0))


@pytest.mark.ci
@given(st.lists(st.integers(1, 300), min_size=1, max_size=8), st.data())
def test_shuffled_mean_is_exact(counts: list[int], data: st.DataObject) -> None:
    n = data.draw(st.integers(0, sum(counts)))
    measured = float(shuffled_types(Spectrum.from_counts(counts), [n])[0])
    assert measured == pytest.approx(float(exact_types(counts, n)), rel=1e-14, abs=0)


#: Both sides of 64 factors for r and n, and sizes at which lnG has lost its digits.
LARGE = [10**12, 10**9, 10**6, 10**5, 1000, 66, 65, 64, 63, 2, 1]


@pytest.mark.parametrize("counts", [LARGE, LARGE[2:], LARGE[:2]])
@pytest.mark.parametrize("of", [0.0, 1e-9, 1e-3, 0.5, 0.999, 1.0])
@pytest.mark.parametrize("more", [-66, -65, -1, 0, 1, 64, 65, 66])
def test_shuffled_mean_of_large_counts(counts: list[int], of: float, more: int) -> None:
    total = sum(counts)
    n = min(max(int(total * of) + more, 0), total)

    def missing(r: int) -> mp.mpf:
        if total - r < n:
            return mp.mpf(0)
        top = mp.loggamma(total - r + 1) + mp.loggamma(total - n + 1)
        return mp.exp(top - mp.loggamma(total - r - n + 1) - mp.loggamma(total + 1))

    with mp.workdps(60):
        expected = float(mp.fsum(1 - missing(r) for r in counts))
    measured = float(shuffled_types(Spectrum.from_counts(counts), [n])[0])
    # At n = 0 the sixty digits of the reference leave a residue.
    assert measured == pytest.approx(expected, rel=1e-13, abs=1e-45)


def test_the_curve_rises_to_all_types() -> None:
    spectrum = Spectrum.from_counts([1000 // rank for rank in range(1, 500)])
    curve = shuffled_types(spectrum, np.arange(0, spectrum.windows + 1, 7))
    assert np.all(np.diff(curve) > 0)
    assert curve[0] == 0.0
    assert shuffled_types(spectrum, [1, spectrum.windows]).tolist() == pytest.approx([1.0, 499.0])


def test_observed_lies_below_shuffled_where_words_come_in_bursts() -> None:
    ids = np.repeat(np.arange(50), 20)
    assert observed_types(ids, [0, 1, 20, 21, 1000]).tolist() == [0, 1, 1, 2, 50]
    shuffled = shuffled_types(Spectrum.from_counts(np.bincount(ids)), [20, 500])
    assert np.all(shuffled > observed_types(ids, [20, 500]))


def test_the_mean_of_all_orders() -> None:
    """The first two tokens of aab, aba and baa have 1, 2 and 2 types."""
    assert shuffled_types(Spectrum.from_counts([2, 1]), [2])[0] == pytest.approx(5 / 3, rel=1e-15)


@given(st.floats(0.1, 100), st.floats(0.1, 1))
def test_fit(k: float, beta: float) -> None:
    sizes = np.array([10.0, 1e3, 1e5, 3e6])
    found = fit_heaps(sizes, k * sizes**beta)
    assert (found.k, found.beta) == pytest.approx((k, beta), rel=1e-10)


@pytest.mark.parametrize("wrong", [[-1], [4], [0.5], [math.nan], [[1]]])
def test_sizes_that_cannot_be(wrong: object) -> None:
    with pytest.raises(OptionError, match="sizes must be"):
        shuffled_types(Spectrum.from_counts([2, 1]), wrong)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="sizes must be"):
        observed_types([1, 2, 3], wrong)  # type: ignore[arg-type]


def test_refusals() -> None:
    with pytest.raises(OptionError, match="empty"):
        shuffled_types(Spectrum(), [0])
    with pytest.raises(OptionError, match="ids must be"):
        observed_types([[1]], [0])
    for sizes, types in (([1], [1]), ([1, 1], [1, 2]), ([1, 2], [1, 2, 3])):
        with pytest.raises(OptionError, match="two different sizes"):
            fit_heaps(sizes, types)
    for sizes, types in (([0, 1], [1, 2]), ([1, 2], [1, math.inf])):
        with pytest.raises(OptionError, match="positive and finite"):
            fit_heaps(sizes, types)
