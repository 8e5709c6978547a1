"""Pitman-Yor count codes against sequential coding, published numbers and the Dirichlet code."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence

import mpmath as mp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import OptionError
from icfast.laws.code_length import (
    dirichlet_code_bits,
    kt_code_bits,
    kt_code_lengths,
    plug_in_code_bits,
)
from icfast.laws.pitman_yor import (
    DISCOUNTS,
    STRENGTHS,
    pitman_yor_code_bits,
    pitman_yor_code_lengths,
)
from icfast.sums.fan_out import FanOut
from icfast.sums.spectrum import Spectra, Spectrum

SpectraOf = Callable[[Sequence[Sequence[object]], int], Spectra]
Three = tuple[Spectrum, Spectrum, Spectrum]


def one_context(counts: list[int]) -> Three:
    return tuple(map(Spectrum.from_counts, (counts, [sum(counts)], [len(counts)])))  # type: ignore[return-value]


def test_published_code_length() -> None:
    measured = pitman_yor_code_bits(*one_context([4, 3, 1]), 16, 0.5, 1.0)
    assert measured == pytest.approx(24.93663793900257, rel=1e-15, abs=0)
    measured = pitman_yor_code_bits(*one_context([4, 3, 1]), 3, -0.5, 1.5)
    assert measured == pytest.approx(14.417259179471041, rel=1e-15, abs=0)


def contexts_of(documents: list[str], order: int) -> dict[str, list[str]]:
    """Return the successors of each history in order."""
    found = defaultdict(list)
    for document in documents:
        marked = "^" + document
        for i, token in enumerate(document, start=1):
            found[marked[max(0, i - order + 1) : i]].append(token)
    return found


def fan_out_of(documents: list[str], order: int) -> Spectrum:
    return Spectrum.from_counts(
        [len(set(tokens)) for tokens in contexts_of(documents, order).values()]
    )


def sequential_bits(documents: list[str], order: int, v: int, d: float, th: float) -> float:
    bits = []
    for tokens in contexts_of(documents, order).values():
        seen: Counter[str] = Counter()
        for n, token in enumerate(tokens):
            if seen[token]:
                p = (seen[token] - d) / (th + n)
            else:
                kinds = sum(count > 0 for count in seen.values())
                p = ((th + kinds * d) / (th + n) if n else 1.0) / (v - kinds)
            bits.append(-math.log2(p))
            seen[token] += 1
    return math.fsum(bits)


@given(
    st.lists(st.text("abcd", max_size=15), min_size=1, max_size=5).filter(any),
    st.integers(1, 3),
    st.integers(4, 50_000),
    st.floats(0, 0.99),
    st.floats(0.01, 1e4),
)
def test_it_is_the_sequential_code(
    spectra_of: SpectraOf, documents: list[str], order: int, v: int, d: float, th: float
) -> None:
    spectra = spectra_of(documents, order)
    measured = pitman_yor_code_bits(
        spectra.padded(order),
        spectra.padded_contexts(order),
        fan_out_of(documents, order),
        v,
        d,
        th,
    )
    expected = sequential_bits(documents, order, v, d, th)
    assert measured == pytest.approx(expected, rel=1e-12, abs=1e-12)


@given(
    st.lists(st.integers(1, 30), min_size=1, max_size=6), st.integers(6, 100), st.floats(1e-3, 1e3)
)
def test_a_negative_discount_is_the_dirichlet_code(counts: list[int], v: int, a: float) -> None:
    windows, contexts, fan_out = one_context(counts)
    expected = dirichlet_code_bits(windows, contexts, v, a)
    measured = pitman_yor_code_bits(windows, contexts, fan_out, v, -a, a * v)
    assert measured == pytest.approx(expected, rel=1e-11, abs=1e-11)


def textbook_bits(counts: dict[int, int], v: int, d: float, th: float) -> mp.mpf:
    n = sum(r * phi for r, phi in counts.items())
    kinds = sum(counts.values())
    d, th = mp.mpf(d), mp.mpf(th)
    new = mp.fsum(mp.log(th + i * d) for i in range(1, kinds))
    again = mp.fsum(phi * (mp.loggamma(r - d) - mp.loggamma(1 - d)) for r, phi in counts.items())
    probability = new + mp.loggamma(th + 1) - mp.loggamma(th + n) + again
    naming = mp.loggamma(v + 1) - mp.loggamma(v - kinds + 1)
    return (naming - probability) / mp.log(2)


@pytest.mark.parametrize(("d", "th"), [(0.5, 1.0), (0.0, 1e-3), (0.99, 1e6), (0.7, -0.69)])
@pytest.mark.parametrize(
    ("counts", "v"),
    [
        ({1: 1}, 1),
        ({10**12: 1, 3: 1000, 1: 5000}, 50_257),
        ({1: 4000}, 4000),
        ({15: 3, 16: 2, 17: 9, 10**6: 1}, 10**8),
    ],
)
def test_against_the_textbook_formula(counts: dict[int, int], v: int, d: float, th: float) -> None:
    rows = sorted(counts)
    types = [counts[r] for r in rows]
    windows = Spectrum(np.array(rows, np.uint64), np.array(types, np.uint64))
    total, kinds = windows.windows, windows.distinct
    with mp.workdps(60):
        expected = float(textbook_bits(counts, v, d, th))
    measured = pitman_yor_code_bits(
        windows, Spectrum.from_counts([total]), Spectrum.from_counts([kinds]), v, d, th
    )
    # One window costs nothing at V = 1: the difference of two terms of the size ln th.
    assert measured == pytest.approx(expected, rel=1e-12, abs=1e-14)


def test_it_beats_kt_on_a_large_vocabulary() -> None:
    counts = [10_000 // rank for rank in range(1, 1001)]
    windows, contexts, fan_out = one_context(counts)
    kt = kt_code_bits(windows, contexts, 50_257)
    pitman_yor = pitman_yor_code_bits(windows, contexts, fan_out, 50_257, 0.0, 100.0)
    assert plug_in_code_bits(windows, contexts) < pitman_yor < kt


def test_code_lengths_over_a_grid(spectra_of: SpectraOf) -> None:
    documents = ["abracadabra", "abra"]
    spectra = spectra_of(documents, 1)
    found = pitman_yor_code_lengths(spectra, FanOut.of_unigrams(spectra), 1, 256)
    by_hand = {
        (d, th): sequential_bits(documents, 1, 256, d, th) for d in DISCOUNTS for th in STRENGTHS
    }
    assert by_hand[found.discount, found.strength] == min(by_hand.values())
    assert (found.order, found.parameter_bits) == (1, math.log2(50))
    assert found.lengths.baseline_bits == 15 * 8
    best = min(by_hand.values()) + math.log2(50)
    assert found.lengths.online_bits == pytest.approx(best, rel=1e-13, abs=0)
    # B and C of one family: C is the final counts', whatever the prior was.
    assert found.lengths.final_bits == kt_code_lengths(spectra, 1, 256).final_bits
    with pytest.raises(OptionError, match="the grid is empty"):
        pitman_yor_code_lengths(spectra, FanOut.of_unigrams(spectra), 1, 256, discounts=[])


def test_unigrams_alone_are_in_the_spectra(spectra_of: SpectraOf) -> None:
    found = FanOut.of_unigrams(spectra_of(["abracadabra"], 2))
    assert found.padded(1) == Spectrum.from_counts([5])
    for order in (0, 2):
        with pytest.raises(OptionError, match="was not counted"):
            found.padded(order)


@pytest.mark.parametrize(
    ("v", "d", "th", "message"),
    [
        (16, 1.0, 1.0, "discount < 1"),
        (16, math.nan, 1.0, "discount < 1"),
        (16, 0.5, -0.5, "strength > -discount"),
        (16, 0.0, 0.0, "strength > -discount"),
        (16, 0.5, math.inf, "strength > -discount"),
        (16, -0.5, 7.0, "needs strength"),
        (2, 0.5, 1.0, "alphabet_size of at least"),
    ],
)
def test_refusals(v: int, d: float, th: float, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        pitman_yor_code_bits(*one_context([4, 3, 1]), v, d, th)


def test_spectra_that_do_not_belong_together() -> None:
    windows, contexts, _ = one_context([4, 3, 1])
    for successors in ([2], [3, 1], [1, 2]):
        with pytest.raises(OptionError, match="are not the fan-out of"):
            pitman_yor_code_bits(windows, contexts, Spectrum.from_counts(successors), 16, 0.5, 1)
    with pytest.raises(OptionError, match="empty"):
        pitman_yor_code_bits(Spectrum(), Spectrum(), Spectrum(), 16, 0.5, 1.0)
