"""Corpora at the limits of ids, key widths and documents: counted, merged, fitted and scored."""

from __future__ import annotations

import math
import random

import numpy as np
import pytest
from tests import naive
from tests.ngrams.corpora import as_dict, assert_spectra, write_shards

import icfast

EOS = 0


def mostly_one():
    """Return a corpus in which one id makes up 99 %."""
    chance = random.Random(1)
    return [
        [1 if chance.random() < 0.99 else chance.randrange(2, 9) for _ in range(n)]
        for n in (1500, 1, 300)
    ]


SMALL = {
    "one id at 99 %": mostly_one(),
    "all ids distinct": [list(range(1, 1200)), list(range(1200, 1203))],
    "all equal": [[7] * 900, [7]],
    "one document": [[1, 2, 3, 1, 2, 1, 1, 3] * 40],
    "documents of one token": [[1 + i % 3] for i in range(500)],
}


def assert_score(corpus, model, documents, convention, vocab_size, backend):
    """Compare the loss of documents under their own model with its definition."""
    total = icfast.score(corpus, model, backend=backend).total
    own = naive.KneserNey(documents, model.order, convention, vocab_size, EOS)
    nats = -math.log(2) * math.fsum(map(own.document_log2, documents))
    predicted = sum(map(own.document_predicted, documents))
    assert total.predicted_tokens == predicted
    # Each loss is rounded to 2^-32 nat, which is what is left where all is predicted nearly surely.
    assert abs(total.nats - nats) <= 1e-9 * nats + predicted * 2**-33


@pytest.mark.parametrize("convention", ["tokens", "kenlm"])
@pytest.mark.parametrize("name", SMALL)
def test_small_corpora(backend, tmp_path, name, convention):
    documents = SMALL[name]
    # Twice: the second shard is counted by itself, then merged.
    shards = [documents, [d[::-1] for d in documents] + [[1]]]
    written = write_shards(tmp_path / "corpus", shards, eos_id=EOS, vocab_size=2000)
    options = {"convention": convention, "backend": backend}
    tables = [
        icfast.count(
            icfast.open(path, dtype="u2", eos_id=EOS, vocab_size=2000),
            tmp_path / f"t{number}",
            4,
            **options,
        )
        for number, path in enumerate(written.paths)
    ]
    end = 5000 if convention == "kenlm" else EOS
    marked = [[*d[:-1], end] for d in written.documents]
    merged = icfast.merge(tables, tmp_path / "merged", backend=backend)
    assert_spectra(merged.spectra(), marked)
    table = icfast.count(written.corpus, tmp_path / "whole", 4, **options)
    assert_spectra(table.spectra(), marked)
    model = icfast.fit(merged, output=tmp_path / "m", backend=backend)
    assert_score(written.corpus, model, written.documents, convention, 2000, backend)


# As many ids as fit into 16 bits, and one more ------------------------------------------------


def permuted(first):
    """Return each id from `first` to 65,535 once, then a thousand of them again in order."""
    ids = np.random.default_rng(first).permutation(np.arange(first, 1 << 16)).tolist()
    return ids + ids[:1000]


@pytest.fixture(scope="module", params=[0, 1], ids=["65536", "65535"])
def edge(request, tmp_path_factory):
    """Return (corpus, document) without an end id."""
    document = permuted(request.param)
    folder = tmp_path_factory.mktemp("edge")
    return write_shards(folder / "corpus", [[document]], vocab_size=1 << 16).corpus, document


def spectra_of_permuted(ids, order):
    """Return order -> {r: phi_r} of complete n-grams: 1001 - n of them repeat."""
    twice = 1001
    return {n: {1: ids + 1001 - n - 2 * (twice - n), 2: twice - n} for n in range(1, order + 1)}


@pytest.mark.ci
def test_ids_around_16_bits(backend, tmp_path, edge):
    corpus, document = edge
    ids = len(set(document))
    table = icfast.count(corpus, tmp_path / "t", 5, backend=backend)
    assert (table.shape.bits, table.shape.words) == ((17, 2) if ids == 1 << 16 else (16, 1))
    spectra = table.spectra()
    expected = spectra_of_permuted(ids, 5)
    for n in range(1, 6):
        assert as_dict(spectra[n]) == expected[n]
        assert as_dict(spectra.starting[n - 1]) == ({} if n == 1 else {1: 1})
    # The first id has two left neighbours, the begin mark and the last id; other ids have one.
    assert as_dict(spectra.left_neighbours[0]) == {1: ids - 1, 2: 1}
    merged = icfast.merge([table], tmp_path / "m", backend=backend)
    assert [a.keys.tolist() for a in merged.runs()] == [a.keys.tolist() for a in table.runs()]


@pytest.mark.ci
def test_the_end_mark_is_the_first_rank_past_16_bits(backend, tmp_path):
    """65,535 ids fill 16 bits. The rank of the end mark is only a lead, so it need not fit."""
    document = permuted(1)
    shards = [[document[:40_000], document[40_000:]], [document[-3:]]]
    written = write_shards(tmp_path / "corpus", shards, eos_id=EOS, vocab_size=1 << 16)
    options = {"convention": "kenlm", "backend": backend}
    tables = []
    for number, path in enumerate(written.paths):
        corpus = icfast.open(path, dtype="u2", eos_id=EOS, vocab_size=1 << 16)
        tables.append(icfast.count(corpus, tmp_path / f"t{number}", 5, **options))
    table = icfast.merge(tables, tmp_path / "merged", backend=backend)
    assert (table.shape.bits, table.shape.words, len(table.ids)) == (16, 1, 65_535)
    assert max(int(run.leads[-1]) for run in table.runs()) == 1 << 16
    assert_spectra(table.spectra(), [[*d[:-1], 1 << 16] for d in written.documents])


@pytest.mark.ci
def test_losses_where_ids_fill_16_bits(backend, tmp_path, edge):
    corpus, document = edge
    model = icfast.fit(corpus, 3, output=tmp_path / "m", backend=backend)
    few = document[:40] + document[990:1010] + document[-5:]
    scored = write_shards(tmp_path / "few", [[few]], vocab_size=1 << 16).corpus
    own = naive.KneserNey([document], 3, "tokens", 1 << 16)
    total = icfast.score(scored, model, backend=backend).total
    assert math.isclose(total.nats, -math.log(2) * own.document_log2(few), rel_tol=1e-9)


@pytest.mark.ci
def test_a_million_documents_of_one_token(backend, tmp_path):
    size = 1_000_000
    ids = (np.arange(size) % 7).astype("<u2")
    ids.tofile(tmp_path / "x.ds")
    np.arange(1, size + 1, dtype="<u8").tofile(tmp_path / "x.ds.index")
    corpus = icfast.open(tmp_path / "x.ds", vocab_size=7)
    assert corpus.documents == size
    table = icfast.count(corpus, tmp_path / "t", 3, backend=backend)
    spectra = table.spectra()
    often = {142_857: 6, 142_858: 1}  # 10^6 = 7 * 142,857 + 1
    assert as_dict(spectra[1]) == as_dict(spectra.starting[1]) == often
    assert [as_dict(spectra[n]) for n in (2, 3)] == [{}, {}]
    assert as_dict(spectra.contexts(2)) == {}
    assert spectra.tokens == spectra.documents == size
    model = icfast.fit(table, output=tmp_path / "m", backend=backend)
    scores = icfast.score(corpus, model, backend=backend)
    own = naive.KneserNey([[i % 7] for i in range(size)], 3, "tokens", 7)
    nats = [-math.log(own.probability(i, [naive.BEGIN])) for i in range(7)]
    expected = math.fsum(nats[i] * (142_858 if i == 0 else 142_857) for i in range(7))
    assert math.isclose(scores.total.nats, expected, rel_tol=1e-9)
