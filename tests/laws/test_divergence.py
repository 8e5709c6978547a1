"""Renyi entropies and the Jensen-Shannon divergence."""

from __future__ import annotations

import math

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import OptionError
from icfast.laws.divergence import (
    jensen_shannon_bits,
    renyi_entropy_bits,
    sampling_floor_bits,
    shard_divergence_bits,
)
from icfast.laws.entropy import entropy_bits
from icfast.sums.spectrum import Spectrum

counts_lists = st.lists(st.integers(1, 10**6), min_size=1, max_size=12)


@given(counts_lists, st.one_of(st.floats(0, 60), st.floats(1 - 1e-6, 1 + 1e-6)))
def test_renyi_against_the_textbook(counts: list[int], q: float) -> None:
    total = sum(counts)
    with mp.workdps(60):
        if q == 1:
            expected = -mp.fsum(mp.mpf(r) / total * mp.log(mp.mpf(r) / total, 2) for r in counts)
        else:
            powers = mp.fsum((mp.mpf(r) / total) ** mp.mpf(q) for r in counts)
            expected = mp.log(powers, 2) / (1 - mp.mpf(q))
    measured = renyi_entropy_bits(Spectrum.from_counts(counts), q)
    assert measured == pytest.approx(float(expected), rel=1e-10, abs=1e-13)


def test_named_orders() -> None:
    spectrum = Spectrum.from_counts([4, 2, 1, 1])
    assert renyi_entropy_bits(spectrum, 0) == pytest.approx(2.0, rel=1e-15)
    assert renyi_entropy_bits(spectrum, 1) == entropy_bits(spectrum, "ml")
    assert renyi_entropy_bits(spectrum, 2) == pytest.approx(-math.log2(22 / 64), rel=1e-15)
    assert renyi_entropy_bits(spectrum, math.inf) == pytest.approx(1.0, rel=1e-15)
    assert renyi_entropy_bits(Spectrum.from_counts([7]), 0.5) == 0.0


def test_powers_below_every_float() -> None:
    """p^q is 1e-6000 here."""
    spectrum = Spectrum.from_counts([1] * 10**4)
    assert renyi_entropy_bits(spectrum, 1500.0) == pytest.approx(math.log2(10**4), rel=1e-13)


@given(counts_lists, st.floats(0, 50), st.floats(0, 50))
def test_renyi_falls_with_its_order(counts: list[int], a: float, b: float) -> None:
    spectrum = Spectrum.from_counts(counts)
    low, high = (renyi_entropy_bits(spectrum, q) for q in sorted((a, b)))
    assert low >= high - 1e-9
    assert high >= renyi_entropy_bits(spectrum, math.inf) - 1e-9


@pytest.mark.parametrize("q", [-0.1, math.nan])
def test_renyi_refuses(q: float) -> None:
    with pytest.raises(OptionError, match="q must not be negative"):
        renyi_entropy_bits(Spectrum.from_counts([1]), q)
    with pytest.raises(OptionError, match="empty"):
        renyi_entropy_bits(Spectrum(), 2.0)


shards = st.integers(1, 6).flatmap(
    lambda cells: st.lists(
        st.lists(st.integers(0, 1000), min_size=cells, max_size=cells).filter(any),
        min_size=2,
        max_size=5,
    )
)


@given(shards)
def test_divergence_is_what_mixing_adds(counts: list[list[int]]) -> None:
    sizes = [sum(array) for array in counts]
    mixed = np.sum(counts, axis=0)
    within = sum(
        size * entropy_bits(array, "ml") for size, array in zip(sizes, counts, strict=True)
    )
    expected = entropy_bits(mixed, "ml") - within / sum(sizes)
    measured = jensen_shannon_bits(counts)
    assert measured == pytest.approx(expected, rel=1e-9, abs=1e-12)
    # Between 0 and the full information on the shard.
    assert 0.0 <= measured <= entropy_bits(sizes, "ml") * (1 + 1e-12)


@given(shards)
def test_divergence_does_not_know_an_order(counts: list[list[int]]) -> None:
    turned = [array[::-1] for array in counts[::-1]]
    assert jensen_shannon_bits(turned) == pytest.approx(jensen_shannon_bits(counts), abs=1e-12)


def test_alike_and_apart() -> None:
    assert jensen_shannon_bits([[1, 2, 3], [2, 4, 6]]) == 0.0
    assert jensen_shannon_bits([[5, 0], [0, 5]]) == 1.0
    assert jensen_shannon_bits([[5, 0], [0, 15]], weights=[2, 2]) == 1.0
    assert jensen_shannon_bits([[5, 0], [0, 15]]) == pytest.approx(0.811278124459133, rel=1e-14)
    assert jensen_shannon_bits([[1, 0, 0], [0, 1, 0], [0, 0, 1]]) == pytest.approx(math.log2(3))


def test_two_samples_of_one_source_are_apart_by_the_bias() -> None:
    random = np.random.default_rng(3)
    draws = [random.multinomial(50_000, np.full(100, 0.01), size=2) for _ in range(100)]
    mean = np.mean([jensen_shannon_bits(pair) for pair in draws])
    assert mean == pytest.approx(99 / (2 * 100_000 * math.log(2)), rel=0.1)


@pytest.mark.parametrize(
    ("counts", "weights", "message"),
    [
        ([[1, 2]], None, "at least two 1-D count arrays"),
        ([[1, 2], [1]], None, "at least two 1-D count arrays"),
        ([[[1]], [[1]]], None, "at least two 1-D count arrays"),
        ([[1, -1], [1, 2]], None, "not negative"),
        ([[1, math.nan], [1, 2]], None, "not negative"),
        ([[0, 0], [1, 2]], None, "with a positive one"),
        ([[1, 0], [1, 2]], [1], "2 positive numbers"),
        ([[1, 0], [1, 2]], [1, 0], "2 positive numbers"),
        ([[1, 0], [1, 2]], [1, math.inf], "2 positive numbers"),
    ],
)
def test_divergence_refuses(
    counts: list[list[float]], weights: list[float] | None, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        jensen_shannon_bits(counts, weights)


@given(st.lists(st.lists(st.integers(0, 50), min_size=6, max_size=6), min_size=1, max_size=5))
def test_divergence_from_spectra_is_that_of_counts(rows: list[list[int]]) -> None:
    rows = [row for row in rows if any(row)]
    if len(rows) < 2:
        return
    mixed = Spectrum.from_counts(np.sum(rows, axis=0))
    found = shard_divergence_bits(mixed, [Spectrum.from_counts(row) for row in rows])
    assert found == pytest.approx(jensen_shannon_bits(rows), abs=1e-12)


def test_divergence_of_what_was_not_counted_together() -> None:
    one, three = Spectrum.from_counts([1]), Spectrum.from_counts([3])
    with pytest.raises(OptionError, match=r"shards of \[1, 1\] tokens do not add up to the 3"):
        shard_divergence_bits(three, [one, one])
    with pytest.raises(OptionError, match="do not add up to the 0"):
        shard_divergence_bits(Spectrum(), [])


def test_samples_of_one_source_diverge_by_about_the_floor() -> None:
    random = np.random.default_rng(1)
    p = random.dirichlet(np.full(400, 5.0))
    found = []
    for _ in range(20):
        rows = random.multinomial(20_000, p, size=3)
        mixed = Spectrum.from_counts(rows.sum(axis=0))
        found.append(shard_divergence_bits(mixed, [Spectrum.from_counts(row) for row in rows]))
    assert np.mean(found) == pytest.approx(sampling_floor_bits(3, 400, 60_000), rel=0.05)


@pytest.mark.parametrize("numbers", [(0, 5, 5), (2, 0, 5), (2, 5, 0)])
def test_a_floor_of_nothing(numbers: tuple[int, int, int]) -> None:
    with pytest.raises(OptionError, match="must be at least 1"):
        sampling_floor_bits(*numbers)
