"""Fitted models against naive Kneser-Ney: every order, both conventions, every document."""

from __future__ import annotations

import math
import random
from fractions import Fraction

import numpy as np
import pytest
from tests import naive
from tests.conftest import backends_under_test
from tests.ngrams.corpora import write_shards

import icfast
from icfast.backends.select import select
from icfast.corpus.documents import all_documents
from icfast.corpus.heldout import split
from icfast.errors import CorpusError, MergeError, OptionError
from icfast.kneser_ney import chunks
from icfast.kneser_ney.fit import fit_documents
from icfast.kneser_ney.ladder import score_ladder
from icfast.kneser_ney.model_file import open_model_file, read_model_file
from icfast.kneser_ney.score import score_documents
from icfast.ngrams import spectra as spectra_pass
from icfast.ngrams.budget import Budget
from icfast.parallel.threads import Work

EOS, VOCABULARY = 0, 40
conventions = pytest.mark.parametrize("convention", ["tokens", "kenlm"])
orders = pytest.mark.parametrize("order", [1, 2, 3, 4, 5])


def documents(seed, ids, lengths):
    """Return ids with repeated patterns, so that counts of 1 to 4 occur at every order."""
    chance = random.Random(seed)
    habits = [[chance.randrange(1, ids) for _ in range(5)] for _ in range(6)]
    found = []
    for length in lengths:
        document = []
        while len(document) < length:
            own = min(chance.randrange(1, ids), chance.randrange(1, ids))
            document += chance.choice(habits) if chance.random() < 0.4 else [own]
        found.append(document[:length])
    return found


#: Lengths below, at and above every order; long ones for real discounts. Id 13 occurs only at the
#: end of documents.
TRAINING = [
    documents(1, 12, [0, 1, 2, 3, 4, 5, 6, 60, 90]),
    [*documents(2, 12, [80, 7, 1, 50]), [1, 2, 13], [13]],
]
#: Ids 12, 14 and above are not in training. Id 13 has successors here.
HELDOUT = [
    documents(3, 16, [0, 1, 2, 3, 4, 5, 6, 30]),
    [*documents(4, 14, [25, 1]), [1, 2, 13, 5, 1], [13, 13]],
]


class Fitted:
    def __init__(self, folder, order, convention, backend="auto", boundary="end", dtype="u2"):
        options = {"eos_id": EOS, "boundary": boundary, "vocab_size": VOCABULARY, "dtype": dtype}
        self.training = write_shards(folder / "training", TRAINING, **options)
        self.heldout = write_shards(folder / "heldout", HELDOUT, **options)
        self.order, self.convention, self.backend = order, convention, backend
        self.boundary = boundary
        self.model = icfast.fit(self.training.corpus, order, convention=convention, backend=backend)

    def naive(self, order):
        return naive.KneserNey(
            self.training.documents, order, self.convention, VOCABULARY, EOS, self.boundary
        )


def nats(model, document):
    return -math.fsum(math.log(p) for p in model.document_probabilities(document))


@orders
@conventions
@pytest.mark.parametrize("boundary", ["end", "start"])
def test_losses_of_documents(backend, tmp_path, order, convention, boundary):
    fitted = Fitted(tmp_path, order, convention, backend, boundary)
    expected = fitted.naive(order)
    scores = icfast.score(fitted.heldout.corpus, fitted.model, backend=backend)
    held = fitted.heldout.documents
    assert scores.predicted_tokens.tolist() == [expected.document_predicted(d) for d in held]
    assert scores.oov.tolist() == [expected.document_oov(d) for d in held]
    assert scores.oov.any()
    assert not scores.infinite.any()
    losses = [nats(expected, d) for d in held]
    assert scores.loss_nats.tolist() == pytest.approx(losses, rel=1e-9)
    assert scores.total.nats == pytest.approx(math.fsum(losses), rel=1e-9)
    assert scores.shards == ("0.bin", "1.bin")
    assert scores.shard.tolist() == [0] * len(HELDOUT[0]) + [1] * len(HELDOUT[1])
    assert scores.document.tolist() == [*range(len(HELDOUT[0])), *range(len(HELDOUT[1]))]


@conventions
def test_every_rung_of_the_ladder_is_the_model_of_that_order(backend, tmp_path, convention):
    fitted = Fitted(tmp_path, 5, convention, backend)
    documents = all_documents(fitted.heldout.corpus, convention)
    ladder = score_ladder(documents, fitted.model, Work.of(backend)).total
    assert len(ladder) == 5
    for order, rung in enumerate(ladder, start=1):
        expected = fitted.naive(order)
        losses = [nats(expected, d) for d in fitted.heldout.documents]
        assert rung.nats == pytest.approx(math.fsum(losses), rel=1e-9)
        assert rung.documents == len(losses)
        shorter = icfast.fit(fitted.training.corpus, order, convention=convention, backend=backend)
        # A model fitted with this order gives the same sum to the last unit.
        assert icfast.score(fitted.heldout.corpus, shorter, backend=backend).total == rung


@conventions
@orders
def test_counts_discounts_and_fallbacks(backend, tmp_path, order, convention):
    fitted = Fitted(tmp_path, order, convention, backend)
    model, top = fitted.model, fitted.naive(order)
    assert model.ngrams == tuple(len(top.counts[n]) for n in range(1, order + 1))
    kenlm = convention == "kenlm"
    assert model.ngram_counts[0] == model.ngrams[0] + (2 if kenlm else 0)
    assert model.uniform == float(top.uniform)
    for n, entry in enumerate(model.discounts, start=1):
        own = fitted.naive(n)
        assert entry.order == n
        assert entry.top.counts_of_counts == own.counts_of_counts[n]
        assert entry.top.fallback == own.fallback[n - 1]
        assert entry.top.values == pytest.approx(own.discounts[n], rel=1e-12)
        if n == order:
            assert entry.lower is None
        else:
            assert entry.lower.counts_of_counts == top.counts_of_counts[n]
            assert entry.lower.fallback == top.fallback[n - 1]
            assert entry.lower.values == pytest.approx(top.discounts[n], rel=1e-12)
    assert model.parameters == sum(model.ngrams) + 3 * (2 * order - 1)
    assert model.size_bits == 8 * model.path.stat().st_size
    assert model.tokens == sum(top.document_predicted(d) for d in fitted.training.documents)
    assert model.documents == len(fitted.training.documents)


def test_some_discounts_are_real_and_some_fall_back(tmp_path):
    found = Fitted(tmp_path, 5, "tokens").model.discounts
    kinds = [entry.top.fallback for entry in found] + [e.lower.fallback for e in found[:-1]]
    assert {*kinds} == {True, False}


# Published values ----------------------------------------------------------------------------

TOY = [[1, 1, 2, 1], [2, 1, 1, 2]]  # "a a b a", "b a a b"
UNSEEN = 9


def test_the_toy_of_kenlm(backend, tmp_path):
    written = write_shards(tmp_path / "toy", [TOY], eos_id=EOS, vocab_size=10)
    model = icfast.fit(written.corpus, 3, convention="kenlm", backend=backend)
    assert all(entry.top.fallback for entry in model.discounts)
    exact = naive.KneserNey(TOY, 3, "kenlm", number=Fraction)
    assert float(exact.probability(1, (naive.BEGIN, 2))) == 0.7514880952380952
    assert float(exact.probability(2, (1, 1))) == 0.6294642857142857
    assert exact.probability(UNSEEN, ()) == Fraction(1, 8)
    held = [[2, 1], [1, 1, 2, 1], [2, 1, 1, 2], [UNSEEN], [1, UNSEEN, 2], []]
    corpus = write_shards(tmp_path / "held", [held], eos_id=EOS, vocab_size=10).corpus
    scores = icfast.score(corpus, model, backend=backend)
    log10 = scores.loss_nats / -math.log(10)
    # b|<s>, a|<s> b, </s>|b a, published to seven digits.
    assert log10[0] == pytest.approx(-0.41574955 - 0.124077894 - 0.42082912, abs=1e-7)
    expected = [sum(math.log10(p) for p in exact.document_probabilities(d)) for d in held]
    assert log10.tolist() == pytest.approx(expected, rel=1e-9)
    assert scores.oov.tolist() == [0, 0, 0, 1, 1, 0]


@pytest.mark.parametrize("history", [[], [3], [1, 2], [30], [3, 30, 1], [5, 5, 5, 5]])
@pytest.mark.parametrize("order", [1, 3, 5])
def test_probabilities_of_all_successors_sum_to_one(backend, tmp_path, order, history):
    training = write_shards(tmp_path / "t", TRAINING, eos_id=EOS, vocab_size=VOCABULARY).corpus
    model = icfast.fit(training, order, backend=backend)
    # With one document per shard, the end id is one of the successors.
    shards = [[[*history, token]] for token in range(VOCABULARY)]
    corpus = write_shards(tmp_path / "next", shards, vocab_size=VOCABULARY).corpus
    losses = icfast.score(corpus, model, backend=backend).loss_nats
    before = 0.0
    if history:
        alone = write_shards(tmp_path / "h", [[history]], vocab_size=VOCABULARY).corpus
        before = icfast.score(alone, model, backend=backend).loss_nats[0]
    assert np.exp(before - losses).sum() == pytest.approx(1.0, abs=1e-8)


# Independence of threads, shards and backends ------------------------------------------------


def stored(path):
    return read_model_file(open_model_file(path))


def assert_same_model(found, expected):
    assert found.discounts == expected.discounts
    mine, its = stored(found.path), stored(expected.path)
    assert mine[0] == its[0]
    assert mine[1].keys() == its[1].keys()
    for name, array in mine[1].items():
        assert np.array_equal(array, its[1][name]), name


@conventions
@pytest.mark.parametrize("order", [1, 2, 4])
def test_a_model_of_a_table_is_the_model_of_its_corpus(backend, tmp_path, order, convention):
    fitted = Fitted(tmp_path, order, convention, backend)
    table = icfast.count(
        fitted.training.corpus, tmp_path / "table", order, convention=convention, backend=backend
    )
    model = icfast.fit(table, output=tmp_path / "m.icfast", backend=backend)
    assert_same_model(model, fitted.model)
    assert model.path == tmp_path / "m.icfast"


@conventions
@pytest.mark.parametrize("threads", [1, 2, 3])
def test_a_model_does_not_depend_on_threads_caps_or_shard_order(
    backend, tmp_path, convention, threads, monkeypatch
):
    fitted = Fitted(tmp_path, 4, convention, backend)
    monkeypatch.setattr(spectra_pass, "budget", lambda *_: Budget(60, 8, 12))
    again = icfast.fit(
        fitted.training.corpus, 4, convention=convention, backend=backend, threads=threads
    )
    assert_same_model(again, fitted.model)
    back = icfast.open(fitted.training.paths[::-1], dtype="u2", eos_id=EOS, vocab_size=VOCABULARY)
    again = icfast.fit(back, 4, convention=convention, backend=backend, threads=threads)
    for name, array in stored(again.path)[1].items():
        assert np.array_equal(array, stored(fitted.model.path)[1][name]), name


@conventions
def test_losses_do_not_depend_on_threads_or_chunks(backend, tmp_path, convention, monkeypatch):
    fitted = Fitted(tmp_path, 4, convention, backend)
    expected = icfast.score(fitted.heldout.corpus, fitted.model, backend=backend, threads=1)
    for chunk, threads in ((1, 3), (10, 2), (1 << 16, 2)):
        monkeypatch.setattr(chunks, "_CHUNK_TOKENS", chunk)
        found = icfast.score(fitted.heldout.corpus, fitted.model, backend=backend, threads=threads)
        assert found.total == expected.total
        assert found.low.tolist() == expected.low.tolist()
        assert found.document.tolist() == expected.document.tolist()


@conventions
def test_backends_agree(tmp_path, convention):
    fitted = []
    for name in backends_under_test():
        (tmp_path / name).mkdir()
        fitted.append(Fitted(tmp_path / name, 4, convention, name))
    losses = [icfast.score(f.heldout.corpus, f.model, backend=f.backend) for f in fitted]
    for other, scores in zip(fitted[1:], losses[1:], strict=True):
        mine, its = (stored(f.model.path)[1] for f in (fitted[0], other))
        assert all(np.array_equal(mine[name], its[name]) for name in mine)
        expected = losses[0].loss_nats.tolist()
        assert scores.loss_nats.tolist() == pytest.approx(expected, rel=1e-12)


@conventions
def test_sparse_ids(backend, tmp_path, convention):
    """Write the documents with ids spread over 32 bits."""
    fitted = Fitted(tmp_path, 4, convention, backend)
    wide = 2**32 // VOCABULARY
    shards = {
        name: [[[token * wide for token in document] for document in shard] for shard in held]
        for name, held in (("training", TRAINING), ("heldout", HELDOUT))
    }
    options = {"dtype": "u4", "eos_id": EOS, "vocab_size": 2**32}
    training, heldout = (
        write_shards(tmp_path / f"wide-{name}", held, **options).corpus
        for name, held in shards.items()
    )
    model = icfast.fit(training, 4, convention=convention, backend=backend)
    for name in ("symbols", "counts", "child", "contexts"):
        assert np.array_equal(getattr(model.trie, name), getattr(fitted.model.trie, name))
    scores = icfast.score(heldout, model, backend=backend)
    expected = icfast.score(fitted.heldout.corpus, fitted.model, backend=backend)
    assert scores.oov.tolist() == expected.oov.tolist()
    if convention == "kenlm":  # its vocabulary is the ids seen
        assert scores.low.tolist() == expected.low.tolist()


def test_the_sides_of_a_split(backend, tmp_path):
    everything = [*TRAINING, *HELDOUT]
    written = write_shards(tmp_path / "c", everything, eos_id=EOS, vocab_size=VOCABULARY)
    work = Work.of(backend, 2)
    both = split(all_documents(written.corpus), 0.4, work.backend.kernels)
    model = fit_documents(both.training, 3, work)
    held = [naive.is_heldout(d, 0.4, EOS) for d in written.documents]
    training = [d for d, h in zip(written.documents, held, strict=True) if not h]
    expected = naive.KneserNey(training, 3, "tokens", VOCABULARY)
    scores = score_documents(both.heldout, model, work)
    losses = [nats(expected, d) for d, h in zip(written.documents, held, strict=True) if h]
    assert scores.loss_nats.tolist() == pytest.approx(losses, rel=1e-9)
    assert model.source.documents == "training at 0.4"


# Errors --------------------------------------------------------------------------------------


def test_an_id_outside_the_vocabulary_of_the_model(backend, tmp_path):
    fitted = Fitted(tmp_path, 2, "tokens", backend)
    corpus = write_shards(tmp_path / "x", [[[1, VOCABULARY]]]).corpus
    message = rf"token {VOCABULARY} at position 1 of .*0\.bin is outside the vocabulary of 40"
    with pytest.raises(CorpusError, match=message):
        icfast.score(corpus, fitted.model, backend=backend)


def test_under_kenlm_any_id_is_unknown_at_worst(backend, tmp_path):
    fitted = Fitted(tmp_path, 2, "kenlm", backend)
    corpus = write_shards(tmp_path / "x", [[[1, VOCABULARY + 5]]]).corpus
    assert icfast.score(corpus, fitted.model, backend=backend).oov.tolist() == [1]


def test_another_tokenizer_is_refused(tmp_path):
    options = {"tokenizer": "a.json", "vocab_size": 10}
    model = icfast.fit(write_shards(tmp_path / "a", [TOY[:1]], **options).corpus, 2)
    other = write_shards(tmp_path / "b", [TOY[1:]], tokenizer="b.json", vocab_size=10).corpus
    with pytest.raises(
        MergeError, match=r"tokenizer 'b.json', but the model was fitted on tokenizer 'a.json'"
    ):
        icfast.score(other, model)
    unnamed = write_shards(tmp_path / "c", [TOY[1:]], vocab_size=10).corpus
    assert icfast.score(unnamed, model).total.predicted_tokens == 4


def test_an_output_without_a_folder(tmp_path):
    corpus = write_shards(tmp_path / "a", [TOY[:1]]).corpus
    with pytest.raises(OptionError, match="its folder does not exist"):
        icfast.fit(corpus, 2, output=tmp_path / "none" / "m.icfast")


class Interrupted(BaseException):
    pass


@pytest.mark.parametrize("kernel", ["sort_runs", "grow_trie", "link_contexts"])
def test_an_interrupted_fit_leaves_nothing_behind(backend, tmp_path, monkeypatch, kernel):
    corpus = write_shards(tmp_path / "a", [TOY[:1]]).corpus
    output = tmp_path / "m.icfast"
    output.write_bytes(b"ICFMODEL, an earlier one")

    def broken(*arguments):
        raise Interrupted

    monkeypatch.setattr(select(backend).kernels, kernel, broken)
    before = {*tmp_path.rglob("*")}
    with pytest.raises(Interrupted):
        icfast.fit(corpus, 2, output=output, backend=backend, overwrite=True)
    assert {*tmp_path.rglob("*")} == before
    assert output.read_bytes() == b"ICFMODEL, an earlier one"
