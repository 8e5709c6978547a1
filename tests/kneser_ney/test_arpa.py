"""ARPA text: every line against naive Kneser-Ney, and KenLM's scores of the file."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
from tests import naive
from tests.kneser_ney.test_kneser_ney import EOS, HELDOUT, Fitted
from tests.ngrams.corpora import write_shards

import icfast
from icfast.errors import ArtefactError, OptionError
from icfast.kneser_ney import arpa as arpa_text

conventions = pytest.mark.parametrize("convention", ["tokens", "kenlm"])
MARKS = {naive.BEGIN: "<s>", naive.END: "</s>", naive.UNKNOWN: "<unk>"}


class Read:
    """An ARPA file, parsed with str.split."""

    def __init__(self, path):
        data, *parts, end = path.read_text().split("\n\\")
        assert data.startswith("\\data\\\n")
        assert end == "end\\\n"
        self.sizes = [int(line.split("=")[1]) for line in data.split("\n")[1:] if line]
        self.orders = []
        for n, part in enumerate(parts, start=1):
            title, *lines = part.rstrip("\n").split("\n")
            assert title == f"{n}-grams:"
            fields = [line.split("\t") for line in lines]
            self.orders.append({tuple(words.split(" ")): own for own, words, *_ in fields})
            assert len(self.orders[-1]) == len(lines) == self.sizes[n - 1]
            backoffs = {tuple(words.split(" ")): more for _, words, *more in fields}
            assert all(len(more) == (n < len(parts)) for more in backoffs.values())
            self.backoffs = {**(self.backoffs if n > 1 else {}), **backoffs}

    def log10(self, words):
        """Return log10 p of the last word after the others, as readers of ARPA compute it."""
        for first in range(len(words)):
            found = self.orders[len(words) - first - 1].get(words[first:])
            if found is not None:
                longer = (words[skipped:-1] for skipped in range(first))
                return float(found) + sum(
                    float(more[0]) for h in longer for more in [self.backoffs.get(h, ["0"])]
                )
        return self.log10((*words[:-1], "<unk>"))


def words_of(gram):
    return tuple(MARKS.get(symbol, str(symbol)) for symbol in gram)


@pytest.mark.ci
@conventions
@pytest.mark.parametrize("order", [1, 2, 3, 5])
@pytest.mark.parametrize("block", [1, 7, 1 << 15])
def test_every_line_is_that_of_the_naive_model(
    backend, tmp_path, order, convention, block, monkeypatch
):
    monkeypatch.setattr(arpa_text, "_BLOCK", block)
    fitted = Fitted(tmp_path, order, convention, backend)
    icfast.write_arpa(fitted.model, tmp_path / "m.arpa", backend=backend)
    read, model = Read(tmp_path / "m.arpa"), fitted.naive(order)
    if convention == "kenlm":
        assert tuple(read.sizes) == fitted.model.ngram_counts
    marks = {("<s>",): "-99.00000000"}
    if convention == "tokens":
        marks["</s>",] = "-99"
    assert {words: read.orders[0][words] for words in marks} == marks
    unseen = 39 if convention == "tokens" else naive.UNKNOWN
    p = model.probability(unseen, ())
    assert float(read.orders[0]["<unk>",]) == pytest.approx(math.log10(p), abs=5.1e-9)
    for n in range(1, order + 1):
        grams = {words_of(gram): gram for gram in model.counts[n]}
        extra = {("<unk>",), *marks} if n == 1 else set()
        assert {*read.orders[n - 1]} - extra == grams.keys()
        for words, gram in grams.items():
            p = model.probability(gram[-1], gram[:-1])
            assert float(read.orders[n - 1][words]) == pytest.approx(math.log10(p), abs=5.1e-9)
            if n < order:
                assert float(read.backoffs[words][0]) == pytest.approx(
                    math.log10(backoff(model, gram)), abs=5.1e-9
                )
    if order > 1:
        begin = math.log10(backoff(model, (naive.BEGIN,)))
        assert float(read.backoffs["<s>",][0]) == pytest.approx(begin, abs=5.1e-9)


def backoff(model, context):
    """Return the backoff: the factor of the lower probability of an unseen successor."""
    n = len(context) + 1
    if context not in model.contexts[n]:
        return 1.0
    total, *followers = model.contexts[n][context]
    return sum(d * count for d, count in zip(model.discounts[n], followers, strict=True)) / total


@conventions
def test_scores_of_documents(backend, tmp_path, convention):
    fitted = Fitted(tmp_path, 4, convention, backend)
    icfast.write_arpa(fitted.model.path, tmp_path / "m.arpa", backend=backend, threads=2)
    read, model = Read(tmp_path / "m.arpa"), fitted.naive(4)
    scores = icfast.score(fitted.heldout.corpus, fitted.model, backend=backend)
    for document, nats in zip(fitted.heldout.documents, scores.loss_nats, strict=True):
        words = ("<s>", *words_of(model.predicted_symbols(document)))
        known = tuple(word if (word,) in read.orders[0] else "<unk>" for word in words)
        found = sum(read.log10(known[max(0, i - 3) : i + 1]) for i in range(1, len(known)))
        assert found == pytest.approx(-nats / math.log(10), abs=1e-7)


def test_an_order_without_ngrams_has_its_title(backend, tmp_path):
    corpus = write_shards(tmp_path / "c", [[[1], [2]]], vocab_size=5, eos_id=0).corpus
    model = icfast.fit(corpus, 5, backend=backend)
    icfast.write_arpa(model, tmp_path / "m.arpa", backend=backend)
    assert Read(tmp_path / "m.arpa").sizes == [6, 4, 2, 0, 0]


def test_numbers():
    cells = arpa_text._NumberCells()(np.array([1.0, 1.0 + 1e-15, 0.5, 1e-300, 0.0, 10**-12.5]))
    texts = [row[row != 0].tobytes().decode() for row in cells]
    assert texts[:3] == ["-0.00000000", "-0.00000000", "-0.30103000"]
    assert texts[3:] == ["-300.00000000", "-99.00000000", "-12.50000000"]


def test_whole_or_not_at_all(backend, tmp_path):
    model = Fitted(tmp_path, 2, "tokens", backend).model
    with pytest.raises(OptionError, match="cannot write"):
        icfast.write_arpa(model, tmp_path / "none" / "m.arpa", backend=backend)
    before = {*tmp_path.iterdir()}
    with pytest.raises(ArtefactError):
        icfast.write_arpa(tmp_path / "training" / "0.bin", tmp_path / "m.arpa", backend=backend)
    assert {*tmp_path.iterdir()} == before


# KenLM's reader ------------------------------------------------------------------------------


def kenlm_log10(path: Path, documents, end: bool):
    """Return (log10, unknown words) of each document, added in double precision."""
    kenlm = pytest.importorskip("kenlm", reason="needs the kenlm package: pip install kenlm")
    config = kenlm.Config()
    config.show_progress = False
    model = kenlm.Model(str(path), config)
    found = []
    for document in documents:
        scores = [*model.full_scores(" ".join(map(str, document)), bos=True, eos=end)]
        found.append((math.fsum(score for score, _, _ in scores), sum(oov for *_, oov in scores)))
    return found


@pytest.mark.kenlm
@conventions
@pytest.mark.parametrize("order", [2, 3, 5])
def test_kenlm_scores_as_icfast_does(backend, tmp_path, order, convention):
    fitted = Fitted(tmp_path, order, convention, backend)
    icfast.write_arpa(fitted.model, tmp_path / "m.arpa", backend=backend)
    scores = icfast.score(fitted.heldout.corpus, fitted.model, backend=backend)
    end = convention == "kenlm"
    held = [d for shard in HELDOUT for d in shard]
    documents = held if end else [[*d, EOS] for d in held]
    found = kenlm_log10(tmp_path / "m.arpa", documents, end)
    expected = (-scores.loss_nats / math.log(10)).tolist()
    assert [log10 for log10, _ in found] == pytest.approx(expected, rel=1e-6)
    assert [oov for _, oov in found] == scores.oov.tolist()
    assert any(oov for _, oov in found)
