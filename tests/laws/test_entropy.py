"""Coverage, options and conditional entropies against published numbers and naive sums."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.errors import OptionError
from icfast.laws.entropy import (
    bos_padded_bits_per_token,
    coverage_chao_jost,
    coverage_good,
    difference_bits_per_token,
    entropy_bits,
    gate,
    order_entropy,
    plug_in_bits_per_token,
    prefix_marginal_bits_per_token,
)
from icfast.laws.estimator_table import ESTIMATORS, Estimator
from icfast.sums.spectrum import Spectra, Spectrum

SpectraOf = Callable[[Sequence[Sequence[object]], int], Spectra]

# --- coverage and gate --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("counts", "good", "chao_jost"),
    [
        ([1, 1, 2, 4], 0.75, 0.78125),  # A = 2/(7*2+2) = 1/8: 1 - (2/8)(7/8)
        ([5, 5], 1.0, 1.0),
        ([1, 9], 0.9, 1.0),
        ([1, 1], 0.0, 2 / 3),
        ([1, 1, 8], 0.8, 1 - 0.2 * 9 / 11),
    ],
)
def test_coverage(counts: list[int], good: float, chao_jost: float) -> None:
    spectrum = Spectrum.from_counts(counts)
    assert coverage_good(spectrum) == good
    assert coverage_chao_jost(spectrum) == pytest.approx(chao_jost, rel=1e-15, abs=0)


@pytest.mark.parametrize(
    ("coverage", "word"),
    [
        (1.0, "reliable"),
        (0.99, "reliable"),
        (math.nextafter(0.99, 0), "estimate"),
        (0.9, "estimate"),
        (math.nextafter(0.9, 0), "lower bound"),
        (0.0, "lower bound"),
    ],
)
def test_gate(coverage: float, word: str) -> None:
    assert gate(coverage) == word


@pytest.mark.parametrize("coverage", [-0.1, 1.1, math.nan])
def test_gate_refuses_what_is_no_share(coverage: float) -> None:
    with pytest.raises(OptionError, match=r"0\.\.1"):
        gate(coverage)


def test_the_gate_opens_at_exactly_one_unseen_in_a_hundred() -> None:
    assert gate(coverage_good(Spectrum.from_counts([1, 99]))) == "reliable"


def test_coverages_of_the_r_example() -> None:
    spectrum = Spectrum.from_counts([4, 2, 3, 0, 2, 4, 0, 0, 2, 1, 1])
    assert coverage_good(spectrum) == pytest.approx(0.8947368421, abs=5e-11)
    assert coverage_chao_jost(spectrum) == pytest.approx(0.9097744361, abs=5e-11)


# --- options ------------------------------------------------------------------------------------


def test_unknown_estimator_lists_the_known() -> None:
    with pytest.raises(OptionError, match=r"'shannon' is unknown.*chao_shen, cwj, grassberger"):
        entropy_bits([1, 2], "shannon")


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("nothing", [[], [0, 0], Spectrum()])
def test_nothing_counted(nothing: object, estimator: str) -> None:
    with pytest.raises(OptionError, match="empty"):
        entropy_bits(nothing, estimator)  # type: ignore[arg-type]


@pytest.mark.parametrize("function", [coverage_good, coverage_chao_jost])
def test_no_coverage_of_nothing(function: object) -> None:
    with pytest.raises(OptionError, match="empty"):
        function(Spectrum())  # type: ignore[operator]


@pytest.mark.parametrize("estimator", [n for n, e in ESTIMATORS.items() if not e.needs_alphabet])
def test_an_alphabet_size_without_use_is_refused(estimator: str) -> None:
    with pytest.raises(OptionError, match="does not use alphabet_size"):
        entropy_bits([1, 2], estimator, alphabet_size=4)


def test_an_estimator_that_asks_for_the_alphabet(monkeypatch: pytest.MonkeyPatch) -> None:
    def log_cells(spectrum: Spectrum, alphabet_size: int) -> float:
        return math.log(alphabet_size)

    monkeypatch.setitem(ESTIMATORS, "cells", Estimator(log_cells, needs_alphabet=True))
    assert entropy_bits([1, 2], "cells", alphabet_size=2) == 1.0
    for wrong in (None, 1):
        with pytest.raises(OptionError, match="at least the 2 types seen"):
            entropy_bits([1, 2], "cells", alphabet_size=wrong)


# --- conditional entropies ----------------------------------------------------------------------

CONVENTIONS = {
    "prefix_marginal": prefix_marginal_bits_per_token,
    "bos_padded": bos_padded_bits_per_token,
    "difference": difference_bits_per_token,
}


@pytest.mark.parametrize(
    ("documents", "convention", "bits"),
    [
        (["abracadabra"], "prefix_marginal", 0.6),
        (["abracadabra"], "bos_padded", 6 / 11),
        (["abracadabra"], "difference", 0.68155470119886616),
        (["abracadabra", "abra"], "prefix_marginal", 0.5272886901748726),
        (["abracadabra", "abra"], "bos_padded", 0.4569835314848897),
    ],
)
def test_abracadabra(
    spectra_of: SpectraOf, documents: list[str], convention: str, bits: float
) -> None:
    measured = CONVENTIONS[convention](spectra_of(documents, 2), 2)
    assert measured == pytest.approx(bits, rel=3e-15, abs=0)


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_order_one_is_the_unigram_entropy(spectra_of: SpectraOf, convention: str) -> None:
    spectra = spectra_of(["abracadabra", "abra"], 2)
    h1 = entropy_bits([7, 3, 3, 1, 1], "ml")
    assert CONVENTIONS[convention](spectra, 1) == pytest.approx(h1, rel=1e-15, abs=0)


def test_markov_chain() -> None:
    pairs = Spectrum.from_counts([675_000, 75_000, 75_000, 175_000])
    states = Spectrum.from_counts([750_000, 250_000])
    assert entropy_bits(states, "ml") == pytest.approx(0.81127812445913286, rel=1e-15, abs=0)
    assert plug_in_bits_per_token(pairs, states) == pytest.approx(
        0.57206941999963407, rel=2e-15, abs=0
    )


@pytest.mark.ci
def test_thue_morse(spectra_of: SpectraOf) -> None:
    word = np.zeros(1, np.uint8)
    while len(word) < 2**20:
        word = np.concatenate([word, 1 - word])
    spectra = spectra_of([word.tolist()], 7)
    expected = dict(
        zip(range(2, 8), (0.91829583405448951, *[2 / 3] * 2, *[1 / 3] * 3), strict=True)
    )
    for order, bits in expected.items():
        for convention in CONVENTIONS.values():
            # A 2^20 prefix; the padded one also codes the few tokens of a cut history.
            assert convention(spectra, order) == pytest.approx(
                bits, abs=1e-6 if convention is not bos_padded_bits_per_token else 3e-6
            )


def test_de_bruijn() -> None:
    word = "0000100110101111"
    for length, bits in enumerate((1, 2, 3, 4, 4, 4), start=1):
        around = word + word[: length - 1]
        windows = Counter(around[i : i + length] for i in range(len(word)))
        assert entropy_bits(list(windows.values()), "ml") == pytest.approx(bits, rel=1e-15, abs=0)


def test_noisy_cycle() -> None:
    # A quarter of the documents uniform over 16 ids, the rest a 16-cycle: proportions as counts.
    pairs = Spectrum.from_counts([49] * 16 + [1] * 240)
    h2 = plug_in_bits_per_token(pairs, Spectrum.from_counts([64] * 16))
    triples = Spectrum.from_counts([769] * 16 + [1] * 4080)
    h3 = plug_in_bits_per_token(triples, Spectrum.from_counts([784] * 16 + [16] * 240))
    assert h2 == pytest.approx(1.7012377755992937, rel=2e-15, abs=0)
    assert h3 == pytest.approx(1.0992702352, abs=5e-11)


def test_noisy_cycle_padded(spectra_of: SpectraOf) -> None:
    documents = [(a, b) for a in range(16) for b in range(16)]
    documents += [(a, (a + 1) % 16) for a in range(16) for _ in range(48)]
    h2 = bos_padded_bits_per_token(spectra_of(documents, 2), 2)
    assert h2 == pytest.approx((4 + 1.7012377755992937) / 2, rel=2e-15, abs=0)


def test_a_deterministic_sequence_costs_exactly_nothing(spectra_of: SpectraOf) -> None:
    spectra = spectra_of(["abcabcabcabca"], 3)
    assert prefix_marginal_bits_per_token(spectra, 2) == 0.0
    assert bos_padded_bits_per_token(spectra, 3) == 0.0


documents_lists = st.lists(st.text("abc", max_size=12), min_size=1, max_size=5).filter(any)


@given(documents_lists, st.integers(1, 3))
def test_padded_entropy_is_the_mean_code_length_of_each_token(
    spectra_of: SpectraOf, documents: list[str], order: int
) -> None:
    histories: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for document in documents:
        marked = "^" + document
        for i, token in enumerate(document, start=1):
            history = marked[max(0, i - order + 1) : i]
            histories[history] += 1
            pairs[history, token] += 1
    coded = math.fsum(-n * math.log2(n / histories[h]) for (h, _), n in pairs.items())
    measured = bos_padded_bits_per_token(spectra_of(documents, order), order)
    assert measured == pytest.approx(coded / sum(pairs.values()), rel=1e-12, abs=1e-14)


@given(documents_lists)
def test_a_second_copy_changes_no_conditional_entropy(
    spectra_of: SpectraOf, documents: list[str]
) -> None:
    once, twice = spectra_of(documents, 2), spectra_of(documents * 2, 2)
    if not once[2].windows:
        return
    for convention in CONVENTIONS.values():
        assert convention(twice, 2) == pytest.approx(convention(once, 2), rel=1e-12, abs=1e-14)


def test_contexts_of_other_windows_are_refused() -> None:
    with pytest.raises(OptionError, match="must sum to the 4 windows"):
        plug_in_bits_per_token(Spectrum.from_counts([2, 2]), Spectrum.from_counts([3]))
    with pytest.raises(OptionError, match="pass windows first"):
        plug_in_bits_per_token(Spectrum.from_counts([4]), Spectrum.from_counts([2, 2]))


@pytest.mark.parametrize("convention", CONVENTIONS)
def test_orders_that_were_not_counted(spectra_of: SpectraOf, convention: str) -> None:
    spectra = spectra_of(["abracadabra"], 2)
    for order in (0, 3):
        with pytest.raises(OptionError, match="was not counted"):
            CONVENTIONS[convention](spectra, order)


# --- one order, everything ----------------------------------------------------------------------


def test_order_entropy_collects(spectra_of: SpectraOf) -> None:
    spectra = spectra_of(["abracadabra"], 2)
    found = order_entropy(spectra, 2)
    assert (found.order, found.windows, found.distinct) == (2, 10, 7)
    assert (found.singletons, found.doubletons) == (4, 3)  # ac ca ad da; ab br ra
    assert found.coverage == 0.6
    assert found.coverage_chao_jost == pytest.approx(1 - 0.4 * 36 / 42, rel=1e-15, abs=0)
    assert found.gate == "lower bound"
    assert found.block_entropy_bits == {
        name: entropy_bits(spectra[2], name) for name in ("ml", "cwj", "grassberger")
    }
    assert found.conditional_entropy_bits_per_token == {
        name: function(spectra, 2) for name, function in CONVENTIONS.items()
    }


def test_an_order_longer_than_every_document(spectra_of: SpectraOf) -> None:
    found = order_entropy(spectra_of(["ab", "ba"], 3), 3, list(ESTIMATORS))
    assert (found.windows, found.distinct, found.singletons) == (0, 0, 0)
    assert (found.coverage, found.coverage_chao_jost, found.gate) == (None, None, None)
    assert found.block_entropy_bits == dict.fromkeys(ESTIMATORS)
    # Two documents: one bit for the first token, none for the second.
    assert found.conditional_entropy_bits_per_token == {
        "difference": None,
        "prefix_marginal": None,
        "bos_padded": pytest.approx(0.5, rel=1e-15, abs=0),
    }


def test_an_empty_corpus(spectra_of: SpectraOf) -> None:
    found = order_entropy(spectra_of([], 1), 1)
    assert set(found.conditional_entropy_bits_per_token.values()) == {None}
