"""Estimators with alphabet size against R's `entropy`, textbook formulas and quadrature."""

from __future__ import annotations

import math
from functools import cache

import mpmath as mp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import OptionError
from icfast.laws.alphabet_estimators import dirichlet, james_stein_share
from icfast.laws.entropy import entropy_bits
from icfast.laws.estimator_table import ESTIMATORS
from icfast.sums.spectrum import Spectrum

R_EXAMPLE = (4, 2, 3, 0, 2, 4, 0, 0, 2, 1, 1)
R_NATS = {
    "jeffreys": (2.179480382723702, 1e-15),
    "laplace": (2.257875518693044, 1e-15),
    "perks": (2.036887808123718, 1e-15),
    "minimax": (2.15409118993096, 1e-15),
    "james_stein": (2.379602895309956, 1e-15),
    "nsb": (2.187774463, 1e-9),
}


@pytest.mark.parametrize("name", R_NATS)
def test_example_of_the_r_package(name: str) -> None:
    nats, slack = R_NATS[name]
    measured = entropy_bits(R_EXAMPLE, name, alphabet_size=11) * math.log(2)
    assert measured == pytest.approx(nats, rel=slack, abs=0)


def test_every_estimator_is_tested() -> None:
    assert {name for name, entry in ESTIMATORS.items() if entry.needs_alphabet} == set(R_NATS)


def test_james_stein_share() -> None:
    share = james_stein_share(Spectrum.from_counts(R_EXAMPLE), 11)
    assert float(share) == pytest.approx(0.7663934426229508, rel=1e-15, abs=0)
    # One window, and counts that are uniform already: 0 would divide.
    assert james_stein_share(Spectrum.from_counts([1]), 5) == 1
    assert james_stein_share(Spectrum.from_counts([7, 7, 7]), 3) == 1
    assert james_stein_share(Spectrum.from_counts([5]), 100) == 0
    assert james_stein_share(Spectrum.from_counts([10**9, 10**9 - 1]), 2) == 1


CASES = [
    ([1], 2),
    ([7], 50_257),
    ([2, 1], 2),
    ([5, 3, 1, 1], 4),
    ([1] * 20, 64),
    ([10**12, 1], 3),
    ([10**6, 999, 31, 2, 1, 1], 50_257),
]


def plain_nats(counts: list[int], name: str, cells: int) -> mp.mpf:
    """Compute the textbook formulas cell by cell."""
    total = sum(counts)
    kinds = [(mp.mpf(n), 1) for n in counts] + [(mp.mpf(0), cells - len(counts))]
    if name == "james_stein":
        squares = sum(many * (mp.mpf(1) / cells - n / total) ** 2 for n, many in kinds)
        bottom = (total - 1) * squares
        top = 1 - sum(many * (n / total) ** 2 for n, many in kinds)
        share = mp.mpf(1) if bottom < mp.mpf(10) ** -50 else min(mp.mpf(1), top / bottom)
        shares = [(share / cells + (1 - share) * n / total, many) for n, many in kinds]
    else:
        a = {
            "jeffreys": mp.mpf(1) / 2,
            "laplace": mp.mpf(1),
            "perks": mp.mpf(1) / cells,
            "minimax": mp.sqrt(total) / cells,
        }[name]
        shares = [((n + a) / (total + a * cells), many) for n, many in kinds]
    return -sum(many * p * mp.log(p) for p, many in shares if p)


@pytest.mark.parametrize("name", [name for name in R_NATS if name != "nsb"])
@pytest.mark.parametrize(("counts", "cells"), CASES)
def test_against_the_textbook_formula(counts: list[int], cells: int, name: str) -> None:
    with mp.workdps(60):
        expected = float(plain_nats(counts, name, cells))
    measured = entropy_bits(counts, name, cells) * math.log(2)
    # Perks and minimax round 1/K and sqrt(N)/K before anything else.
    assert measured == pytest.approx(expected, rel=1e-14, abs=0)


def quadrature_nats(counts: list[int], cells: int) -> mp.mpf:
    """Compute NSB by adaptive quadrature over pieces of ln b."""
    total, seen = sum(counts), len(counts)

    @cache
    def weight(b: mp.mpf) -> mp.mpf:
        prior = cells * mp.psi(1, cells * b + 1) - mp.psi(1, b + 1)
        logs = mp.loggamma(cells * b) - mp.loggamma(total + cells * b)
        logs += sum(mp.loggamma(n + b) - mp.loggamma(b) for n in counts)
        return prior * mp.exp(logs)

    def mean(b: mp.mpf) -> mp.mpf:
        whole = total + cells * b
        cell = sum((n + b) * mp.psi(0, n + b + 1) for n in counts)
        cell += (cells - seen) * b * mp.psi(0, b + 1)
        return mp.psi(0, whole + 1) - cell / whole

    edges = list(range(-40, 42, 4))
    scale = max(weight(mp.exp(u)) * mp.exp(u) for u in edges)

    def integral(f: object) -> mp.mpf:
        return mp.quad(lambda u: f(mp.exp(u)) * mp.exp(u) / scale, edges)  # type: ignore[operator]

    return integral(lambda b: weight(b) * mean(b)) / integral(weight)


@pytest.mark.ci
@pytest.mark.parametrize(
    ("counts", "cells"), [([2, 1], 2), ([1], 2), ([5, 3, 1, 1], 4), ([7], 50), ([40, 9, 1], 1000)]
)
def test_nsb_against_quadrature(counts: list[int], cells: int) -> None:
    with mp.workdps(20):
        expected = float(quadrature_nats(counts, cells))
    measured = entropy_bits(counts, "nsb", cells) * math.log(2)
    assert measured == pytest.approx(expected, rel=1e-10, abs=0)


def test_nsb_of_three_observations() -> None:
    """A published table has .79154 here, but quadrature disagrees."""
    assert entropy_bits([2, 1], "nsb", 2) == pytest.approx(0.84967, abs=5e-6)


def test_nsb_knows_the_corpus_when_there_is_enough_of_it() -> None:
    counts = [10**9 // rank for rank in range(1, 201)]
    assert entropy_bits(counts, "nsb", 200) == pytest.approx(entropy_bits(counts, "ml"), abs=1e-6)


counts_lists = st.lists(st.integers(0, 10**6), min_size=1, max_size=20).filter(any)


@given(counts_lists, st.integers(0, 1000), st.sampled_from(sorted(set(R_NATS) - {"nsb"})))
def test_no_more_than_the_alphabet_holds(counts: list[int], unseen: int, name: str) -> None:
    cells = sum(n > 0 for n in counts) + unseen
    assert 0.0 <= entropy_bits(counts, name, cells) <= math.log2(cells) * (1 + 1e-14) + 1e-15


@given(counts_lists, st.floats(1e-3, 1e3), st.floats(1e-3, 1e3))
def test_a_stronger_prior_is_nearer_to_uniform(counts: list[int], a: float, b: float) -> None:
    spectrum = Spectrum.from_counts(counts)
    weak, strong = (dirichlet(spectrum, 25, x) for x in sorted((a, b)))
    assert weak <= strong + 1e-13


@pytest.mark.parametrize("name", R_NATS)
def test_one_cell_has_no_entropy(name: str) -> None:
    assert entropy_bits([9], name, 1) == 0.0


@pytest.mark.parametrize("name", R_NATS)
def test_alphabets_that_cannot_be(name: str) -> None:
    for wrong in (None, 7):
        with pytest.raises(OptionError, match="needs an alphabet_size of at least the 8"):
            entropy_bits(R_EXAMPLE, name, wrong)


@pytest.mark.parametrize("wrong", [0.0, -1.0, math.nan, math.inf])
def test_concentrations_that_cannot_be(wrong: float) -> None:
    with pytest.raises(OptionError, match="concentration"):
        dirichlet(Spectrum.from_counts([1]), 2, wrong)
