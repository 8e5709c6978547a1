"""The held-out split: frozen, a property of the document alone, and counted like any corpus."""

from __future__ import annotations

import hashlib
import random
from itertools import chain

import numpy as np
import pytest
from tests import naive
from tests.ngrams.corpora import assert_spectra, write_shards

import icfast
from icfast.backends.select import select
from icfast.corpus.documents import all_documents
from icfast.corpus.heldout import split
from icfast.errors import CorpusError, OptionError
from icfast.ngrams.spectra import spectra_of
from icfast.parallel.threads import Work

EOS = 0


def some_shards(seed=1):
    chance = random.Random(seed)
    shards = [
        [[chance.randrange(1, 50) for _ in range(chance.randrange(12))] for _ in range(25)]
        for _ in range(3)
    ]
    shards[2] += shards[0][:5]  # documents that occur twice
    return shards


def sides(written, fraction, kernels, convention="tokens"):
    return split(all_documents(written.corpus, convention), fraction, kernels)


def ids_of(documents):
    """Each document's ids, and its number in its shard."""
    found = []
    for part in documents.by_shard:
        for start, stop, number in zip(part.starts, part.stops, part.numbers, strict=True):
            found.append(
                (part.shard.path.name, int(number), part.shard.tokens[start:stop].tolist())
            )
    return found


@pytest.mark.parametrize("boundary", ["end", "start"])
@pytest.mark.parametrize("fraction", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("convention", ["tokens", "kenlm"])
def test_each_document_falls_where_its_hash_says(kernels, tmp_path, fraction, boundary, convention):
    written = write_shards(tmp_path / "c", some_shards(), eos_id=EOS, boundary=boundary)
    both = sides(written, fraction, kernels, convention)
    expected = {True: [], False: []}
    documents = iter(written.documents)
    for s, shard in enumerate(some_shards()):
        for number, content in enumerate(shard):
            document = next(documents)
            held = naive.is_heldout(document, fraction, EOS, boundary)
            ids = content if convention == "kenlm" else document
            expected[held].append((f"{s}.bin", number, ids))
    assert ids_of(both.heldout) == expected[True]
    assert ids_of(both.training) == expected[False]
    assert both.fraction == fraction
    assert (both.heldout.chosen, both.training.chosen) == (
        f"held out at {fraction}",
        f"training at {fraction}",
    )


def test_the_predicted_set_has_a_name_that_no_order_changes(kernels, tmp_path):
    written = write_shards(tmp_path / "c", some_shards(), eos_id=EOS)
    held = [d for d in written.documents if naive.is_heldout(d, 0.3, EOS)]
    hashes = np.sort(np.array([naive.document_hash(d, EOS) for d in held], "<u8"))
    expected = hashlib.sha256(hashes.tobytes()).hexdigest()
    back = icfast.open(written.paths[::-1], dtype="u2", eos_id=EOS)
    flat = write_shards(tmp_path / "flat", [list(chain(*some_shards()))], eos_id=EOS)
    other = write_shards(tmp_path / "other", some_shards(), eos_id=50, boundary="start")
    for corpus in (written.corpus, back, flat.corpus, other.corpus):
        both = split(all_documents(corpus), 0.3, kernels)
        assert both.predicted_set_sha256 == expected
    changed = split(all_documents(written.corpus), 0.5, kernels)
    assert changed.predicted_set_sha256 != expected


@pytest.mark.parametrize("convention", ["tokens", "kenlm"])
@pytest.mark.parametrize("threads", [1, 3])
def test_spectra_of_the_sides(backend, tmp_path, convention, threads):
    """Documents with gaps between them, cut into one list of chunks per thread."""
    written = write_shards(tmp_path / "c", some_shards(), eos_id=EOS)
    work = Work.of(backend, threads)
    both = sides(written, 0.4, work.backend.kernels, convention)
    for documents in (both.training, both.heldout):
        expected = [ids for _, _, ids in ids_of(documents)]
        if convention == "kenlm":
            expected = [[*ids, 10**6] for ids in expected]
        assert_spectra(spectra_of(documents, 4, work), expected)
    assert (
        both.training.tokens + both.heldout.tokens
        == all_documents(written.corpus, convention).tokens
    )


def test_sparse_ids_fall_on_the_same_side(backend, tmp_path):
    written = write_shards(tmp_path / "c", some_shards(), eos_id=EOS)
    wide = write_shards(tmp_path / "w", some_shards(), eos_id=EOS, dtype="u4", vocab_size=2**32)
    work = Work.of(backend, 2)
    sides_ = [sides(w, 0.4, work.backend.kernels) for w in (written, wide)]
    assert ids_of(sides_[0].heldout) == ids_of(sides_[1].heldout)
    assert_spectra(
        spectra_of(sides_[1].training, 3, work), [d for *_, d in ids_of(sides_[0].training)]
    )


def test_a_corpus_of_one_document(tmp_path):
    written = write_shards(tmp_path / "c", [[[1, 2, 3]]])
    with pytest.raises(CorpusError, match=r"corpus has one document .*--eos-id .* or add shards"):
        sides(written, 0.1, select().kernels)


@pytest.mark.parametrize(("side", "fraction"), [("held-out", 1e-9), ("training", 1 - 1e-9)])
def test_an_empty_side(tmp_path, side, fraction):
    written = write_shards(tmp_path / "c", some_shards(), eos_id=EOS)
    with pytest.raises(
        CorpusError, match=rf"the {side} side is empty: the corpus has 80 documents, .*--heldout"
    ):
        sides(written, fraction, select().kernels)


@pytest.mark.parametrize("fraction", [0.1, 0.9])
def test_equal_documents_are_a_misleading_message_no_more(tmp_path, fraction):
    """No fraction splits equal documents, so none is asked for."""
    written = write_shards(tmp_path / "c", [[[1, 2, 3, 9]] * 20, [[1, 2, 3, 9]] * 10], eos_id=EOS)
    with pytest.raises(CorpusError, match="all 30 documents of the corpus are equal") as refused:
        sides(written, fraction, select().kernels)
    assert "Pass another" not in str(refused.value)


@pytest.mark.parametrize("fraction", [1e-9, 1 - 1e-9])
def test_the_fraction_that_is_proposed_splits(tmp_path, fraction):
    written = write_shards(tmp_path / "c", [[[1, 2]] * 3 + [[3]] * 2], eos_id=EOS)
    with pytest.raises(CorpusError, match=r"5 documents, 2 of them different") as refused:
        sides(written, fraction, select().kernels)
    proposed = float(str(refused.value).split("such as ")[1].split(",")[0])
    assert sides(written, proposed, select().kernels).heldout.tokens > 0


@pytest.mark.parametrize("fraction", [0.0, 1.0, -0.1, 1.5, float("nan")])
def test_fractions_without_meaning(tmp_path, fraction):
    written = write_shards(tmp_path / "c", some_shards(), eos_id=EOS)
    with pytest.raises(OptionError, match="must be between 0 and 1"):
        sides(written, fraction, select().kernels)
