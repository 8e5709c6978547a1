"""Tokens, options and corpora that a neural model cannot score."""

from __future__ import annotations

import numpy as np
import pytest
from tests.neural.hash_model import HashModel
from tests.neural.token_corpora import EOS, some_shards
from tests.ngrams.corpora import write_shards

import icfast
from icfast.errors import (
    CorpusError,
    IcfastError,
    MergeError,
    OptionError,
    ResourceError,
    SelfCheckError,
)
from icfast.laws.loss import bits_per_token
from icfast.sums.kinds import Kind


@pytest.mark.parametrize(
    ("kind", "loss", "name"),
    [
        (Kind.NAN, np.nan, "nan"),
        (Kind.SCORED, np.nan, "nan"),
        (Kind.INFINITE, np.inf, "infinite"),
        (Kind.OUT_OF_RANGE, np.nan, "out_of_range"),
        (Kind.SCORED, 2.0**31, "huge"),
    ],
)
def test_losses_that_are_none_are_counted(written, kind, loss, name):
    scores = icfast.score(written.corpus, HashModel(odd=(5, loss, kind)), bos=1)
    often = [document.count(5) for document in written.documents]
    assert getattr(scores, name).tolist() == often
    assert getattr(scores.total, name) == sum(often) > 0
    assert scores.total.predicted_tokens == sum(map(len, written.documents))
    finite = np.isfinite(scores.loss_nats)
    assert finite.tolist() == [not count for count in often]
    with pytest.raises(IcfastError, match=rf"{sum(often)} of {scores.total.predicted_tokens}"):
        bits_per_token(scores.total)
    assert int(scores.positions.counts[:, Kind[name.upper()]].sum()) == sum(often)


def test_an_id_the_model_does_not_have(tmp_path, small_units):
    shards = some_shards()
    shards[2][7][1:1] = [25]
    written = write_shards(tmp_path / "c", shards, eos_id=EOS)
    corpus = written.corpus
    at = int(np.flatnonzero(corpus.shards[2].tokens == 25)[0])
    model = HashModel()
    message = (
        rf"2.bin: id 25 at position {at} is outside the model's vocabulary \(20 ids\). "
        "Was the corpus tokenised with another vocabulary"
    )
    for options in ({}, {"packed": True}, {"bos": 1}):
        with pytest.raises(CorpusError, match=message):
            icfast.score(corpus, model, stride=3, **options)


def test_an_id_that_is_never_fed_nor_predicted(tmp_path):
    """It is the only token of its document, and there is no BOS."""
    written = write_shards(tmp_path / "c", [[[1, 2, 3]], [[25]]])
    assert icfast.score(written.corpus, HashModel()).total.predicted_tokens == 2


def test_a_corpus_of_which_nothing_is_predicted(tmp_path):
    written = write_shards(tmp_path / "c", [[[1]], [[2]]])
    model = HashModel()
    scores = icfast.score(written.corpus, model)
    assert model.calls == []
    assert scores.predicted_tokens.tolist() == [0, 0]
    assert (scores.total.ignored, scores.total.quanta, scores.counts.windows) == (2, 0, 0)
    assert scores.positions.doublings() == []
    with pytest.raises(IcfastError, match="no token was predicted"):
        bits_per_token(scores.total)


def test_negative_ids(tmp_path):
    written = write_shards(tmp_path / "c", [[[1, 2, -3, 4]]], dtype="i4")
    with pytest.raises(CorpusError, match=r"token -3 at position 2 .* is negative"):
        icfast.score(written.corpus, HashModel())


def test_strangers(tmp_path):
    made = write_shards(tmp_path / "c", [[[1, 2, 3]]], tokenizer="one").corpus
    assert icfast.score(made, HashModel(tokenizer="one")).total.predicted_tokens == 2
    assert icfast.score(made, HashModel()).total.predicted_tokens == 2
    with pytest.raises(MergeError, match=r"written by tokenizer 'one', but hash uses 'two'"):
        icfast.score(made, HashModel(tokenizer="two"))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"window": 9}, "window 9 is longer than the 8 tokens that hash takes"),
        ({"window": 0}, "window must be at least 1 token; found 0"),
        ({"stride": 0}, "stride must be between .* found 0"),
        ({"stride": 9}, "stride must be between .* found 9"),
        ({"bos": 20}, "bos id 20 is outside the vocabulary of hash \\(20 ids\\)"),
        ({"bos": "first"}, "bos must be auto, none or an id; found 'first'"),
        ({"normaliser": "line"}, "normaliser must be one of token, byte, word"),
        ({"batch": 0}, "batch must be at least 1 context; found 0"),
        ({"vocab_size": 10}, "vocab_size is for functions"),
    ],
)
def test_options_without_meaning(written, options, message):
    with pytest.raises(OptionError, match=message):
        icfast.score(written.corpus, HashModel(), **options)


def test_memory_that_holds_no_window(written):
    with pytest.raises(ResourceError, match=r"a context of 8 tokens takes .* shorter --window"):
        icfast.score(written.corpus, HashModel(), memory=7999)
    assert icfast.score(written.corpus, HashModel(), memory=7999, window=7).counts.windows > 0


@pytest.mark.parametrize("kind", ["shape", "ignored"])
def test_a_model_that_does_not_answer_what_it_was_asked(written, kind):
    model = HashModel(odd=(5, 0.0, Kind.IGNORED))
    if kind == "shape":
        answer = HashModel().losses

        def short(ids, targets, threads):
            return answer(ids[:, 1:], targets[:, 1:], threads)

        model.losses = short
    with pytest.raises(SelfCheckError):
        icfast.score(written.corpus, model)


def test_options_of_neural_models_with_an_ngram_model(written):
    model = icfast.fit(written.corpus, order=2)
    for option in ({"window": 8}, {"packed": True}, {"bos": "none"}, {"checkpoint": "x"}):
        with pytest.raises(OptionError, match="for neural models only"):
            icfast.score(written.corpus, model, **option)
