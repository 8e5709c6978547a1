"""Leads that do not fit a pass are cut."""

from __future__ import annotations

import numpy as np
import pytest
from tests.ngrams.corpora import write_shards

import icfast
from icfast.corpus.documents import all_documents
from icfast.ngrams import spectra as spectra_pass
from icfast.ngrams.alphabet import count_type
from icfast.ngrams.budget import Budget
from icfast.ngrams.spectra import counting, spectra_of
from icfast.parallel.threads import Work

EOS = 0


@pytest.fixture
def repetitive(tmp_path):
    """Return a corpus in which most windows of id 5 are equal, with others on both sides."""
    generator = np.random.default_rng(4)
    mixed = generator.choice([3, 5, 9], 3000, p=[0.2, 0.6, 0.2]).tolist()
    return write_shards(tmp_path / "corpus", [[[5] * 9000, mixed]], eos_id=EOS)


@pytest.mark.parametrize("order", [1, 2, 5])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("held", [2500, 500], ids=["neighbours-fit", "is-cut-again"])
def test_a_lead_is_cut_around_its_most_frequent_window(
    backend, repetitive, monkeypatch, order, threads, held
):
    free = icfast.spectra(repetitive.corpus, order, backend=backend)
    monkeypatch.setattr(spectra_pass, "budget", lambda *_: Budget(held, 100, 100))
    work = Work.of(backend, threads)
    kernels, readings = work.backend.kernels, []
    whole = kernels.count_windows

    def count(chunk, *rest):
        readings.append(chunk)
        return whole(chunk, *rest)

    monkeypatch.setattr(kernels, "count_windows", count)
    documents = all_documents(repetitive.corpus)
    with counting(documents, order, work) as task:
        plan = task.plan
    assert int(plan.windows.sum()) == documents.tokens
    of_lead = plan.windows[plan.equal]
    assert of_lead.max() > 8900
    if order == 5:
        low = plan.buckets.low[np.flatnonzero(plan.equal), 0]
        rank = task.symbols.alphabet.ranks[5]
        bits = task.symbols.shape.bits
        assert sum(int(rank) << bits * i for i in range(4)) in low.tolist()
        # One reading; symbol by symbol there would be four.
        assert len(readings) == threads or held == 500
    assert spectra_of(documents, order, work) == free


def test_numbers_of_windows_fit_their_type():
    assert np.iinfo(count_type(2**32 - 1)).max == 2**32 - 1
    assert np.iinfo(count_type(2**32)).max == 2**64 - 1
