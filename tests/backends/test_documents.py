"""count_ids and hash_documents."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import naive
from tests.backends.definitions import Shape, lay

from icfast.backends.counting import Chunk

UNIGRAMS = Shape(1, 1, 1)
DTYPES = ["u1", "u2", "u4"]


@pytest.mark.parametrize("dtype", DTYPES)
def test_count_ids_adds_up_over_any_cut(kernels, dtype):
    documents = [[5, 0, 5], [], [200], [5, 5, 0, 7]]
    laid = lay(documents, UNIGRAMS, dtype)
    expected = Counter(token for document in documents for token in document)
    size = len(laid.tokens)
    for cut in range(size + 1):
        counts = np.zeros(202, np.uint64)
        for begin, end in ((0, cut), (cut, size)):
            assert kernels.count_ids(laid.chunk(begin, end), counts) == (0, 0, 0)
        assert {i: n for i, n in enumerate(counts.tolist()) if n} == expected


@pytest.mark.parametrize("dtype", DTYPES)
def test_count_ids_finds_an_id_outside_the_vocabulary(kernels, dtype):
    tokens = np.array([200, 3, 200, 4, 4], dtype)
    chunk = Chunk(tokens, np.array([1], np.int64), np.array([5], np.int64), 1, 5)
    assert kernels.count_ids(chunk, np.zeros(200, np.uint64)) == (1, 2, 200)
    assert kernels.count_ids(chunk, np.zeros(201, np.uint64)) == (0, 0, 0)


def test_count_ids_at_the_top_of_32_bits_is_no_negative_index(kernels):
    tokens = np.array([1, 2**32 - 1], np.uint32)
    chunk = Chunk(tokens, np.array([0], np.int64), np.array([2], np.int64), 0, 2)
    assert kernels.count_ids(chunk, np.zeros(2, np.uint64)) == (1, 1, 2**32 - 1)


@pytest.mark.parametrize("dtype", DTYPES)
def test_hashes_are_the_frozen_ones(kernels, dtype):
    top = np.iinfo(dtype).max
    documents = [[], [0], [0, 0], [1, 2, 3], [3, 2, 1], [top, 1], [top - 1] * 9]
    lengths = [len(document) for document in documents]
    stops = np.cumsum(lengths).astype(np.int64)
    tokens = np.array([token for document in documents for token in document], dtype)
    hashes = np.zeros(len(documents), np.uint64)
    chunk = Chunk(tokens, stops - lengths, stops, 0, len(tokens))
    assert kernels.hash_documents(chunk, hashes) == (0, 0, 0)
    assert hashes.tolist() == [naive.document_hash(document) for document in documents]


@given(st.lists(st.integers(0, 2**32 - 1), max_size=20))
def test_hash_of_any_document(kernels, document):
    hashes = np.zeros(1, np.uint64)
    tokens = np.array(document, np.uint32)
    whole = np.array([0], np.int64), np.array([len(document)], np.int64)
    kernels.hash_documents(Chunk(tokens, *whole, 0, len(document)), hashes)
    assert hashes[0] == naive.document_hash(document)
