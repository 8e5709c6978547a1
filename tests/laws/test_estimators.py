"""Estimators against published numbers, exact expectations and high-precision sums."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import OptionError
from icfast.laws import estimators
from icfast.laws.entropy import coverage_chao_jost, coverage_good, entropy_bits
from icfast.laws.estimator_table import ESTIMATORS
from icfast.sums.spectrum import Spectrum

LN2 = math.log(2)
NAMES = (
    "ml",
    "miller_madow",
    "chao_shen",
    "grassberger",
    "zhang",
    "cwj",
    "jackknife",
    "schurmann",
)


def entropy_nats(counts: object, estimator: str) -> float:
    return entropy_bits(counts, estimator) * LN2  # type: ignore[arg-type]


# --- estimators: published numbers and exact expectations ---------------------------------------

R_EXAMPLE = (4, 2, 3, 0, 2, 4, 0, 0, 2, 1, 1)
R_NATS = {
    "ml": 1.968382408728381,
    "miller_madow": 2.152592935044171,
    "chao_shen": 2.201137101279585,
    "grassberger": 2.118079820159768,
    "zhang": 2.170546674687542,
    "cwj": 2.197116039017335,
    "jackknife": 2.231274314180113,
    "schurmann": 2.173616924762506,
}


@pytest.mark.parametrize("estimator", NAMES)
def test_example_of_the_r_package(estimator: str) -> None:
    assert entropy_nats(R_EXAMPLE, estimator) == pytest.approx(R_NATS[estimator], rel=1e-15, abs=0)


def test_every_estimator_is_tested() -> None:
    """Every estimator is tested here or, with an alphabet size, in test_alphabet_estimators."""
    assert {name for name, entry in ESTIMATORS.items() if not entry.needs_alphabet} == set(NAMES)


@pytest.mark.parametrize("flips", [2, 3, 5, 10, 25])
def test_grassberger_is_unbiased_for_a_fair_coin(flips: int) -> None:
    mean_bits = math.fsum(
        math.comb(flips, heads) / 2**flips * entropy_bits([heads, flips - heads], "grassberger")
        for heads in range(flips + 1)
    )
    assert mean_bits == pytest.approx(1.0, rel=2e-15, abs=0)


@pytest.mark.parametrize(
    ("estimator", "expected_nats"), [("ml", 5.4091539415803409), ("zhang", 5.5409718243899577)]
)
def test_expectation_for_a_uniform_alphabet(estimator: str, expected_nats: float) -> None:
    cells, draws = 256, 1000
    single = entropy_nats([1] * draws, estimator) / draws

    def contribution(r: int) -> float:
        """What one type seen r times adds, the rest being types seen once."""
        copies = draws // r
        rest = draws - copies * r
        return (entropy_nats([r] * copies + [1] * rest, estimator) - rest * single) / copies

    def probability(r: int) -> float:
        share: float = math.comb(draws, r) * (cells - 1) ** (draws - r) / cells**draws
        return share

    mean_nats = cells * math.fsum(probability(r) * contribution(r) for r in range(1, draws + 1))
    assert mean_nats == pytest.approx(expected_nats, rel=2e-15, abs=0)


@pytest.mark.parametrize(
    ("alphabet", "bits"), [(1000, 7.4890458749887243), (50257, 10.915249074365985)]
)
def test_zipf(alphabet: int, bits: float) -> None:
    counts = np.rint(1e15 / np.arange(1, alphabet + 1))
    assert entropy_bits(counts, "ml") == pytest.approx(bits, rel=1e-14, abs=0)


def test_bits_nats_and_trivial_spectra() -> None:
    assert entropy_bits([5, 5, 5, 5], "ml") == pytest.approx(2.0, rel=1e-15, abs=0)
    assert entropy_bits(Spectrum.from_counts([7]), "ml") == 0.0


@pytest.mark.parametrize("estimator", [n for n in NAMES if n not in ("grassberger", "schurmann")])
def test_one_type_seen_any_number_of_times_has_no_entropy(estimator: str) -> None:
    for times in (1, 2, 3, 64, 10**13):
        assert entropy_bits([times], estimator) == 0.0


# --- estimators: high precision -----------------------------------------------------------------


def reference_nats(counts: dict[int, int], estimator: str) -> mp.mpf:
    """Compute the textbook formulas from {r: phi_r} with 60 digits."""
    rows = [(mp.mpf(r), mp.mpf(phi)) for r, phi in counts.items()]
    n = sum(r * phi for r, phi in rows)
    types = sum(phi for _, phi in rows)
    once, twice = mp.mpf(counts.get(1, 0)), mp.mpf(counts.get(2, 0))
    s = sum(phi * r * mp.log(r) for r, phi in rows)
    ml = mp.log(n) - s / n
    zhang = mp.digamma(n) - sum(phi * r * mp.digamma(r) for r, phi in rows) / n

    def g(r: mp.mpf) -> mp.mpf:
        half = (mp.digamma((r + 1) / 2) - mp.digamma(r / 2)) / 2
        return mp.digamma(r) + (half if int(r) % 2 == 0 else -half)

    def chao_shen() -> mp.mpf:
        cover = 1 - (once - 1 if once == n else once) / n
        parts = [(phi, cover * r / n) for r, phi in rows]
        return -sum(phi * p * mp.log(p) / (1 - (1 - p) ** n) for phi, p in parts)

    def jackknife() -> mp.mpf:
        if n == 1:
            return mp.mpf(0)

        def without(r: mp.mpf) -> mp.mpf:
            smaller = (r - 1) * mp.log(r - 1) if r > 1 else mp.mpf(0)
            return mp.log(n - 1) - (s - r * mp.log(r) + smaller) / (n - 1)

        return n * ml - (n - 1) / n * sum(phi * r * without(r) for r, phi in rows)

    def cwj() -> mp.mpf:
        if once == 0:
            return zhang
        if twice == 0:
            a = 2 / ((n - 1) * (once - 1) + 2)
        else:
            a = 2 * twice / ((n - 1) * once + 2 * twice)
        return zhang if a == 1 else zhang + once / n * tail(n, a)

    table = {
        "schurmann": lambda: zhang - schurmann_waves(rows) / n,
        "ml": lambda: ml,
        "miller_madow": lambda: ml + (types - 1) / (2 * n),
        "zhang": lambda: zhang,
        "grassberger": lambda: mp.digamma(n) - sum(phi * r * g(r) for r, phi in rows) / n,
        "chao_shen": chao_shen,
        "jackknife": jackknife,
        "cwj": cwj,
    }
    return table[estimator]()


def schurmann_waves(rows: list[tuple[mp.mpf, mp.mpf]]) -> mp.mpf:
    """Return the sum of phi r (-1)^r times the integral, which is below 1e-90 from r = 500."""
    x = mp.exp(mp.mpf("0.5")) - 1
    small = [(r, phi) for r, phi in rows if r <= 500]
    return sum(
        phi * r * (-1) ** int(r) * mp.quad(lambda t, r=r: t ** (r - 1) / (1 + t), [0, x / 2, x])
        for r, phi in small
    )


def tail(n: mp.mpf, a: mp.mpf) -> mp.mpf:
    """Return the sum over j >= 0 of (1-a)^(j+1)/(n+j), by terms or by its integral."""
    if a > 0.005:
        terms = int(mp.ceil(60 / a))
        return mp.fsum((1 - a) ** (j + 1) / (n + j) for j in range(terms))
    # 1/(n+j) = int_0^1 u^(n+j-1) du, summed over j, with u = e^(-t).
    scale = 1 / n
    knots = [0] + [scale * 10**k for k in (-4, -3, -2, -1, 0, 0.5, 1, 1.5, 2, 2.3)]
    knots = sorted({*knots, *(k for k in (a * 10**e for e in range(-2, 3)) if k < knots[-1])})

    def integrand(t: mp.mpf) -> mp.mpf:
        return mp.exp(-n * t) * (1 - a) / (1 - (1 - a) * mp.exp(-t))

    return mp.quad(integrand, knots)


#: {r: phi_r}: small and large, one type ruling, everything unseen, both sides of every series'
#: start (64) and of the tail's two branches.
SPECTRA = {
    "two types": {3: 1, 5: 1},
    "one window": {1: 1},
    "two windows": {1: 2},
    "all once": {1: 50},
    "all once, many": {1: 10**9},
    "series start": {1: 3, 2: 2, 63: 1, 64: 1, 65: 2},
    "N at series start": {1: 1, 62: 1},
    "covered half": {1: 1, 3: 1},
    "one rules": {1: 1, 10**13 - 1: 1},
    "one rules, odd": {2: 1, 10**13 + 1: 1},
    "no singletons": {2: 5, 7: 3, 1000: 2},
    "no doubletons": {1: 20, 3: 4, 12: 1},
    "one singleton, no doubleton": {1: 1, 5: 3},
    "many once, N below 1000": {1: 200, 2: 3, 50: 4},
    "nearly all once": {1: 10**12, 2: 1},
    "corpus": {1: 400_000, 2: 90_000, 3: 31_000, 17: 900, 5_003: 40, 7_654_321: 2},
    "large": {1: 3 * 10**9, 2: 10**9, 9: 10**8, 10**6: 10**6, 4 * 10**12: 1, 5 * 10**12 + 1: 1},
}


@pytest.mark.ci
@pytest.mark.parametrize("estimator", NAMES)
@pytest.mark.parametrize("name", SPECTRA)
def test_against_the_textbook_formula_at_sixty_digits(name: str, estimator: str) -> None:
    counts = SPECTRA[name]
    spectrum = Spectrum(
        np.array(sorted(counts), np.uint64),
        np.array([counts[r] for r in sorted(counts)], np.uint64),
    )
    with mp.workdps(60 if name == "large" or estimator != "cwj" else 40):
        expected = float(reference_nats(counts, estimator))
    # Two subtract an alternating part; the rest are sums of terms of one sign.
    slack = 2e-15 if estimator in ("grassberger", "schurmann") else 1e-30
    assert entropy_bits(spectrum, estimator) * LN2 == pytest.approx(expected, rel=2e-14, abs=slack)


@pytest.mark.parametrize(("xi", "name"), [(1.0, "zhang"), (0.5, "grassberger")])
@pytest.mark.parametrize("spectrum", SPECTRA)
def test_schurmann_between_zhang_and_grassberger(spectrum: str, xi: float, name: str) -> None:
    rows = sorted(SPECTRA[spectrum])
    types = [SPECTRA[spectrum][r] for r in rows]
    counted = Spectrum(np.array(rows, np.uint64), np.array(types, np.uint64))
    expected = ESTIMATORS[name].nats(counted)
    assert estimators.schurmann(counted, xi) == pytest.approx(expected, rel=1e-14, abs=2e-15)


@pytest.mark.parametrize("xi", [0.49, 1.01, math.nan])
def test_schurmann_refuses(xi: float) -> None:
    with pytest.raises(OptionError, match=r"0\.5\.\.1"):
        estimators.schurmann(Spectrum.from_counts([1, 2]), xi)


#: phi_1, phi_2 and N around q = .02, where A ~ 2 phi_2/(N phi_1), and far on both sides.
TAILS = [
    (once, twice, total)
    for total in (10, 99, 101, 999, 1000, 1001, 10**5, 10**9)
    for once, twice in ((1, 0), (2, 0), (7, 0), (3, 1), (5, 100), (90, 1), (400, 3), (0, 3))
    if once + 2 * twice <= total
] + [
    (1, 10, 1000),  # A .01963, q .0198
    (1, 10, 960),  # q .0206
    (50, 5, 11_000),
    (100, 9_900, 20_000),
    (10, 10**5, 10**6),
    (1, 4 * 10**8, 10**9),
    (10**9, 0, 10**9),
    (10**8, 10**8, 10**9),
]


@pytest.mark.ci
@pytest.mark.parametrize(("once", "twice", "total"), TAILS)
def test_chao_wang_jost_against_its_sum(once: int, twice: int, total: int) -> None:
    counts = {1: once, 2: twice, total - once - 2 * twice: 1}
    counts = {r: phi for r, phi in counts.items() if r and phi}
    assert total - once - 2 * twice not in (1, 2), "the remainder would join phi_1 or phi_2"
    rows = sorted(counts)
    spectrum = Spectrum(np.array(rows, np.uint64), np.array([counts[r] for r in rows], np.uint64))
    with mp.workdps(30):
        expected = float(reference_nats(counts, "cwj"))
    assert entropy_bits(spectrum, "cwj") * LN2 == pytest.approx(expected, rel=4e-15, abs=1e-30)


@pytest.mark.ci
@pytest.mark.parametrize("total", [11, 500, 999, 1000, 1001, 10**5, 10**9, 10**13])
@pytest.mark.parametrize("decay", [1e-12, 1e-6, 1e-3, 0.0199, 0.02, 0.0201, 0.15, 0.5, 5.0])
def test_geometric_tail(total: int, decay: float) -> None:
    with mp.workdps(30):
        q = mp.mpf(decay)
        expected = float(tail(mp.mpf(total), -mp.expm1(-q)))
    assert estimators._geometric_tail(total, decay) == pytest.approx(expected, rel=4e-15, abs=0)


@pytest.mark.parametrize("x", [1e-12, 1e-3, 0.3, 0.999, 1.0, 1.001, 2.5, 30.0, 699.0, 750.0])
def test_scaled_exponential_integral(x: float) -> None:
    with mp.workdps(40):
        expected = float(mp.exp(x) * mp.e1(x))
    assert estimators._scaled_exp1(x) == pytest.approx(expected, rel=1.5e-15, abs=0)


def test_scaled_exponential_integral_beyond_the_range_of_exp() -> None:
    x = 1e9  # 1/x - 1/x^2 + 2/x^3 - ...
    assert estimators._scaled_exp1(x) == pytest.approx(1e-9 * (1 - 1e-9 + 2e-18), rel=1e-15, abs=0)


def test_the_tail_s_branches_meet() -> None:
    below, above = (estimators._geometric_tail(5000, q) for q in (0.02, math.nextafter(0.02, 1)))
    assert below == pytest.approx(above, rel=3e-15, abs=0)


@pytest.mark.parametrize("x", [1.0, 2.0, 16.0, 17.0, 63.0, 64.0, 65.0, 1000.0, 1e13])
def test_lags_on_both_sides_of_their_series(x: float) -> None:
    with mp.workdps(60):
        y = mp.mpf(x)
        expected = {
            estimators.digamma_lag: mp.log(y) - mp.digamma(y),
            estimators._alternating_sum: (mp.digamma((y + 1) / 2) - mp.digamma(y / 2)) / 2,
            estimators._jackknife_lag: 1 + ((y - 1) * mp.log(1 - 1 / y) if x > 1 else 0),
        }
        # Below the start the values are differences of numbers of the size ln x.
        slack = 1.5e-15 if x < 64 else 0.0
        for function, value in expected.items():
            measured = float(function(np.array([x]))[0])
            assert measured == pytest.approx(float(value), rel=4e-16, abs=slack)


@pytest.mark.parametrize(
    ("counts", "share"),
    [
        ([5, 5], Fraction(1)),
        ([1, 9], Fraction(1)),
        ([1], Fraction(1)),
        ([1, 1, 8], Fraction(2, 11)),
        ([1, 1, 2, 4], Fraction(1, 8)),
    ],
)
def test_doubleton_share_is_exact(counts: list[int], share: Fraction) -> None:
    assert estimators.doubleton_share(Spectrum.from_counts(counts)) == share


# --- estimators: laws that hold for any counts --------------------------------------------------

counts_lists = st.lists(st.integers(0, 10**6), min_size=1, max_size=40).filter(any)


@given(counts_lists, st.integers(2, 7))
def test_duplicating_a_corpus_leaves_ml(counts: list[int], copies: int) -> None:
    again = entropy_bits([copies * c for c in counts], "ml")
    assert again == pytest.approx(entropy_bits(counts, "ml"), rel=1e-14, abs=1e-15)


@given(counts_lists, st.randoms(use_true_random=False), st.sampled_from(NAMES))
def test_relabelling_changes_no_bit(
    counts: list[int], shuffler: random.Random, estimator: str
) -> None:
    renamed = [*counts, 0]
    shuffler.shuffle(renamed)
    spectrum = Spectrum.from_counts(np.array(counts, np.uint32))
    assert entropy_bits(renamed, estimator) == entropy_bits(spectrum, estimator)


@given(counts_lists, counts_lists)
def test_disjoint_alphabets_mix(left: list[int], right: list[int]) -> None:
    share = sum(left) / (sum(left) + sum(right))
    mixed = share * entropy_bits(left, "ml") + (1 - share) * entropy_bits(right, "ml")
    between = entropy_bits([sum(left), sum(right)], "ml")
    assert entropy_bits(left + right, "ml") == pytest.approx(mixed + between, rel=1e-12, abs=1e-14)


@given(counts_lists)
def test_bounds_and_order_of_the_estimators(counts: list[int]) -> None:
    bits = {name: entropy_bits(counts, name) for name in NAMES}
    seen = sum(c > 0 for c in counts)
    assert 0.0 <= bits["ml"] <= math.log2(seen) * (1 + 1e-15)
    assert bits["ml"] <= bits["zhang"] * (1 + 1e-14) <= bits["cwj"] * (1 + 1e-13)
    spectrum = Spectrum.from_counts(counts)
    assert 0.0 <= coverage_good(spectrum) <= coverage_chao_jost(spectrum) <= 1.0
