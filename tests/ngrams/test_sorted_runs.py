"""Streams of sorted runs: scanned, checked, cut and added."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.backends.definitions import (
    Shape,
    ends_of,
    entries,
    key_of,
    lay,
    parts_of,
    run_of,
    some_documents,
    whole_keys,
)
from tests.ngrams.corpora import as_dicts, assert_spectra

from icfast.errors import ArtefactError, SelfCheckError
from icfast.ngrams import scan as scan_module
from icfast.ngrams.keys import KeyShape
from icfast.ngrams.scan import SpectraScan, self_check, window_totals
from icfast.ngrams.sorted_runs import empty_ends, merge_streams, split_run, sum_ends
from icfast.sums.spectrum import Spectrum

SHAPE = Shape(4, 4, 1)
KEYS = KeyShape(*SHAPE)
DOCUMENTS = [*some_documents(SHAPE, 9, 7), [3] * 40]


def laid_out():
    laid = lay(DOCUMENTS, SHAPE)
    return laid, run_of(laid.windows(), SHAPE), ends_of(laid.ends(), SHAPE)


TOKENS = sum(map(len, DOCUMENTS))


def scanned(kernels, runs, ends):
    scan = SpectraScan(kernels, KEYS, ends)
    for run in runs:
        scan.add(run)
    scan.flush()
    return scan


def spectra_of(kernels, runs, ends):
    return scanned(kernels, runs, ends).spectra(TOKENS, len(DOCUMENTS))


# A dense row of 3 leaves most counts to the list of large ones, 1024 leaves none.
@pytest.mark.parametrize("rows", [3, 1024])
def test_scan_of_one_run_and_of_single_entries(kernels, rows, monkeypatch):
    monkeypatch.setattr(scan_module, "_ROWS", rows)
    laid, run, ends = laid_out()
    found = spectra_of(kernels, [run], ends)
    assert_spectra(found, laid.ranked)
    alone = parts_of(run, list(range(1, len(run.counts))))
    assert as_dicts(spectra_of(kernels, alone, ends)) == as_dicts(found)


def test_scans_of_disjoint_leads_add_up(kernels):
    laid, run, ends = laid_out()
    for bucket in range(len(run.leads) + 1):
        parts = parts_of(run, [int(run.bounds[bucket])])
        # Each scan gets all document ends, and finds its own among them.
        first, second = (scanned(kernels, [part], ends) for part in parts)
        first.absorb(second)
        assert_spectra(first.spectra(TOKENS, len(DOCUMENTS)), laid.ranked)


def test_a_scan_absorbs_others_while_its_own_lead_is_open(kernels):
    """Scan a split lead between whole leads, as a pass does."""
    laid, run, ends = laid_out()
    edges = [int(edge) for edge in run.bounds[1:-1]]
    whole, split, *others = parts_of(run, edges)
    scan = scanned(kernels, [whole], ends)
    for entry in parts_of(split, list(range(1, len(split.counts)))):
        scan.add(entry)
    for other in others:
        scan.absorb(scanned(kernels, [other], ends))
    scan.flush()
    assert_spectra(scan.spectra(TOKENS, len(DOCUMENTS)), laid.ranked)


def test_scan_says_where_windows_do_not_ascend(kernels):
    _, run, ends = laid_out()
    scan = SpectraScan(kernels, KEYS, ends)
    with pytest.raises(ArtefactError, match=r"entry 1 of t/windows.run does not ascend \(lead 1\)"):
        scan.add(run._replace(keys=run.keys[::-1].copy()), where="t/windows.run")


def test_a_scan_of_nothing(kernels):
    found = scanned(kernels, [], empty_ends(KEYS)).spectra(0, 0)
    empty = {kind: [{}] * SHAPE.order for kind in as_dicts(found)}
    assert as_dicts(found) == empty


# Self-check ----------------------------------------------------------------------------------


def test_self_check_passes_what_adds_up(kernels):
    _, run, ends = laid_out()
    found = spectra_of(kernels, [run], ends)
    totals = window_totals(np.array([len(d) for d in DOCUMENTS]), SHAPE.order)
    self_check(found, totals)


@pytest.mark.parametrize("order", [1, 2, 3, 4])
@pytest.mark.parametrize("kind", ["complete", "starting"])
def test_self_check_notices_one_window_too_many(kernels, kind, order):
    _, run, ends = laid_out()
    found = spectra_of(kernels, [run], ends)
    totals = window_totals(np.array([len(d) for d in DOCUMENTS]), SHAPE.order)
    held = list(getattr(found, kind))
    held[order - 1] = Spectrum.total([held[order - 1], Spectrum.from_counts([1])])
    with pytest.raises(SelfCheckError, match=rf"order {order}: .* nothing was written"):
        self_check(replace(found, **{kind: tuple(held)}), totals)


def test_self_check_notices_a_wrong_total(kernels):
    _, run, ends = laid_out()
    found = spectra_of(kernels, [run], ends)
    totals = window_totals(np.array([len(d) for d in DOCUMENTS]), SHAPE.order)
    totals[2] -= 1
    with pytest.raises(SelfCheckError, match="order 3"):
        self_check(found, totals)


@given(st.lists(st.integers(1, 9)), st.integers(1, 6))
def test_window_totals(lengths, order):
    totals = window_totals(np.array(lengths, np.int64), order)
    assert totals == [sum(max(0, n - k + 1) for n in lengths) for k in range(1, order + 1)]


# Cutting and adding --------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 7, 1000])
def test_a_run_in_pieces_is_the_run(size):
    _, run, _ = laid_out()
    chunks = list(split_run(run, size))
    assert all(0 < len(chunk.counts) <= size for chunk in chunks)
    assert [entry for chunk in chunks for entry in entries(chunk)] == entries(run)
    assert all(np.all(np.diff(chunk.bounds) > 0) for chunk in chunks)


@pytest.mark.parametrize("size", [1, 3, 1000])
def test_a_run_that_begins_inside_its_arrays_is_cut_there(size):
    _, run, _ = laid_out()
    padded = run._replace(
        bounds=run.bounds + 2,
        keys=np.concatenate([run.keys[-2:], run.keys]),
        counts=np.concatenate([run.counts[-2:], run.counts]),
    )
    chunks = list(split_run(padded, size))
    assert [entry for chunk in chunks for entry in entries(chunk)] == entries(run)


def test_ends_are_sorted_and_equal_ones_added():
    windows = [(2, 1, 0, 0), (1, 2, 2, 2), (2, 1, 0, 0), (1, 2, 2, 1)]
    parts = [ends_of([window], SHAPE) for window in windows]
    found = sum_ends([*parts, empty_ends(KEYS)], KEYS)
    expected = sorted(Counter((w[0], key_of(w, SHAPE.bits)) for w in windows).items())
    keys = zip(found.leads.tolist(), whole_keys(found.keys), strict=True)
    assert list(zip(keys, found.counts.tolist(), strict=True)) == expected
    assert len(sum_ends([], KEYS).leads) == 0


windows = st.tuples(st.integers(1, 4), *[st.integers(0, 3)] * 3)
streams = st.lists(
    st.tuples(
        st.dictionaries(windows, st.integers(1, 2**33), max_size=25),
        st.lists(st.integers(0, 25), max_size=5),
    ),
    max_size=5,
)


@pytest.mark.ci
@pytest.mark.parametrize("shape", [SHAPE, Shape(4, 30, 2)], ids=["one-word", "two-words"])
@settings(max_examples=60)
@given(streams=streams)
def test_merged_streams_are_the_sum_of_dictionaries(kernels, shape, streams):
    cut = []
    for counts, edges in streams:
        run = run_of(Counter(counts), shape)
        cut.append(parts_of(run, sorted(min(edge, len(counts)) for edge in edges)))
    merged = list(merge_streams(kernels, [iter(parts) for parts in cut]))
    expected = sum((Counter(counts) for counts, _ in streams), Counter())
    found = [entry for run in merged for entry in entries(run)]
    assert found == entries(run_of(expected, shape))
    assert all(len(run.counts) for run in merged)
