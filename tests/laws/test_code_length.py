"""Count codes against sequential coding, published numbers and high-precision sums."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import OptionError
from icfast.laws import gamma
from icfast.laws.code_length import (
    CodeLengths,
    best_description_bits,
    code_lengths,
    dirichlet_code_bits,
    kt_code_bits,
    kt_code_lengths,
    minimum_length_order,
    plug_in_code_bits,
)
from icfast.laws.entropy import entropy_bits
from icfast.sums.spectrum import Spectra, Spectrum

SpectraOf = Callable[[Sequence[Sequence[object]], int], Spectra]

PAIRS = Spectrum.from_counts([675_000, 75_000, 75_000, 175_000])
STATES = Spectrum.from_counts([750_000, 250_000])


def one_context(counts: list[int]) -> tuple[Spectrum, Spectrum]:
    return Spectrum.from_counts(counts), Spectrum.from_counts([sum(counts)])


@pytest.mark.parametrize(
    ("counts", "alphabet", "concentration", "bits"),
    [
        ([3, 2], 2, 0.5, 6.4150374992788438),
        ([4, 3, 1], 3, 0.5, 14.417259179471041),
        ([4, 3, 1], 3, 1.0, 13.621136113274641),
    ],
)
def test_published_code_lengths(
    counts: list[int], alphabet: int, concentration: float, bits: float
) -> None:
    windows, contexts = one_context(counts)
    measured = dirichlet_code_bits(windows, contexts, alphabet, concentration)
    assert measured == pytest.approx(bits, rel=1e-15, abs=0)
    if concentration == 0.5:
        assert kt_code_bits(windows, contexts, alphabet) == measured


def test_markov_chain() -> None:
    final_bits = plug_in_code_bits(PAIRS, STATES)
    online_bits = kt_code_bits(PAIRS, STATES, 2)
    assert final_bits == pytest.approx(572069.4199996341, rel=1e-15, abs=0)
    assert online_bits == pytest.approx(572088.7955483, abs=5e-8)
    assert online_bits - final_bits == pytest.approx(19.3755486, abs=5e-8)
    assert 1e6 * entropy_bits(STATES, "ml") == pytest.approx(811278.1244591329, rel=1e-15, abs=0)


def sequential_bits(documents: list[str], order: int, alphabet: int, a: float) -> float:
    """Return -log2 of the product of the predictive probabilities, token by token."""
    histories: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    bits = []
    for document in documents:
        marked = "^" + document
        for i, token in enumerate(document, start=1):
            history = marked[max(0, i - order + 1) : i]
            bits.append(
                -math.log2((pairs[history, token] + a) / (histories[history] + a * alphabet))
            )
            histories[history] += 1
            pairs[history, token] += 1
    return math.fsum(bits)


@given(
    st.lists(st.text("abc", max_size=12), min_size=1, max_size=5).filter(any),
    st.integers(1, 3),
    st.integers(3, 50_000),
)
def test_kt_is_the_sequential_code(
    spectra_of: SpectraOf, documents: list[str], order: int, alphabet: int
) -> None:
    lengths = kt_code_lengths(spectra_of(documents, order), order, alphabet)
    tokens = sum(map(len, documents))
    assert lengths.baseline_bits == tokens * math.log2(alphabet)
    expected = sequential_bits(documents, order, alphabet, 0.5)
    assert lengths.online_bits == pytest.approx(expected, rel=1e-13, abs=0)
    assert lengths.absorbed_bits >= 0


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=6),
    st.integers(6, 100),
    st.floats(1e-6, 1e4),
)
def test_dirichlet_is_the_sequential_code(counts: list[int], alphabet: int, a: float) -> None:
    text = "".join(chr(ord("a") + i) * n for i, n in enumerate(counts))
    expected = sequential_bits([text], 1, alphabet, a)
    measured = dirichlet_code_bits(*one_context(counts), alphabet, a)
    assert measured == pytest.approx(expected, rel=1e-12, abs=0)


#: {n: phi} of the windows and of the contexts, V, a: sizes at which lnG(N) has lost its digits,
#: and both sides of the series' start (16).
LARGE = [
    ({10**12: 1, 3: 10**6}, {10**12: 1, 3: 10**6}, 50_257, 0.5),
    ({5 * 10**12: 2, 10**9: 3, 1: 10**7}, {10**13: 1, 3 * 10**9 + 10**7: 1}, 10**8, 0.5),
    ({1: 10**9}, {10**3: 10**6}, 50_257, 0.5),
    ({14: 4, 15: 3, 16: 5, 17: 1}, {31: 1, 167: 1}, 32, 1.0),
    ({7: 3, 2: 10}, {41: 1}, 1000, 1e-6),
    ({7: 3, 2: 10}, {41: 1}, 256, 1e-200),
    ({7: 3, 2: 10}, {41: 1}, 256, 1e200),
]


@pytest.mark.parametrize(("windows", "contexts", "alphabet", "a"), LARGE)
def test_against_log_gamma_at_high_precision(
    windows: dict[int, int], contexts: dict[int, int], alphabet: int, a: float
) -> None:
    def spectrum(counts: dict[int, int]) -> Spectrum:
        rows = sorted(counts)
        return Spectrum(np.array(rows, np.uint64), np.array([counts[r] for r in rows], np.uint64))

    with mp.workdps(300 if a > 1e100 or a < 1e-100 else 50):
        z = mp.mpf(a)
        up = sum(
            t * (mp.loggamma(n + z * alphabet) - mp.loggamma(z * alphabet))
            for n, t in contexts.items()
        )
        down = sum(t * (mp.loggamma(n + z) - mp.loggamma(z)) for n, t in windows.items())
        online = (up - down) / mp.log(2)
        final = sum(t * n * mp.log(n, 2) for n, t in contexts.items())
        final -= sum(t * n * mp.log(n, 2) for n, t in windows.items())
    measured = dirichlet_code_bits(spectrum(windows), spectrum(contexts), alphabet, a)
    assert measured == pytest.approx(float(online), rel=1e-14, abs=0)
    in_sample = plug_in_code_bits(spectrum(windows), spectrum(contexts))
    assert in_sample == pytest.approx(float(final), rel=1e-14, abs=0)


@pytest.mark.parametrize("x", [1e-9, 0.5, 15.9, 16.0, 17.0, 1e6])
def test_stirling_remainder(x: float) -> None:
    with mp.workdps(40):
        y = mp.mpf(x)
        expected = float(mp.loggamma(y) - ((y - 0.5) * mp.log(y) - y + mp.log(2 * mp.pi) / 2))
    measured = float(gamma.stirling_remainder(np.array([x]))[0])
    # Below 16 a difference of numbers of the size ln G(16) = 28; from there a cut series.
    assert measured == pytest.approx(expected, rel=4e-16, abs=8e-15 if x < 16 else 2e-16)


def test_an_alphabet_of_one_costs_nothing() -> None:
    assert kt_code_bits(*one_context([10**6]), 1) == 0.0


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(8, 1000))
def test_contexts_add(counts: list[int], alphabet: int) -> None:
    windows, contexts = one_context(counts)
    twice = kt_code_bits(
        Spectrum.total([windows, windows]), Spectrum.total([contexts, contexts]), alphabet
    )
    assert twice == pytest.approx(2 * kt_code_bits(windows, contexts, alphabet), rel=1e-14, abs=0)


def test_what_is_refused() -> None:
    windows, contexts = one_context([3, 2])
    with pytest.raises(OptionError, match="alphabet_size of at least 2, found 1"):
        kt_code_bits(windows, contexts, 1)
    with pytest.raises(OptionError, match="alphabet_size of at least 3, found 2"):
        kt_code_bits(Spectrum.from_counts([1] * 5), Spectrum.from_counts([2, 3]), 2)
    for wrong in (0.0, -1.0, math.inf, math.nan):
        with pytest.raises(OptionError, match="concentration"):
            dirichlet_code_bits(windows, contexts, 2, wrong)
    for function in (plug_in_code_bits, lambda w, c: kt_code_bits(w, c, 2)):
        with pytest.raises(OptionError, match="must sum to the 5 windows"):
            function(windows, Spectrum.from_counts([4]))
        with pytest.raises(OptionError, match="empty"):
            function(Spectrum(), Spectrum())


def test_code_lengths_and_their_differences() -> None:
    lengths = code_lengths(1000.0, 700.0, 600.0)
    assert lengths == CodeLengths(
        baseline_bits=1000.0,
        online_bits=700.0,
        final_bits=600.0,
        gross_savings_bits=400.0,
        compression_bits=300.0,
        absorbed_bits=100.0,
    )
    with pytest.raises(AttributeError):
        lengths.online_bits = 1.0  # type: ignore[misc]


@pytest.mark.parametrize("position", [0, 1, 2])
@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
def test_impossible_lengths(position: int, wrong: float) -> None:
    bits = [3.0, 2.0, 1.0]
    bits[position] = wrong
    name = ("baseline_bits", "online_bits", "final_bits")[position]
    with pytest.raises(OptionError, match=name):
        code_lengths(*bits)


@pytest.mark.parametrize(("model_bits", "best"), [(0, 600), (64, 664), (100, 700), (1e9, 700)])
def test_best_description(model_bits: float, best: float) -> None:
    assert best_description_bits(code_lengths(1000.0, 700.0, 600.0), model_bits) == best


@pytest.mark.parametrize("wrong", [-1.0, math.nan, math.inf])
def test_best_description_refuses(wrong: float) -> None:
    with pytest.raises(OptionError, match="model_bits"):
        best_description_bits(code_lengths(1000.0, 700.0, 600.0), wrong)


def test_minimum_length_order() -> None:
    lengths = [code_lengths(100.0, online, 10.0) for online in (60.0, 50.0, 50.0, 80.0)]
    assert minimum_length_order(lengths) == 2
    with pytest.raises(OptionError, match="no code lengths"):
        minimum_length_order([])
    with pytest.raises(OptionError, match="of different tokens"):
        minimum_length_order([code_lengths(100.0, 60.0, 1.0), code_lengths(99.0, 60.0, 1.0)])
