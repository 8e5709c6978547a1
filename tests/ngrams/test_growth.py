"""Growth curves and shard counts, compared with plain counting."""

from __future__ import annotations

from collections import Counter

import pytest
from tests.ngrams.corpora import as_dict, write_shards

import icfast
from icfast.corpus.documents import all_documents
from icfast.errors import CorpusError
from icfast.laws import observed_types
from icfast.ngrams import alphabet
from icfast.ngrams import growth as growth_pass
from icfast.ngrams.growth import growth
from icfast.parallel.threads import Work

SHARDS = [
    [[3, 1, 3, 2], [1, 1, 7]],
    [[9], [2, 30, 31, 9, 9, 9]],
    [[1] * 40 + [5, 6], [31]],
]


@pytest.fixture(params=["dense", "sparse"])
def ids(request, monkeypatch):
    if request.param == "sparse":
        monkeypatch.setattr(alphabet, "_DENSE_IDS", 4)


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("chunk", [1, 5, 1 << 21])
def test_types_along_the_corpus(backend, tmp_path, monkeypatch, threads, chunk):
    monkeypatch.setattr(growth_pass, "_CHUNK_TOKENS", chunk)
    written = write_shards(tmp_path / "c", SHARDS, eos_id=0, vocab_size=32)
    found = growth(all_documents(written.corpus), Work.of(backend, threads))
    ids = [token for document in written.documents for token in document]
    assert found.tokens[0] == 1
    assert found.tokens[-1] == len(ids)
    assert (found.tokens[1:] > found.tokens[:-1]).all()
    assert found.types.tolist() == observed_types(ids, found.tokens).tolist()
    for shard, spectrum in zip(SHARDS, found.shards, strict=True):
        counts = Counter([*(token for document in shard for token in document), *[0] * len(shard)])
        assert as_dict(spectrum) == dict(Counter(counts.values()))


@pytest.mark.usefixtures("ids")
def test_tokens_between_documents_are_not_counted(backend, tmp_path):
    # Under kenlm the end ids are in no document; n counts what is predicted but for the marks.
    written = write_shards(tmp_path / "c", SHARDS, eos_id=0, vocab_size=32)
    found = growth(all_documents(written.corpus, "kenlm"), Work.of(backend, 1))
    ids = [token for shard in SHARDS for document in shard for token in document]
    assert found.tokens[-1] == len(ids)
    assert found.types.tolist() == observed_types(ids, found.tokens).tolist()


def test_a_shard_without_tokens_is_none(backend, tmp_path):
    written = write_shards(tmp_path / "c", [[[1, 2]], [[3]], [[4, 4, 4]]], vocab_size=9)
    written.paths[1].write_bytes(b"")
    corpus = icfast.open(written.paths, dtype="u2", vocab_size=9, skip_bad=True)
    found = growth(all_documents(corpus), Work.of(backend, 2))
    assert [as_dict(shard) for shard in found.shards] == [{1: 2}, {3: 1}]
    assert found.tokens[-1] == 5


def test_an_id_outside_the_vocabulary(backend, tmp_path):
    written = write_shards(tmp_path / "c", [[[1, 2]], [[3, 9]]], vocab_size=9)
    with pytest.raises(CorpusError, match="token 9 at position 1"):
        growth(all_documents(written.corpus), Work.of(backend, 1))
