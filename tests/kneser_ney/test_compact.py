"""Compressed models against naive Kneser-Ney, and to the last unit against their n-grams."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from tests import naive
from tests.conftest import backends_under_test
from tests.kneser_ney import test_kneser_ney
from tests.kneser_ney.test_kneser_ney import Fitted, documents, nats
from tests.ngrams.corpora import write_shards

import icfast
from icfast.backends.select import select
from icfast.errors import ArtefactError, OptionError, ResourceError
from icfast.kneser_ney.compact import CompactModel, load_model
from icfast.kneser_ney.compression import pack as pack_module
from icfast.kneser_ney.compression.levels import levels_of, masses, mean_log2_mass
from icfast.kneser_ney.compression.pack import pack
from icfast.kneser_ney.compression.prune import prune
from icfast.kneser_ney.compression.quantise import decoded, quantised
from icfast.kneser_ney.weights import weigh

conventions = pytest.mark.parametrize("convention", ["tokens", "kenlm"])
#: Frequent words have many left neighbours, and each order has more n-grams than one sample.
LARGER = [documents(7, 38, [0, 1, 5, 700]), documents(8, 38, [900, 2])]
orders = pytest.mark.parametrize("order", [1, 2, 3, 5])


def levels_from(fitted):
    kernels = select(fitted.backend).kernels

    def for_each(call, items):
        for item in items:
            call(item)

    return levels_of(fitted.model, weigh(fitted.model, kernels, for_each))


def ngrams_of(levels):
    """Return the n-grams of each order as tuples of ranks, from their links alone."""
    found = [[(rank,) for rank in range(len(levels[0].nats))]]
    for level in levels[1:]:
        pairs = zip(level.contexts.tolist(), level.parents.tolist(), strict=True)
        found.append([found[-1][h] + found[-1][low][-1:] for h, low in pairs])
    return found


class Table:
    """The n-grams of levels in dictionaries, and the loss of an unknown symbol."""

    def __init__(self, levels, number=float):
        self.order = len(levels)
        self.nats, self.backoffs = {}, {}
        for level, grams in zip(levels, ngrams_of(levels), strict=True):
            self.nats |= zip(grams, map(number, level.nats.tolist()), strict=True)
            if len(level.backoffs):
                values = map(number, level.backoffs.tolist())
                self.backoffs |= zip(grams, values, strict=True)
        self.unknown = self.nats.pop((0,))

    def loss(self, history, word):
        """Return the loss of a word after ranks. None is an unknown word or rank."""
        history = tuple(history[max(0, len(history) - self.order + 1) :])
        for first in range(len(history) + 1):
            gram = (*history[first:], word)
            if gram in self.nats or first == len(history):
                longer = [history[skipped:] for skipped in range(first)]
                own = self.nats.get(gram, self.unknown)
                return own + sum(self.backoffs.get(context, 0) for context in longer)
        raise AssertionError


def ranks_of(fitted, document):
    model = fitted.naive(1)
    rank = {int(token): r for r, token in enumerate(fitted.model.ids, start=1)}
    rank[naive.END] = len(rank) + 1
    return [rank.get(symbol) for symbol in model.predicted_symbols(document)]


@orders
@conventions
def test_with_a_code_for_every_value_losses_are_those_of_the_naive_model(
    backend, tmp_path, order, convention
):
    fitted = Fitted(tmp_path, order, convention, backend)
    small = icfast.compress(fitted.model, tmp_path / "small", bits=16, backend=backend)
    scores = icfast.score(fitted.heldout.corpus, small, backend=backend)
    expected = fitted.naive(order)
    held = fitted.heldout.documents
    losses = [nats(expected, document) for document in held]
    assert scores.loss_nats.tolist() == pytest.approx(losses, rel=1e-5, abs=1e-8)
    assert scores.predicted_tokens.tolist() == [expected.document_predicted(d) for d in held]
    assert scores.oov.tolist() == [expected.document_oov(d) for d in held]
    assert not scores.infinite.any()
    assert small.about["mean_log2_mass"] == pytest.approx(0, abs=1e-5)
    assert small.ngrams == fitted.model.ngrams


@pytest.mark.ci
@conventions
@pytest.mark.parametrize("bits", [1, 3, 8, 16])
@pytest.mark.parametrize("exception_bits", [0, 96])
def test_what_is_packed_is_what_is_read(
    backend, tmp_path, convention, bits, exception_bits, monkeypatch
):
    """Compare every document's integer sum, also with many exceptions."""
    monkeypatch.setattr(pack_module, "_EXCEPTION_BITS", exception_bits)
    monkeypatch.setattr(test_kneser_ney, "TRAINING", LARGER)
    fitted = Fitted(tmp_path, 4, convention, backend)
    levels = levels_from(fitted)
    codes = quantised(levels, bits)
    small = pack(fitted.model, levels, codes, {"bits": bits})
    many = len(small.trie.exceptions)
    assert many > 1000 if exception_bits == 0 else 0 < many < 100, many
    assert small.ngrams[1] > pack_module.SAMPLE
    table = Table(decoded(levels, codes), lambda value: round(value * 2**32))
    scores = icfast.score(fitted.heldout.corpus, small, backend=backend, threads=2)
    for document, low in zip(fitted.heldout.documents, scores.low.tolist(), strict=True):
        line = [0, *ranks_of(fitted, document)]
        losses = [max(0, table.loss(line[:i], line[i])) for i in range(1, len(line))]
        assert low == sum(losses)


@pytest.mark.ci
@conventions
def test_backends_agree_to_the_last_unit(tmp_path, convention):
    found = []
    for name in backends_under_test():
        (tmp_path / name).mkdir()
        fitted = Fitted(tmp_path / name, 4, convention, name)
        small = icfast.compress(fitted.model, tmp_path / name / "small", bits=5, backend=name)
        found.append(icfast.score(fitted.heldout.corpus, small, backend=name).low.tolist())
    assert all(other == found[0] for other in found)


def test_the_file(backend, tmp_path):
    fitted = Fitted(tmp_path, 3, "kenlm", backend)
    heldout = fitted.heldout.corpus
    file = tmp_path / "small"
    small = icfast.compress(fitted.model.path, file, bits=4, heldout=heldout, backend=backend)
    again = load_model(file)
    assert isinstance(again, CompactModel)
    for name, array in again.trie._asdict().items():
        assert np.array_equal(array, getattr(small.trie, name))
        assert not array.flags.writeable
    assert (again.order, again.convention, again.bits) == (3, "kenlm", 4)
    assert (again.tokens, again.documents) == (fitted.model.tokens, fitted.model.documents)
    assert again.source == fitted.model.source
    found = again.about["heldout"]
    for model, name in ((fitted.model, "whole_bits_per_token"), (again, "bits_per_token")):
        total = icfast.score(heldout, model, backend=backend).total
        assert found[name] == total.nats / math.log(2) / total.predicted_tokens
        assert found["predicted_tokens"] == total.predicted_tokens
    excess = found["bits_per_token"] - found["whole_bits_per_token"]
    assert found["excess_bits_per_token"] == excess != 0
    assert again.about["whole_bytes"] == fitted.model.path.stat().st_size
    by_path = icfast.score(heldout, file, backend=backend)
    assert by_path.total == icfast.score(heldout, again, backend=backend).total
    # Loading a file as the wrong kind names its kind.
    with pytest.raises(ArtefactError, match="a compressed model can only score"):
        icfast.NgramModel.load(file)
    with pytest.raises(ArtefactError, match="holds a full model"):
        CompactModel.load(fitted.model.path)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"bits": 0}, "from 1 to 16"),
        ({"bits": 17}, "from 1 to 16"),
        ({"prune": -1e-9}, "fraction of the perplexity"),
        ({"prune": math.nan}, "fraction of the perplexity"),
    ],
)
def test_options_without_meaning(tmp_path, options, message):
    model = Fitted(tmp_path, 2, "tokens").model
    with pytest.raises(OptionError, match=message):
        icfast.compress(model, tmp_path / "small", **options)
    assert not (tmp_path / "small").exists()


def test_too_little_memory(tmp_path):
    model = Fitted(tmp_path, 2, "tokens").model
    with pytest.raises(ResourceError, match="n-grams needs"):
        icfast.compress(model, tmp_path / "small", memory="1kB")
    assert not (tmp_path / "small").exists()


def test_an_order_without_ngrams(backend, tmp_path):
    corpus = write_shards(tmp_path / "c", [[[1], [2]]], vocab_size=5, eos_id=0).corpus
    model = icfast.fit(corpus, 5, backend=backend)
    small = icfast.compress(model, tmp_path / "small", bits=8, backend=backend)
    assert small.ngrams == (3, 4, 2, 0, 0)
    expected = icfast.score(corpus, model, backend=backend).total.nats
    found = icfast.score(corpus, small, backend=backend).total.nats
    assert found == pytest.approx(expected, rel=1e-5)


# Forged files --------------------------------------------------------------------------------


def rewritten(model, path, changes, about):
    trie = model.trie._replace(**changes)
    replace(model, trie=trie, about={**model.about, **about}).save(path, {})
    return path


def changed(array, at, by):
    array = array.copy()
    array[at] += np.array(by).astype(array.dtype)
    return array


@pytest.mark.parametrize(
    ("name", "at", "by"),
    [
        ("levels", 1, 1),
        ("levels", 2, 1),
        ("unigrams", (3, 2), 10_000),
        ("unigrams", (-1, 2), 1),
        ("layout", (0, 0), 1),
        ("layout", (1, 1), 1),
        ("layout", (2, 2), 1 << 20),
        ("layout", (0, 2), -64),
        ("children", 0, 1),
        ("samples", 1, 1),
    ],
)
def test_forged_arrays_are_refused(tmp_path, name, at, by):
    small = icfast.compress(Fitted(tmp_path, 4, "kenlm").model, tmp_path / "small", bits=4)
    change = {name: changed(getattr(small.trie, name), at, by)}
    with pytest.raises(ArtefactError, match="is damaged"):
        load_model(rewritten(small, tmp_path / "forged", change, {}))


@pytest.mark.parametrize("about", [{"bits": 5}, {"bits": "4"}, {"order": 3}, {"tokens": -1}])
def test_forged_descriptions_are_refused(tmp_path, about):
    small = icfast.compress(Fitted(tmp_path, 4, "kenlm").model, tmp_path / "small", bits=4)
    with pytest.raises(ArtefactError, match="is damaged"):
        load_model(rewritten(small, tmp_path / "forged", {}, about))
    assert load_model(rewritten(small, tmp_path / "forged", {}, {})).bits == 4


def test_forged_records_do_no_harm(backend, tmp_path):
    fitted = Fitted(tmp_path, 4, "kenlm", backend)
    small = icfast.compress(fitted.model, tmp_path / "small", bits=4, backend=backend)
    random = np.random.default_rng(1)
    for _ in range(20):
        changes = {
            "records": random.integers(0, 2**64, len(small.trie.records), np.uint64),
            "exceptions": small.trie.exceptions[:1],
            "exception_places": small.trie.exception_places[:1],
        }
        forged = load_model(rewritten(small, tmp_path / "forged", changes, {}))
        scores = icfast.score(fitted.heldout.corpus, forged, backend=backend)
        assert scores.predicted_tokens.sum() > 0


# Sums of probabilities -----------------------------------------------------------------------


def sums_of(levels, fitted):
    """Return the sum of p over the vocabulary after each n-gram of orders 1..N-1."""
    table = Table(levels)
    ranks = len(levels[0].nats) - 1
    unseen = round(1 / fitted.model.uniform) - ranks
    found = []
    for grams in ngrams_of(levels)[:-1]:
        known = [[math.exp(-table.loss(h, w)) for w in range(1, ranks + 1)] for h in grams]
        rest = [unseen * math.exp(-table.loss(h, None)) for h in grams]
        found.append([math.fsum(p) + more for p, more in zip(known, rest, strict=True)])
    return found


@conventions
@pytest.mark.parametrize("bits", [2, 5])
def test_masses(tmp_path, convention, bits):
    fitted = Fitted(tmp_path, 3, convention)
    levels = levels_from(fitted)
    rounded = decoded(levels, quantised(levels, bits))
    for exact, off in zip(masses(levels), masses(rounded), strict=True):
        assert exact == pytest.approx(np.ones(len(exact)), abs=1e-9)
        assert np.abs(off - 1).max() > 1e-3
    for found, expected in zip(masses(rounded), sums_of(rounded, fitted), strict=True):
        assert found.tolist() == pytest.approx(expected, rel=1e-9)
    followed = levels[1].counts
    logs = np.log2(sums_of(rounded, fitted)[1])
    expected = float((followed * logs).sum() / followed.sum())
    assert mean_log2_mass(rounded) == pytest.approx(expected)


# Pruning -------------------------------------------------------------------------------------


@conventions
@pytest.mark.parametrize("threshold", [3e-4, 1e-3])
def test_a_pruned_model_is_a_distribution(tmp_path, convention, threshold):
    fitted = Fitted(tmp_path, 4, convention)
    levels = levels_from(fitted)
    pruned = prune(levels, threshold, fitted.model.documents)
    assert pruned[0].nats.tolist() == levels[0].nats.tolist()
    for n in (1, 2, 3):
        assert 0 < len(pruned[n].nats) < len(levels[n].nats)
    grams, before = ngrams_of(pruned), Table(levels)
    for shorter, longer, level in zip(grams[:-1], grams[1:], pruned[1:], strict=True):
        # The parts of a kept n-gram are kept, in the same order, with their probabilities.
        assert {gram[1:] for gram in longer} | {gram[:-1] for gram in longer} <= {*shorter}
        assert [gram[::-1] for gram in longer] == sorted(gram[::-1] for gram in longer)
        assert level.nats.tolist() == [before.nats[gram] for gram in longer]
    for found in sums_of(pruned, fitted):
        assert found == pytest.approx(np.ones(len(found)), abs=1e-9)


def test_thresholds(tmp_path):
    fitted = Fitted(tmp_path, 3, "tokens")
    levels = levels_from(fitted)
    sizes = [
        sum(len(level.nats) for level in prune(levels, threshold, fitted.model.documents))
        for threshold in (1e-300, 1e-4, 3e-4, 1e-3, 1e9)
    ]
    assert all(fewer <= more for more, fewer in pairwise(sizes))
    assert sizes[0] <= sum(len(level.nats) for level in levels)
    assert sizes[-1] == len(levels[0].nats)


def brute_force_cost(levels, grams, number, model):
    """Return the sum over w of p(h) p(w|h) ln p(w|h) / q(w|h); q lacks one longest n-gram."""
    gram = grams[-1][number]
    history, word = gram[:-1], gram[-1]
    with_it, without = Table(levels), Table(levels)
    del without.nats[gram]
    ranks = range(1, len(grams[0]))
    kept = [w for w in ranks if (*history, w) in without.nats]
    free = 1 - math.fsum(math.exp(-with_it.loss(history[1:], w)) for w in kept)
    left = 1 - math.fsum(math.exp(-with_it.loss(history, w)) for w in kept)
    without.backoffs[history] = -math.log(left / free)
    unseen = round(1 / model.uniform) - len(ranks)
    change = [(1, w) for w in ranks] + [(unseen, None)]
    total = math.fsum(
        times
        * math.exp(-with_it.loss(history, w))
        * (without.loss(history, w) - with_it.loss(history, w))
        for times, w in change
    )
    share = 1.0
    for i, symbol in enumerate(history):
        begins = symbol == 0
        share *= (
            model.documents / model.tokens
            if begins
            else math.exp(-with_it.loss(history[:i], symbol))
        )
    assert word in ranks
    return share * total


@conventions
def test_the_cost_of_an_ngram_is_the_relative_entropy_without_it(tmp_path, convention):
    fitted = Fitted(tmp_path, 3, convention)
    levels = levels_from(fitted)
    grams = ngrams_of(levels)
    chosen = range(0, len(grams[2]), 7)
    expected = [brute_force_cost(levels, grams, i, fitted.model) for i in chosen]
    assert min(expected) >= 0
    # An n-gram is kept at a threshold just below its cost, and removed just above.
    for i, cost in zip(chosen, expected, strict=True):
        for factor, stays in ((0.999, True), (1.001, False)):
            pruned = prune(levels, math.expm1(cost * factor), fitted.model.documents)
            assert (grams[2][i] in {*ngrams_of(pruned)[2]}) == stays, (i, factor)


def test_a_pruned_model_is_scored(backend, tmp_path):
    fitted = Fitted(tmp_path, 4, "kenlm", backend)
    small = icfast.compress(fitted.model, tmp_path / "small", bits=16, prune=1e-3, backend=backend)
    assert sum(small.ngrams) < sum(fitted.model.ngrams)
    table = Table(prune(levels_from(fitted), 1e-3, fitted.model.documents))
    scores = icfast.score(fitted.heldout.corpus, small, backend=backend)
    for document, found in zip(fitted.heldout.documents, scores.loss_nats.tolist(), strict=True):
        line = [0, *ranks_of(fitted, document)]
        expected = math.fsum(table.loss(line[:i], line[i]) for i in range(1, len(line)))
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-8)


def test_models_are_shown_in_a_line_and_in_a_table(backend, tmp_path):
    whole = Fitted(tmp_path, 3, "kenlm", backend).model
    small = icfast.compress(whole, tmp_path / "small", bits=4, backend=backend)
    for model, name in ((whole, "NgramModel("), (small, "CompactModel(")):
        assert repr(model).startswith(name)
        assert len(repr(model)) < 120 + len(str(tmp_path))
        table = model._repr_html_()
        assert all(f">{n}-grams</th>" in table for n in (1, 2, 3))
        assert all(f">{count:,}</td>" in table for count in model.ngrams)
