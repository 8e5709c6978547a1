"""Losses of every order by position, against naive losses of each token."""

from __future__ import annotations

import math
from collections import defaultdict

import pytest
from tests import naive
from tests.ngrams.corpora import write_shards

import icfast
from icfast.corpus.documents import all_documents
from icfast.kneser_ney import chunks
from icfast.kneser_ney.ladder import score_ladder
from icfast.ngrams import alphabet
from icfast.parallel.threads import Work

EOS, VOCABULARY, ORDER = 0, 12, 4
TRAINING = [[[1 + (i * i + i // 3) % 9 for i in range(90)], [1, 2, 3], [2, 1, 2, 1, 2]]]
#: Lengths at, below and above positions 1, 2, 4, 8, 16 and the longest history. Ids 10 and 11 are
#: not in training.
HELDOUT = [
    [[1 + (i * 7 + n) % 11 for i in range(n)] for n in (1, 2, 3, 4, 5, 7, 8, 9)],
    [[1 + (i * i) % 10 for i in range(n)] for n in (15, 16, 17, 40, 0)],
]


def position_range(position):
    """Return the first and last position of the bin of a position."""
    if position == 0:
        return 0, 0
    low = 2 ** int(math.log2(position))
    return low, 2 * low - 1


def naive_rows(training, heldout, order, convention, eos_id):
    model = naive.KneserNey(training, order, convention, VOCABULARY, eos_id)
    nats, counts = defaultdict(list), defaultdict(int)
    for document in heldout:
        for position, p in enumerate(model.document_probabilities(document)):
            nats[position_range(position)].append(-math.log(p))
            counts[position_range(position)] += 1
    return {edges: (counts[edges], math.fsum(held)) for edges, held in nats.items()}


@pytest.mark.parametrize("convention", ["tokens", "kenlm"])
@pytest.mark.parametrize("eos_id", [EOS, None])
def test_losses_by_position(backend, tmp_path, monkeypatch, convention, eos_id):
    monkeypatch.setattr(chunks, "_CHUNK_TOKENS", 20)
    options = {"eos_id": eos_id, "vocab_size": VOCABULARY}
    # Without an end id, each shard is one document.
    sides = [
        shards if eos_id is not None else [[d] for shard in shards for d in shard if d]
        for shards in (TRAINING, HELDOUT)
    ]
    training, held = (
        write_shards(tmp_path / name, shards, **options)
        for name, shards in zip("th", sides, strict=True)
    )
    model = icfast.fit(training.corpus, ORDER, convention=convention, backend=backend)
    documents = all_documents(held.corpus, convention)
    found = score_ladder(documents, model, Work.of(backend, 2))
    for order, rows in enumerate(found.positions, start=1):
        expected = naive_rows(training.documents, held.documents, order, convention, eos_id)
        assert {(row.first, row.last) for row in rows} == set(expected)
        assert [row.first for row in rows] == sorted(row.first for row in rows)
        for row in rows:
            tokens, nats = expected[row.first, row.last]
            assert row.loss.predicted_tokens == tokens
            assert row.loss.nats == pytest.approx(nats, rel=1e-9)
        assert sum(row.loss.quanta for row in rows) == found.total[order - 1].quanta


def test_chunks_threads_and_sparse_ids_change_nothing(backend, tmp_path, monkeypatch):
    options = {"eos_id": EOS, "vocab_size": VOCABULARY}
    model = icfast.fit(write_shards(tmp_path / "t", TRAINING, **options).corpus, ORDER)
    documents = all_documents(write_shards(tmp_path / "h", HELDOUT, **options).corpus)
    expected = score_ladder(documents, model, Work.of(backend, 1))
    for name, value in (("_CHUNK_TOKENS", 1), ("_DENSE_IDS", 4)):
        monkeypatch.setattr(chunks if name == "_CHUNK_TOKENS" else alphabet, name, value)
        assert score_ladder(documents, model, Work.of(backend, 3)) == expected
    assert expected.total[-1].documents == len(documents)


def test_tokens_of_probability_zero_keep_their_place(backend, tmp_path):
    # A forged model can give a known word probability 0. Such words are counted, not summed.
    options = {"eos_id": EOS, "vocab_size": VOCABULARY}
    model = icfast.fit(write_shards(tmp_path / "t", TRAINING, **options).corpus, 1)
    none = model.trie._replace(contexts=model.trie.contexts.copy())
    none.contexts[0, 1:] = 0
    object.__setattr__(model, "trie", none)
    held = write_shards(tmp_path / "h", [[[10, 1, 10, 10, 1, 10, 10]]], **options)
    rows = score_ladder(all_documents(held.corpus), model, Work.of(backend, 1)).positions[0]
    assert [row.loss.infinite for row in rows] == [1, 0, 2, 2]
    assert [row.loss.oov for row in rows] == [1, 0, 2, 2]
