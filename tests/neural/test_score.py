"""Losses of a corpus under a neural model, against losses computed one token at a time."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from itertools import chain, pairwise

import numpy as np
import pytest
from tests import naive
from tests.neural.hash_model import HashModel, expected_losses, hashed_logits, quanta
from tests.neural.token_corpora import EOS, assert_same, some_shards
from tests.ngrams.corpora import write_shards

import icfast
from icfast.backends.losses import TokenLosses
from icfast.corpus.documents import all_documents
from icfast.corpus.heldout import split
from icfast.errors import (
    CorpusError,
    IcfastError,
    OptionError,
)
from icfast.laws.loss import bits_per_token
from icfast.losses.host import host_token_losses
from icfast.losses.options import LossOptions
from icfast.neural.context_policy import ContextPolicy
from icfast.neural.score import score_tokens
from icfast.parallel.threads import Work
from icfast.sums.by_position import position_bins
from icfast.sums.kinds import Kind
from icfast.sums.loss import whole_sum


def document_quanta(scores):
    return [
        whole_sum(scores.low[d : d + 1], scores.high[d : d + 1])
        for d in range(len(scores.document))
    ]


def by_shard(written):
    """Return the documents of each shard."""
    spans = iter(written.documents)
    return [[next(spans) for _ in shard] for shard in some_shards()]


@pytest.mark.parametrize(("window", "stride"), [(8, 8), (8, 3), (8, 1), (5, 2), (1, 1), (8, None)])
@pytest.mark.parametrize("bos", ["none", 3])
def test_losses_are_those_of_the_definition(backend, written, small_units, window, stride, bos):
    model = HashModel()
    options = {"window": window, "stride": stride, "bos": bos, "backend": backend}
    scores = icfast.score(written.corpus, model, **options)
    bos_id = None if bos == "none" else bos
    expected = [expected_losses(d, window, stride or window, bos_id) for d in written.documents]
    assert document_quanta(scores) == [quanta(losses) for losses in expected]
    assert scores.predicted_tokens.tolist() == [
        len(d) - (bos_id is None) for d in written.documents
    ]
    assert scores.ignored.tolist() == [int(bos_id is None)] * len(written.documents)
    assert scores.total.quanta == sum(map(quanta, expected))
    assert asdict(scores.policy) == {
        "window": window,
        "stride": stride or window,
        "bos_id": bos_id,
        "packed": False,
        "normaliser": "token",
    }
    assert scores.counts.predicted_tokens == scores.total.predicted_tokens
    assert scores.counts.first_tokens_not_predicted == scores.total.ignored
    assert scores.shards == ("0.bin", "1.bin", "2.bin")
    assert scores.document.tolist() == [*range(9), 0, *range(14)]


@pytest.mark.parametrize("bos", ["none", 3])
def test_sums_by_position(written, small_units, bos):
    scores = icfast.score(written.corpus, HashModel(), window=6, stride=2, bos=bos)
    expected = {}
    for document in written.documents:
        losses = expected_losses(document, 6, 2, None if bos == "none" else bos)
        for position, loss in enumerate(losses):
            if loss is not None:
                held = expected.setdefault(position, [])
                held.append(loss)
    assert len(scores.positions.low) == max(expected) + 1
    for position in range(len(scores.positions.low)):
        here = slice(position, position + 1)
        found = whole_sum(scores.positions.low[here], scores.positions.high[here])
        assert found == quanta(expected.get(position, []))
        scored = scores.positions.counts[position, Kind.SCORED]
        assert scored == len(expected.get(position, []))


@pytest.mark.parametrize("bos", ["none", 3])
@pytest.mark.parametrize("stride", [7, 3])
def test_packed_documents_are_one_sequence(written, small_units, bos, stride):
    bos_id = None if bos == "none" else bos
    scores = icfast.score(
        written.corpus, HashModel(), window=7, stride=stride, bos=bos, packed=True
    )
    expected, positions = [], {}
    for shard in by_shard(written):
        losses = expected_losses(list(chain(*shard)), 7, stride, bos_id)
        for document in shard:
            mine, losses = losses[: len(document)], losses[len(document) :]
            expected.append(mine)
            for position, loss in enumerate(mine):
                positions[position] = positions.get(position, 0) + quanta([loss])
    assert document_quanta(scores) == [quanta(losses) for losses in expected]
    assert scores.ignored.sum() == (3 if bos_id is None else 0)
    assert scores.ignored.tolist()[0] == int(bos_id is None)
    found = [
        whole_sum(scores.positions.low[p : p + 1], scores.positions.high[p : p + 1])
        for p in range(len(scores.positions.low))
    ]
    assert found == [positions[p] for p in range(len(found))]


@pytest.mark.parametrize("packed", [False, True])
def test_chosen_documents_alone(backend, written, small_units, packed):
    """Score the held-out side of a split, whose documents have gaps between them."""
    work = Work.of(backend)
    sides = split(all_documents(written.corpus), 0.5, work.backend.kernels)
    side = sides.heldout
    model = HashModel()
    policy = ContextPolicy(stride=3, packed=packed)
    scores = score_tokens(side, model, policy, work)
    expected = []
    for part in side.by_shard:
        texts = [
            part.shard.tokens[a:b].tolist() for a, b in zip(part.starts, part.stops, strict=True)
        ]
        joined = [list(chain(*texts))] if packed else texts
        expected += [quanta(expected_losses(text, 8, 3, None)) for text in joined]
    assert scores.total.quanta == sum(expected)
    assert 0 < len(side) < len(written.documents)
    assert scores.predicted_set_sha256 == sides.predicted_set_sha256
    if not packed:
        assert document_quanta(scores) == expected


# Results do not depend on how the work is divided ------------------------------------------------


@pytest.mark.parametrize("packed", [False, True])
def test_results_do_not_depend_on_batches_threads_and_memory(written, small_units, packed):
    whole = icfast.score(written.corpus, HashModel(), stride=3, packed=packed)
    for options in ({"batch": 1}, {"batch": 64}, {"threads": 1}, {"threads": 2}, {"memory": 8000}):
        model = HashModel()
        assert_same(icfast.score(written.corpus, model, stride=3, packed=packed, **options), whole)
        if options.get("batch") == 1:
            assert {shape[0] for shape in model.calls} == {1}
        if "memory" in options:
            assert max(rows * columns for rows, columns in model.calls) <= 8


def test_results_do_not_depend_on_chunks(written, monkeypatch):
    whole = icfast.score(written.corpus, HashModel(), stride=3, packed=True)
    for targets in (1, 5, 11, 1000):
        monkeypatch.setattr("icfast.neural.contexts.CHUNK_TARGETS", targets)
        assert_same(icfast.score(written.corpus, HashModel(), stride=3, packed=True), whole)


def test_shards_in_any_order_have_the_same_sum(written, small_units):
    whole = icfast.score(written.corpus, HashModel(), stride=3)
    for order in ([2, 0, 1], [1, 2, 0]):
        paths = [written.paths[i] for i in order]
        corpus = icfast.open(paths, dtype="u2", eos_id=EOS)
        permuted = icfast.score(corpus, HashModel(), stride=3)
        assert permuted.total == whole.total
        parts = [
            icfast.score(icfast.open(p, dtype="u2", eos_id=EOS), HashModel(), stride=3)
            for p in paths
        ]
        total = parts[0].total + parts[1].total + parts[2].total
        assert total == whole.total
        positions = parts[0].positions + parts[1].positions + parts[2].positions
        assert np.array_equal(positions.low, whole.positions.low)
        assert np.array_equal(positions.counts, whole.positions.counts)


def test_long_contexts_come_first_and_need_little_padding(written):
    model = HashModel(context=32)
    scores = icfast.score(written.corpus, model, memory=64 * model.bytes_per_token)
    filled = sum(rows * columns for rows, columns in model.calls)
    asked = scores.counts.predicted_tokens + scores.counts.context_tokens
    assert asked <= filled < 1.25 * asked
    assert all(rows * columns <= 64 for rows, columns in model.calls)


# A model in two ways ----------------------------------------------------------------------------


@dataclass
class NgramLogits(HashModel):
    """A Kneser-Ney model by its definition as a model with logits; its BOS is an additional id."""

    ngrams: naive.KneserNey | None = None

    def losses(self, ids, targets, threads):
        logits = np.full((*ids.shape, self.vocab_size), -np.inf)
        for row, window in enumerate(ids.tolist()):
            fed = [naive.BEGIN if token == self.bos_id else token for token in window]
            for t in range(len(fed)):
                history = fed[max(0, t + 2 - self.ngrams.order) : t + 1]
                held = [self.ngrams.probability(v, history) for v in range(self.bos_id)]
                logits[row, t, : self.bos_id] = np.log(np.array(held, float))
        flat = targets.reshape(-1)
        found = host_token_losses(logits, targets, LossOptions(threads=threads))
        assert (found.kinds.reshape(-1) == np.where(flat < 0, Kind.IGNORED, Kind.SCORED)).all()
        return TokenLosses(found.nll_nats.reshape(-1), found.kinds.reshape(-1), *[np.empty(0)] * 3)


@pytest.mark.parametrize("order", [1, 3])
def test_an_ngram_model_fed_windows_has_the_losses_of_the_ngram_model(backend, tmp_path, order):
    written = write_shards(tmp_path / "c", some_shards(3), eos_id=EOS, vocab_size=20)
    fitted = icfast.fit(written.corpus, order=order)
    expected = icfast.score(written.corpus, fitted)
    model = NgramLogits(
        vocab_size=21,
        bos_id=20,
        context=7,
        ngrams=naive.KneserNey(written.documents, order, "tokens", 20),
    )
    # Every token sees 3 before it, and where it has fewer the begin mark.
    found = icfast.score(written.corpus, model, stride=5, backend=backend)
    assert found.predicted_tokens.tolist() == expected.predicted_tokens.tolist()
    assert found.loss_nats == pytest.approx(expected.loss_nats, rel=1e-9)
    assert found.total.nats == pytest.approx(expected.total.nats, rel=1e-9)


# Conventions ------------------------------------------------------------------------------------


def test_bos_is_the_models_unless_the_corpus_has_it(tmp_path):
    ending = write_shards(tmp_path / "e", some_shards(), eos_id=EOS).corpus
    starting = write_shards(tmp_path / "s", some_shards(), eos_id=EOS, boundary="start").corpus
    model = HashModel(bos_id=EOS)
    assert icfast.score(ending, model).policy.bos_id == EOS
    found = icfast.score(starting, model)
    assert (found.policy.bos_id, found.total.ignored) == (None, starting.documents)
    assert icfast.score(starting, model, bos=EOS).policy.bos_id == EOS
    assert icfast.score(ending, model, bos="none").policy.bos_id is None
    assert icfast.score(ending, HashModel()).policy.bos_id is None


def test_the_window_is_the_models_context(written):
    assert icfast.score(written.corpus, HashModel()).policy.window == 8
    unbounded = icfast.score(written.corpus, HashModel(context=None)).policy
    assert (unbounded.window, unbounded.stride) == (1024, 1024)


def test_bytes_and_words(tmp_path):
    texts = [b"to be  or not", b" to be\n", b"\t"]
    (tmp_path / "t.bin").write_bytes(b"".join(text + b"\0" for text in texts))
    corpus = icfast.open(
        tmp_path / "t.bin", dtype="u1", eos_id=0, vocab_size=256, tokenizer="bytes"
    )
    model = HashModel(vocab_size=256)
    scores = icfast.score(corpus, model, normaliser="word")
    assert (scores.total.words, scores.counts.words) == (6, 6)
    assert (scores.total.text_bytes, scores.counts.text_bytes) == (21, 21)
    assert icfast.score(corpus, model, normaliser="byte").total.words is None


def test_bytes_and_words_that_are_not_known(written):
    for normaliser in ("byte", "word"):
        with pytest.raises(
            CorpusError, match=f"needs the {normaliser}s of the text, which are unknown"
        ):
            icfast.score(written.corpus, HashModel(), normaliser=normaliser)


def test_a_long_document_has_coarser_positions(tmp_path):
    written = write_shards(tmp_path / "c", [[[1, 2] * 700]])
    scores = icfast.score(written.corpus, HashModel(), bos=3)
    bins = position_bins(np.arange(1400))
    assert np.array_equal(scores.positions.counts[:, 0], np.bincount(bins))
    assert whole_sum(scores.positions.low, scores.positions.high) == scores.total.quanta


def test_progress_ends_at_one(written, small_units):
    told = []
    scores = icfast.score(
        written.corpus, HashModel(), progress=lambda stage, done, total: told.append((done, total))
    )
    assert told == sorted(told)
    assert told[-1] == (scores.total.predicted_tokens,) * 2
    assert {total for _, total in told} == {scores.total.predicted_tokens}
    assert len(told) > 3


def test_scores_show_themselves_in_a_notebook(written):
    scores = icfast.score(written.corpus, HashModel(), bos=3)
    assert repr(scores).startswith("NeuralScores(hash, window 8, stride 8, BOS 3, documents apart")
    html = scores._repr_html_()
    assert f"{bits_per_token(scores.total):.4f}" in html
    assert "Loss under hash" in html
    odd = icfast.score(written.corpus, HashModel(odd=(5, np.nan, Kind.NAN)), bos=3)
    assert "nan" not in odd._repr_html_()


# Functions that give logits ----------------------------------------------------------------------


def test_a_function_that_gives_logits(backend, written, small_units, tmp_path):
    """Its rows have 23 columns, of which 20 count."""

    def logits(ids):
        padded = np.full((*ids.shape, 23), 1e6, np.float32)
        padded[..., :20] = hashed_logits(ids, 20)
        return padded

    options = {"window": 8, "stride": 3, "vocab_size": 20, "backend": backend}
    whole = icfast.score(written.corpus, logits, **options)
    assert (whole.model.name[:9], whole.model.logits_format) == ("callable:", "fp32")
    assert (whole.model.vocab_size, whole.model.model_bits) == (20, None)
    exact = icfast.score(written.corpus, HashModel(), stride=3)
    assert whole.loss_nats == pytest.approx(exact.loss_nats, rel=1e-6)
    for more in ({"batch": 1}, {"batch": 64}, {"threads": 1}, {"threads": 2}, {"memory": 5000}):
        assert_same(icfast.score(written.corpus, logits, **options, **more), whole)
    kept = {"checkpoint": tmp_path / "kept", "name": "hashed"}
    assert_same(icfast.score(written.corpus, logits, **options, **kept), whole)
    again = icfast.score(written.corpus, logits, **options, **kept)
    assert_same(again, whole)
    assert again.resumed_units == len(list(kept["checkpoint"].iterdir()))


def test_logits_that_are_no_distribution(written):
    def logits(ids):
        found = hashed_logits(ids, 20)
        found[ids == 5] = np.nan
        found[ids == 6, 7] = -np.inf
        return found

    scores = icfast.score(written.corpus, logits, window=8)
    pairs = [pair for document in written.documents for pair in pairwise(document)]
    assert scores.total.nan == sum(before == 5 for before, _ in pairs) > 0
    assert scores.total.infinite == sum(pair == (6, 7) for pair in pairs) > 0
    with pytest.raises(IcfastError, match=r"probability 0 .* have no distribution"):
        bits_per_token(scores.total)


def test_only_models_loaded_by_name_take_a_dtype(written):
    with pytest.raises(OptionError, match="model_dtype 'bfloat16'"):
        icfast.score(written.corpus, HashModel(), model_dtype="bfloat16")
