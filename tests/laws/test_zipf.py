"""Fit of the spectrum's tail against the likelihood equation and simulated counts."""

from __future__ import annotations

import mpmath as mp
import numpy as np
import pytest

from icfast.errors import OptionError
from icfast.laws.zipf import hapax_share, zipf_tail
from icfast.sums.spectrum import Spectrum


def expected_spectrum(alpha: float, minimum: int, types: float) -> Spectrum:
    """Return phi_r proportional to r^-alpha, rounded."""
    r = np.arange(minimum, 100_000, dtype=np.float64)
    phi = np.rint(types * r**-alpha).astype(np.uint64)
    return Spectrum(r[phi > 0].astype(np.uint64), phi[phi > 0])


@pytest.mark.parametrize(("alpha", "minimum"), [(1.8, 1), (2.0, 1), (2.0, 5), (3.0, 1), (2.5, 20)])
def test_the_likelihood_is_flat_at_its_top(alpha: float, minimum: int) -> None:
    spectrum = expected_spectrum(alpha, minimum, 1e12)
    found = zipf_tail(spectrum, minimum)
    # d/d alpha: -zeta'/zeta = mean ln r.
    with mp.workdps(30):
        a, h = mp.mpf(found.spectrum_exponent), mp.mpf("1e-8")
        slope = (mp.log(mp.zeta(a + h, minimum)) - mp.log(mp.zeta(a - h, minimum))) / (2 * h)
        bend = mp.diff(lambda x: mp.log(mp.zeta(x, minimum)), a, 2)
    weights = spectrum.types.astype(float)
    mean_log = float(np.average(np.log(spectrum.multiplicity.astype(float)), weights=weights))
    assert float(-slope) == pytest.approx(mean_log, abs=2e-7)
    assert found.types == spectrum.distinct
    expected = (float(bend) * found.types) ** -0.5
    assert found.standard_error == pytest.approx(expected, rel=1e-3)


def test_the_exponent_comes_back() -> None:
    """At alpha = 3 the truncated tail is negligible."""
    found = zipf_tail(expected_spectrum(3.0, 1, 1e14))
    assert found.spectrum_exponent == pytest.approx(3.0, abs=1e-4)
    assert found.rank_exponent == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("minimum", [1, 3])
def test_drawn_counts_within_their_error(minimum: int) -> None:
    random = np.random.default_rng(11)
    counts = random.zipf(2.3, 200_000)
    found = zipf_tail(Spectrum.from_counts(counts), minimum)
    assert found.types == int(np.sum(counts >= minimum))
    assert abs(found.spectrum_exponent - 2.3) < 4 * found.standard_error < 0.05


def test_ranks_by_zipf_s_law() -> None:
    counts = [10**7 // rank for rank in range(1, 10**6)]
    found = zipf_tail(Spectrum.from_counts(counts), 50)
    assert found.rank_exponent == pytest.approx(1.0, abs=0.02)


def test_nearly_all_seen_once() -> None:
    found = zipf_tail(Spectrum.from_counts([1] * 10**5 + [2]))
    # 2^-alpha = 1e-5, but for the counts above 2 that a zeta distribution also has.
    assert found.spectrum_exponent == pytest.approx(16.6, abs=0.1)


def test_hapax_share() -> None:
    assert hapax_share(Spectrum.from_counts([9, 3, 1, 1])) == 0.5
    assert hapax_share(Spectrum.from_counts([9, 3])) == 0.0
    with pytest.raises(OptionError, match="empty"):
        hapax_share(Spectrum())


def test_refusals() -> None:
    for spectrum in (Spectrum(), Spectrum.from_counts([4, 4])):
        with pytest.raises(OptionError, match="a tail needs two"):
            zipf_tail(spectrum)
    with pytest.raises(OptionError, match="two different counts of 4 or more, found 1"):
        zipf_tail(Spectrum.from_counts([1, 2, 4]), 4)
    with pytest.raises(OptionError, match="at least 1"):
        zipf_tail(Spectrum.from_counts([1, 2]), 0)


@pytest.mark.parametrize("minimum", [1, 2, 5])
def test_distance_of_the_shares(minimum: int) -> None:
    counts = [9, 9, 7, 6, 6, 6, 3, 2, 2, 1, 1, 1]
    found = zipf_tail(Spectrum.from_counts(counts), minimum)
    tail = [r for r in counts if r >= minimum]
    alpha = found.spectrum_exponent
    gaps = [
        sum(r >= least for r in tail) / len(tail)
        - float(mp.zeta(alpha, least) / mp.zeta(alpha, minimum))
        for least in range(minimum, 12)
    ]
    assert found.distance == pytest.approx(max(map(abs, gaps)), rel=1e-9)
