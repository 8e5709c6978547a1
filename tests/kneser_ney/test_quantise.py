"""Codebooks: nearest values, preserved means, and no loss with enough codes."""

from __future__ import annotations

import numpy as np
import pytest

from icfast.kneser_ney.compression.quantise import quantise


def squared_error(values, weights, codebook, codes):
    return float((weights * (values - codebook[codes]) ** 2).sum())


@pytest.mark.parametrize("bits", [1, 2, 5, 8])
@pytest.mark.parametrize("kind", ["normal", "exponential", "lumps"])
def test_codes(kind, bits):
    random = np.random.default_rng(bits)
    values = {
        "normal": random.normal(3, 2, 5000),
        "exponential": random.exponential(2, 5000),
        "lumps": random.integers(0, 40, 5000) / 7 + random.integers(0, 2, 5000) * 1e-4,
    }[kind]
    weights = random.integers(1, 50, 5000).astype(np.float64)
    codebook, codes = quantise(values, weights, bits)
    assert codebook.shape == (1 << bits,)
    assert (np.diff(codebook) >= 0).all()
    # Each code is the nearest value, up to the resolution of the histogram.
    nearest = np.abs(values[:, None] - codebook).min(axis=1)
    step = np.ptp(values) / 2**20
    assert (np.abs(values - codebook[codes]) <= nearest + 4 * step).all()
    # A code's value is the mean of its members.
    for code in np.unique(codes):
        here = codes == code
        mean = np.average(values[here], weights=weights[here])
        assert codebook[code] == pytest.approx(mean, rel=1e-9, abs=1e-9)
    equal = np.linspace(values.min(), values.max(), (1 << bits) + 1)
    uniform = np.clip(np.searchsorted(equal, values, "right") - 1, 0, (1 << bits) - 1)
    middles = (equal[:-1] + equal[1:]) / 2
    found = squared_error(values, weights, codebook, codes)
    assert found < squared_error(values, weights, middles, uniform)


def least_error(values, weights, size):
    """Return the least squared error of a number of codes, by dynamic programming."""
    sums = [np.append(0, np.cumsum(weights * values**power)) for power in (0, 1, 2)]
    best = np.append(0.0, np.full(len(values), np.inf))
    for _ in range(size):
        w, x, xx = (each[1:, None] - each[None, :-1] for each in sums)
        with np.errstate(divide="ignore", invalid="ignore"):
            errors = np.where(w > 0, xx - x * x / w, np.inf)
        best = np.append(0.0, (best[:-1] + errors).min(axis=1))
    return best[-1]


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_near_the_least_error(bits):
    random = np.random.default_rng(bits)
    values = np.sort(random.gamma(2, 2, 300))
    weights = random.integers(1, 9, 300).astype(np.float64)
    error = squared_error(values, weights, *quantise(values, weights, bits))
    least = least_error(values, weights, 1 << bits)
    assert least * (1 - 1e-9) <= error <= 1.25 * least


@pytest.mark.parametrize("bits", [3, 16])
def test_few_values_keep_their_own(bits):
    values = np.array([5.0, 1.0, 1.0, 2.5, 700.0, 1.0, 4.25, 3.0, 2.0, 0.5])
    codebook, codes = quantise(values, np.ones(10), bits)
    assert codebook[codes].tolist() == pytest.approx(values.tolist(), rel=1e-12)


def test_one_value_and_none():
    codebook, codes = quantise(np.full(3, 2.0), np.ones(3), 2)
    assert codebook[codes].tolist() == [2.0] * 3
    codebook, codes = quantise(np.zeros(0), np.zeros(0), 4)
    assert (codebook.shape, codes.shape) == ((16,), (0,))
