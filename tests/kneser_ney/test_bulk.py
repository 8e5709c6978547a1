"""Bulk scoring equals scoring token by token to the last unit, for any batches."""

from __future__ import annotations

import random

import numpy as np
import pytest
from tests.ngrams.corpora import write_shards

import icfast
from icfast.corpus.documents import all_documents
from icfast.corpus.heldout import split
from icfast.errors import CorpusError
from icfast.kneser_ney import bulk
from icfast.kneser_ney.score import score_documents
from icfast.kneser_ney.weights import weights_bytes
from icfast.parallel.threads import Work
from icfast.sums.loss import DocumentScores

EOS = 99


def documents(seed, sizes, ids=60):
    generator = random.Random(seed)
    return [
        [min(generator.randrange(ids), generator.randrange(ids)) for _ in range(n)] for n in sizes
    ]


TRAINING = [documents(1, [1, 2, 3, 40, 200, 400], 50), documents(2, [0, 7, 900], 50)]
#: Ids from 50 on are unknown. The longest document exceeds a small batch.
HELDOUT = [documents(3, [0, 1, 2, 5, 60, 300] * 5), documents(4, [2500, 1, 40, 40, 7])]


@pytest.fixture
def corpora(tmp_path):
    options = {"eos_id": EOS, "vocab_size": 100}
    training = write_shards(tmp_path / "training", TRAINING, **options).corpus
    heldout = write_shards(tmp_path / "heldout", HELDOUT, **options).corpus
    return training, heldout


@pytest.fixture
def batches(monkeypatch):
    """Record the number of windows of each batch."""
    sizes = []
    score = bulk.Bulk.score

    def watched(self, batch):
        sizes.append(sum(chunk.windows for chunk in batch))
        return score(self, batch)

    monkeypatch.setattr(bulk.Bulk, "score", watched)
    return sizes


def walk_only(monkeypatch):
    monkeypatch.setattr(bulk, "_LEAST_SHARE", 10**9)


def assert_same(found: DocumentScores, expected: DocumentScores):
    for name in ("low", "high", "predicted_tokens", "oov", "infinite", "document", "shard"):
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name


@pytest.mark.parametrize("convention", ["tokens", "kenlm"])
@pytest.mark.parametrize("order", [1, 2, 5])
@pytest.mark.parametrize("threads", [1, 3])
def test_the_same_sums_as_the_walk(
    backend, corpora, batches, monkeypatch, convention, order, threads
):
    training, heldout = corpora
    model = icfast.fit(training, order, convention=convention, backend=backend)
    in_bulk = icfast.score(heldout, model, backend=backend, threads=threads)
    assert len(batches) == 1
    walk_only(monkeypatch)
    walked = icfast.score(heldout, model, backend=backend, threads=threads)
    assert len(batches) == 1
    assert_same(in_bulk, walked)
    assert in_bulk.oov.any()


def test_small_memory_means_more_batches_and_a_walk_through_what_is_too_long(
    backend, corpora, batches, monkeypatch
):
    monkeypatch.setattr("icfast.kneser_ney.chunks._CHUNK_TOKENS", 64)
    training, heldout = corpora
    model = icfast.fit(training, 3, backend=backend)
    whole = icfast.score(heldout, model, backend=backend)
    assert len(batches) == 1
    memory = weights_bytes(model) + 1000 * (8 + 4 + 8 * 4) * 5 // 4
    assert_same(icfast.score(heldout, model, memory=memory, backend=backend), whole)
    # The document of 2500 tokens exceeds a batch of 1000 windows.
    assert len(batches) > 2
    assert sum(batches[1:]) < batches[0] - 2500
    assert max(batches[1:]) <= 1000


def test_a_corpus_that_is_small_beside_the_model_is_walked(backend, tmp_path, corpora, batches):
    training, _ = corpora
    model = icfast.fit(training, 5, backend=backend)
    few = write_shards(tmp_path / "few", [documents(5, [20])], eos_id=EOS, vocab_size=100).corpus
    assert icfast.score(few, model, backend=backend).predicted_tokens.tolist() == [21]
    assert not batches


def test_chosen_documents(backend, corpora, batches, monkeypatch):
    training, heldout = corpora
    model = icfast.fit(training, 3, backend=backend)
    work = Work.of(backend, 2)
    chosen = split(all_documents(heldout), 0.5, work.backend.kernels).heldout
    in_bulk = score_documents(chosen, model, work)
    assert len(batches) == 1
    walk_only(monkeypatch)
    assert_same(in_bulk, score_documents(chosen, model, work))


def test_sparse_ids(backend, tmp_path, batches, monkeypatch):
    def spread(shards):
        return [[[7 + 70_000_000 * token for token in d] for d in shard] for shard in shards]

    options = {"dtype": "u4", "eos_id": 2**32 - 1, "vocab_size": 2**32}
    training = write_shards(tmp_path / "training", spread(TRAINING), **options).corpus
    heldout = write_shards(tmp_path / "heldout", spread(HELDOUT), **options).corpus
    model = icfast.fit(training, 3, backend=backend)
    in_bulk = icfast.score(heldout, model, backend=backend)
    assert len(batches) == 1
    walk_only(monkeypatch)
    assert_same(in_bulk, icfast.score(heldout, model, backend=backend))
    assert in_bulk.oov.any()


def test_an_id_outside_the_vocabulary(backend, tmp_path, corpora, batches):
    training, _ = corpora
    model = icfast.fit(training, 3, backend=backend)
    bad = documents(6, [900])
    bad[0][450] = 100
    corpus = write_shards(tmp_path / "bad", [bad], eos_id=EOS).corpus
    with pytest.raises(CorpusError, match="token 100 at position 450"):
        icfast.score(corpus, model, backend=backend)
    assert len(batches) == 1
