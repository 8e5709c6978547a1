"""Spectra of orders 1..N against numpy's pipeline for 4-grams alone. Checked, then timed."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

import icfast
from data import Tokens
from harness import Job, print_table, side_by_side


def numpy_4gram_counts(ids: NDArray[np.uint16]) -> NDArray[np.int64]:
    """Pack four ids into a u64, sort, run lengths: windows crossing documents."""
    keys = np.zeros(len(ids) - 3, np.uint64)
    for i in range(4):
        keys <<= np.uint64(16)
        keys |= ids[i : len(ids) - 3 + i]
    keys.sort()
    starts = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return np.diff(np.append(starts, len(keys)))


@pytest.fixture(scope="module")
def crossing(tokens: Tokens) -> icfast.Spectra:
    """Spectra whose windows cross documents, as numpy's do."""
    corpus = icfast.open(tokens.path, cross_documents=True, **tokens.options)
    return icfast.spectra(corpus, order=4)


def test_agrees_with_numpy(tokens: Tokens, crossing: icfast.Spectra) -> None:
    counts = numpy_4gram_counts(tokens.ids)
    assert crossing[4] == icfast.Spectrum.from_counts(counts)


def test_side_by_side(tokens: Tokens, crossing: icfast.Spectra) -> None:
    """Orders 1..5, all of them, at no less than half the rate of numpy's 4-grams alone."""
    ids = tokens.ids
    corpus = icfast.open(tokens.path, **tokens.options)
    jobs = [Job("numpy 4-gram alone", lambda: numpy_4gram_counts(ids), len(ids), 2 * len(ids))]
    for order in (4, 5):
        run = partial(icfast.spectra, corpus, order=order)
        jobs.append(Job(f"icfast spectra 1..{order}", run, len(ids), 2 * len(ids)))
    # An eighth of the 8-byte keys, as a cap.
    capped = partial(icfast.spectra, corpus, order=5, memory=max(len(ids), 16 << 20))
    jobs.append(Job("icfast spectra 1..5, capped", capped, len(ids), 2 * len(ids)))
    rows = side_by_side(jobs)
    print_table(f"{tokens.name}, order {crossing.order} checked against numpy", rows)
    assert rows[2].ratio_to_first >= 0.5


def test_spectra(benchmark, tokens: Tokens, crossing: icfast.Spectra) -> None:  # type: ignore[no-untyped-def]
    corpus = icfast.open(tokens.path, **tokens.options)
    assert icfast.spectra(corpus, order=4)[1].windows == len(tokens.ids)
    benchmark.pedantic(icfast.spectra, (corpus,), {"order": 5}, rounds=3, warmup_rounds=1)
