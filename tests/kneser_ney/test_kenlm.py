"""KenLM's figures on real token ids (lmplz -o N --discount_fallback, then query)."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pytest
from tests.kneser_ney.test_arpa import kenlm_log10

import icfast

pytestmark = [pytest.mark.kenlm, pytest.mark.corpora]

EOS = 50256
EVALUATED_DOCUMENTS = 200

#: Counts of counts and discounts of each order in double precision. KenLM's printed values differ
#: in the 4th digit below the highest order, since KenLM misplaces one n-gram.
TOP = {
    3: ((901540, 172563, 61638, 34799), (0.7231608145, 1.225079775, 1.366898784)),
    5: ((1770201, 203033, 58699, 31798), (0.8134116816, 1.294502091, 1.237457902)),
}
LOWER = {
    1: ((5847, 3668, 2521, 1713), (0.4435257529, 1.085500199, 1.794510726)),
    2: ((358721, 73931, 28533, 14853), (0.7081189065, 1.180123760, 1.525540235)),
    3: ((1085788, 111835, 31681, 13905), (0.8291888705, 1.295313651, 1.544254128)),
    4: ((1652051, 97287, 22422, 9058), (0.8946326406, 1.381434732, 1.554351537)),
}
#: Total log10, bits per prediction, perplexity with and without unknown ids.
TOTALS = {
    3: (-207984.24972, 3.33770717, 10.1099725, 9.9609749),
    5: (-191698.34695, 3.07635289, 8.4347943, 8.3094855),
}
#: KenLM's query adds in single precision.
RELATIVE = {3: 2e-5, 5: 1e-4}


class Compared:
    def __init__(self, order, theirs, model, scores, evaluation):
        self.order, self.theirs, self.model, self.scores = order, theirs, model, scores
        self.evaluation = evaluation


@pytest.fixture(scope="module", params=[3, 5])
def compared(request, backend, shared, corpora, tmp_path_factory):
    order = request.param
    theirs = json.loads((shared / f"oracles/kenlm-linux-5m-o{order}.json").read_text())
    folder = tmp_path_factory.mktemp("kenlm")
    training, evaluation = cut(corpora / "linux-gpt2.u16.bin", theirs, folder)
    options = {"dtype": "u2", "eos_id": EOS, "vocab_size": 50257}
    corpus = icfast.open(training, **options)
    assert corpus.documents == theirs["train_documents"]
    assert corpus.tokens - corpus.documents == theirs["train_tokens"]  # without end ids
    model = icfast.fit(corpus, order, convention="kenlm", backend=backend, output=folder / "model")
    scores = icfast.score(icfast.open(evaluation, **options), model, backend=backend)
    return Compared(order, theirs, model, scores, evaluation)


def cut(path: Path, theirs, folder: Path) -> tuple[Path, Path]:
    """Return the documents that end within the first 5 M tokens, and the next 200."""
    tokens = np.memmap(path, "<u2", "r")[: theirs["train_token_range"][1] + 1_000_000]
    ends = np.flatnonzero(tokens == EOS) + 1
    documents = theirs["train_documents"]
    edges = [0, int(ends[documents - 1]), int(ends[documents + EVALUATED_DOCUMENTS - 1])]
    names = folder / "training.bin", folder / "evaluation.bin"
    for name, low, high in zip(names, edges[:-1], edges[1:], strict=True):
        tokens[low:high].tofile(name)
    return names


def test_ngram_counts(compared):
    assert list(compared.model.ngram_counts) == compared.theirs["ngram_counts"]


def test_discounts(compared):
    order = compared.order
    for n, entry in enumerate(compared.model.discounts, start=1):
        found = entry.top if n == order else entry.lower
        counts_of_counts, values = TOP[order] if n == order else LOWER[n]
        assert found.counts_of_counts == counts_of_counts
        assert found.values == pytest.approx(values, rel=1e-8)
        assert not found.fallback
        # KenLM's values, to the digits that its misplaced n-gram leaves exact.
        assert found.values == pytest.approx(compared.theirs["discounts"][n - 1], rel=1e-3)


def test_totals(compared):
    total = compared.scores.total
    log10, bits, with_unknown, _ = TOTALS[compared.order]
    assert (total.documents, total.predicted_tokens, total.oov) == (200, 207_001, 245)
    assert total.infinite == 0
    assert -total.nats / math.log(10) == pytest.approx(log10, rel=1e-8)
    found = total.nats / math.log(2) / total.predicted_tokens
    assert found == pytest.approx(bits, rel=1e-8)
    assert 2**found == pytest.approx(with_unknown, rel=1e-8)


def test_every_document(compared):
    scores, theirs = compared.scores, compared.theirs["per_document"]
    assert len(theirs) == EVALUATED_DOCUMENTS == len(scores.document)
    assert scores.predicted_tokens.tolist() == [document["tokens"] + 1 for document in theirs]
    assert scores.oov.tolist() == [document["oov"] for document in theirs]
    log10 = -scores.loss_nats / math.log(10)
    expected = [document["log10"] for document in theirs]
    assert log10.tolist() == pytest.approx(expected, rel=RELATIVE[compared.order])


@pytest.mark.ci
def test_kenlm_reads_the_arpa_text(compared, tmp_path):
    icfast.write_arpa(compared.model, tmp_path / "m.arpa")
    tokens = np.fromfile(compared.evaluation, "<u2")
    documents = [part[part != EOS] for part in np.split(tokens, np.flatnonzero(tokens == EOS) + 1)]
    found = kenlm_log10(tmp_path / "m.arpa", documents[:EVALUATED_DOCUMENTS], end=True)
    expected = (-compared.scores.loss_nats / math.log(10)).tolist()
    assert [log10 for log10, _ in found] == pytest.approx(expected, rel=1e-6)
    assert [oov for _, oov in found] == compared.scores.oov.tolist()
