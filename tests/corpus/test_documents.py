"""Documents by end id or index are those that a naive splitter finds."""

from __future__ import annotations

from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from icfast.corpus import Corpus, Documents, Shard, largest_id, open_corpus
from icfast.corpus import shard as shard_module
from icfast.errors import CorpusError, OptionError

EOS = 0
IDS = st.lists(st.integers(0, 3), min_size=1, max_size=40)


def make_shard(ids: list[int], dtype: str = "u2", **fields: Any) -> Shard:
    path = Path("x.bin")
    return Shard(path, "raw", np.array(ids, "<" + dtype), **fields)


def split_at_end(ids: list[int]) -> list[list[int]]:
    documents: list[list[int]] = [[]]
    for token in ids:
        documents[-1].append(token)
        if token == EOS:
            documents.append([])
    return [document for document in documents if document]


def split_at_start(ids: list[int]) -> list[list[int]]:
    documents: list[list[int]] = [[]]
    for token in ids:
        if token == EOS:
            documents.append([])
        documents[-1].append(token)
    return [document for document in documents if document]


def cut(shard: Shard, documents: Documents) -> list[list[int]]:
    ranges = zip(documents.starts, documents.stops, strict=True)
    return [shard.tokens[start:stop].tolist() for start, stop in ranges]


@given(IDS, st.integers(1, 9))
def test_boundary_end_is_the_naive_split(ids: list[int], step: int) -> None:
    shard = make_shard(ids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_module, "SCAN_TOKENS", step)
        corpus = Corpus((shard,), eos_id=EOS)
        assert cut(shard, corpus.documents_of(shard)) == split_at_end(ids)


@given(IDS, st.integers(1, 9))
def test_boundary_start_is_the_naive_split(ids: list[int], step: int) -> None:
    shard = make_shard(ids)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_module, "SCAN_TOKENS", step)
        corpus = Corpus((shard,), eos_id=EOS, boundary="start")
        assert cut(shard, corpus.documents_of(shard)) == split_at_start(ids)


@given(IDS)
def test_content_leaves_out_the_end_id_alone(ids: list[int]) -> None:
    shard = make_shard(ids)
    for boundary, split in (("end", split_at_end), ("start", split_at_start)):
        corpus = Corpus((shard,), eos_id=EOS, boundary=boundary)
        naive = [[token for token in document if token != EOS] for document in split(ids)]
        assert cut(shard, corpus.content(shard)) == naive


@given(st.lists(st.lists(st.integers(0, 3)), min_size=1).filter(lambda texts: any(texts)))
def test_an_index_rules_over_end_ids(documents: list[list[int]]) -> None:
    stops = np.cumsum([len(document) for document in documents])
    shard = make_shard(list(chain(*documents)), index_stops=stops)
    corpus = Corpus((shard,), eos_id=EOS, skip_bad=True)
    assert cut(shard, corpus.documents_of(shard)) == [
        document for document in documents if document
    ]
    assert corpus.skipped_documents == sum(not document for document in documents)
    assert corpus.documents + corpus.skipped_documents == len(documents)


def test_a_files_end_ends_a_document() -> None:
    shards = (make_shard([1, 0, 2]), make_shard([3, 0]))
    corpus = Corpus(shards, eos_id=EOS)
    assert (corpus.documents, corpus.tokens) == (3, 5)
    assert corpus.documents_of(shards[0]) is corpus.documents_of(shards[0]), "scanned once"


def test_without_end_id_and_index_a_file_is_one_document() -> None:
    shard = make_shard([1, 0, 2])
    assert cut(shard, Corpus((shard,)).documents_of(shard)) == [[1, 0, 2]]


def test_cross_documents_is_one_span_a_file() -> None:
    shard = make_shard(
        [1, 0, 2], index_stops=np.array([1, 1, 3]), text_bytes=np.array([4, 0, 5], np.uint64)
    )
    documents = Corpus((shard,), eos_id=EOS, cross_documents=True).documents_of(shard)
    assert cut(shard, documents) == [[1, 0, 2]]
    assert documents.text_bytes is not None
    assert documents.text_bytes.tolist() == [9]


@pytest.mark.parametrize("stops", [[0, 3], [2, 2, 3]])
def test_empty_documents_are_refused_or_counted(stops: list[int]) -> None:
    text_bytes = np.arange(len(stops), dtype=np.uint64)
    shard = make_shard([1, 2, 3], index_stops=np.array(stops), text_bytes=text_bytes)
    number = 0 if stops[0] == 0 else 1
    message = f"document {number} of x.bin is empty .*repeats the end {stops[number]}.*--skip-bad"
    with pytest.raises(CorpusError, match=message):
        Corpus((shard,)).documents_of(shard)
    documents = Corpus((shard,), skip_bad=True).documents_of(shard)
    assert documents.skipped == 1
    assert documents.text_bytes is not None
    assert documents.text_bytes.tolist() == [b for b in range(len(stops)) if b != number]


@pytest.mark.parametrize(
    ("boundary", "cross", "expected"),
    [("end", False, [2, 0, 1]), ("start", False, [2, 0, 1]), ("end", True, [3])],
)
def test_text_bytes_of_byte_tokens(boundary: str, cross: bool, expected: list[int]) -> None:
    shard = make_shard([7, 7, 0, 0, 7], "u1")
    corpus = Corpus(
        (shard,), eos_id=EOS, boundary=boundary, tokenizer="bytes", cross_documents=cross
    )
    found = corpus.documents_of(shard).text_bytes
    assert found is not None
    assert found.dtype == np.uint64
    assert found.tolist() == expected


def test_text_bytes_are_unknown_of_other_tokenizers() -> None:
    shard = make_shard([7, 7], "u1")
    assert Corpus((shard,), tokenizer="gpt2").documents_of(shard).text_bytes is None
    wide = make_shard([7, 7], "u2")
    assert Corpus((wide,), tokenizer="bytes").documents_of(wide).text_bytes is None


@given(IDS, st.integers(1, 9))
def test_largest_id_scans_in_chunks(ids: list[int], step: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shard_module, "SCAN_TOKENS", step)
        assert largest_id(make_shard(ids)) == max(ids)


def test_negative_ids_are_named() -> None:
    shard = make_shard([1, 2**32 - 100, 3], "u4", signed=True)
    message = "token -100 at position 1 of x.bin is negative"
    with pytest.raises(CorpusError, match=message):
        largest_id(shard)
    with pytest.raises(CorpusError, match=message):
        _ = Corpus((shard,)).vocab_size
    assert largest_id(make_shard([2**32 - 1], "u4")) == 2**32 - 1


def test_vocabulary_is_measured_where_none_is_stated() -> None:
    shards = (make_shard([1, 9]), make_shard([4]))
    measured = Corpus(shards)
    assert (measured.vocab_size, measured.vocab_size_given) == (10, False)
    stated = Corpus(shards, given_vocab_size=50)
    assert (stated.vocab_size, stated.vocab_size_given) == (50, True)
    with pytest.raises(OptionError, match="eos_id 10 does not occur: the largest id is 9"):
        _ = Corpus(shards, eos_id=10).vocab_size


def test_an_end_id_beyond_the_dtype_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.bin").write_bytes(b"abc")
    with pytest.raises(OptionError, match="u1, the largest of which is 255, so it cannot hold the"):
        open_corpus(tmp_path / "x.bin", dtype="u1", eos_id=50256, vocab_size=50257)
