"""Spectrum and Spectra: content, refusals, and derived figures."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import naive

from icfast.errors import OptionError
from icfast.sums.spectrum import Spectra, Spectrum

#: The largest are beyond the whole numbers of float64.
count_lists = st.lists(st.integers(0, 9) | st.integers(0, 2**63 - 1), max_size=30)


@given(count_lists)
def test_from_counts(counts):
    spectrum = Spectrum.from_counts(counts)
    seen = [count for count in counts if count]
    phi = Counter(seen)
    assert spectrum.multiplicity.tolist() == sorted(phi)
    assert spectrum.types.tolist() == [phi[r] for r in sorted(phi)]
    assert spectrum.windows == sum(seen)
    assert spectrum.distinct == len(seen)
    assert (spectrum.singletons, spectrum.doubletons) == (phi[1], phi[2])
    assert all(spectrum.seen(r) == phi[r] for r in (0, 3, 2**50, *seen))


@given(count_lists, count_lists)
def test_total_is_the_spectrum_of_all_types_together(a, b):
    parts = [Spectrum.from_counts(a), Spectrum.from_counts(b)]
    assert Spectrum.total(parts) == Spectrum.from_counts(a + b)
    assert Spectrum.total(reversed(parts)) == Spectrum.total(parts)
    assert Spectrum.total([parts[0], Spectrum()]) == parts[0]


def test_the_largest_count():
    counts = np.array([3, 2**64 - 1, 2**53 + 1], np.uint64)
    assert Spectrum.from_counts(counts).multiplicity.tolist() == [3, 2**53 + 1, 2**64 - 1]


def test_large_counts_that_differ_by_one_are_told_apart():
    counts = np.array([2**63 - 512, 2**63 - 511, 2**64 - 1], np.uint64)
    spectrum = Spectrum.from_counts(counts)
    assert [spectrum.seen(int(count)) for count in counts] == [1, 1, 1]
    assert [spectrum.seen(count) for count in (-1, 0, 2**63, 2**64)] == [0, 0, 0, 0]


def test_nothing_counted():
    assert Spectrum.total([]) == Spectrum() == Spectrum.from_counts([])
    assert (Spectrum().windows, Spectrum().distinct, Spectrum().singletons) == (0, 0, 0)


def test_windows_do_not_wrap_at_64_bits():
    spectrum = Spectrum(np.array([2**63], np.uint64), np.array([4], np.uint64))
    assert spectrum.windows == 2**65


@pytest.mark.parametrize(
    ("counts", "message"),
    [
        ([[1, 2]], "1-D array, found 2 dimensions"),
        (3, "1-D array, found 0 dimensions"),
        ([1, -1], "whole and not negative"),
        ([0.5], "whole and not negative"),
        ([float("nan")], "whole and not negative"),
    ],
)
def test_counts_that_are_none(counts, message):
    with pytest.raises(OptionError, match=message):
        Spectrum.from_counts(counts)


def test_equality_and_hash():
    a, b = Spectrum.from_counts([1, 2]), Spectrum.from_counts([2, 1])
    assert a == b
    assert hash(a) == hash(b)
    assert a != Spectrum.from_counts([1, 1])
    assert a != Spectrum.from_counts([1, 2, 2])
    assert a != "spectrum"


def spectra_by_hand() -> Spectra:
    """Return the spectra of documents "aab" and "a" to order 2."""
    of = Spectrum.from_counts
    return Spectra(
        order=2,
        tokens=4,
        documents=2,
        complete=(of([3, 1]), of([1, 1])),
        starting=(of([]), of([2])),
        followed=(of([2]), of([])),
        starting_followed=(of([2]), of([])),
        left_neighbours=(of([2, 1]), of([])),
    )


def test_contexts_and_padded_spectra():
    spectra = spectra_by_hand()
    assert len(spectra) == 2
    assert spectra[2] == Spectrum.from_counts([1, 1])
    assert spectra.contexts(1) == Spectrum.from_counts([4])
    assert spectra.contexts(2) == Spectrum.from_counts([2])
    # "^a" twice, "aa", "ab": every token once, after a history cut at the start.
    assert spectra.padded(1) == Spectrum.from_counts([3, 1])
    assert spectra.padded(2) == Spectrum.from_counts([2, 1, 1])
    assert spectra.padded_contexts(1) == Spectrum.from_counts([4])
    assert spectra.padded_contexts(2) == Spectrum.from_counts([2, 2])


@pytest.mark.parametrize("order", [0, 3, -1])
def test_orders_that_were_not_counted(order):
    spectra = spectra_by_hand()
    for ask in (spectra.__getitem__, spectra.contexts, spectra.padded, spectra.padded_contexts):
        with pytest.raises(OptionError, match=rf"order {order} was not counted: .* hold 1\.\.2"):
            ask(order)


def test_the_hand_made_spectra_are_the_naive_ones():
    documents = ["aab", "a"]
    spectra = spectra_by_hand()
    for n in (1, 2):
        counts = naive.ngram_counts(documents, n)
        assert spectra[n] == Spectrum.from_counts(list(counts.values()))
    assert spectra.followed[0] == Spectrum.from_counts([2])
    neighbours = naive.left_neighbour_counts(documents, 1)
    assert spectra.left_neighbours[0] == Spectrum.from_counts(list(neighbours.values()))


@pytest.mark.parametrize("dtype", ["u4", "u8", "i8", "f8"])
def test_counts_on_both_sides_of_the_table(dtype):
    counts = np.array([70_000, 0, 65_535, 1, 65_536, 65_536, 1, 2**31], dtype)
    spectrum = Spectrum.from_counts(counts)
    assert spectrum.multiplicity.tolist() == [1, 65_535, 65_536, 70_000, 2**31]
    assert spectrum.types.tolist() == [2, 1, 2, 1, 1]
    assert spectrum.multiplicity.dtype == spectrum.types.dtype == np.uint64
