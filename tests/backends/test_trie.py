"""grow_trie and link_contexts against a trie made from dictionaries."""

from __future__ import annotations

import numpy as np
import pytest
from tests.backends.definitions import (
    BLOCK,
    SHAPES,
    Shape,
    bigrams_of,
    ends_of,
    lay,
    long_documents,
    parts_of,
    run_of,
    scratch_of,
    shape_id,
    some_documents,
    trie_of,
)

from icfast.backends.models import Trie

#: A trie of order 64 has thousands of nodes per document, so lower orders suffice.
TRIE_SHAPES = [shape for shape in SHAPES if shape.order < 64]
SMALL = Shape(4, 3, 1)
DOCUMENTS = [[1, 2, 1, 1], [2], [1, 2, 1, 1], [1, 1, 1, 1, 1], [5, 2, 1, 2, 1]]

words = pytest.mark.parametrize("word", [np.uint32, np.uint64], ids=["u32", "u64"])


def laid_out(shape, end_mark):
    return lay(some_documents(shape, 60000, 6, empty=end_mark), shape, "u2", end_mark)


def empty_like(trie):
    """Return an empty trie of these sizes, with the root and the begin mark filled in."""
    arrays = (np.zeros_like(array) for array in trie[1:])
    grown = Trie(trie.levels, *arrays)
    grown.contexts[0] = trie.contexts[0]
    if len(trie.levels) > 2:
        grown.child[0] = trie.child[0]
    grown.child[-1] = trie.child[-1]
    return grown


def grow(kernels, runs, ends, shape, trie, documents):
    """Grow and mark a trie; the begin mark is followed once per document."""
    followed = np.zeros(trie.levels[-2], trie.counts.dtype)
    followed[:1] = documents
    path = np.zeros(2 + shape.words, np.uint64)
    cursors = trie.levels[:-1].copy()
    cursors[0] = 1
    for run in runs:
        status = kernels.grow_trie(run, ends, shape.bits, path, cursors, trie, followed)
        if status != (0, 0, 0):
            return status
    assert np.array_equal(cursors, trie.levels[1:])
    return kernels.mark_contexts(trie, followed)


def link(kernels, trie, low, high):
    return kernels.link_contexts(trie, bigrams_of(trie), low, high, scratch_of(trie))


def documents_in(laid):
    return sum(bool(document) for document in laid.ranked)


def assert_same(found, expected):
    for name in Trie._fields:
        assert np.array_equal(getattr(found, name), getattr(expected, name)), name


@pytest.mark.parametrize("shape", TRIE_SHAPES, ids=shape_id)
@pytest.mark.parametrize("end_mark", [False, True], ids=["tokens", "end-mark"])
@words
def test_the_trie_of_a_corpus(kernels, shape, end_mark, word):
    laid = laid_out(shape, end_mark)
    run, ends = run_of(laid.windows(), shape), ends_of(laid.ends(), shape)
    expected = trie_of(laid.ranked, shape.order, int(run.leads[-1]) + 1, word)
    found = empty_like(expected)
    assert grow(kernels, [run], ends, shape, found, documents_in(laid)) == (0, 0, 0)
    assert link(kernels, found, 0, int(run.leads[-1]) + 1) == (0, 0, 0)
    assert_same(found, expected)


def test_runs_and_ranges_may_be_cut_anywhere(kernels):
    laid = lay(DOCUMENTS, SMALL, end_mark=True)
    run, ends = run_of(laid.windows(), SMALL), ends_of(laid.ends(), SMALL)
    expected = trie_of(laid.ranked, SMALL.order, 5)
    for cut in range(len(run.counts) + 1):
        found = empty_like(expected)
        assert grow(kernels, parts_of(run, [cut]), ends, SMALL, found, len(DOCUMENTS)) == (0, 0, 0)
        # Ranges of context symbols write to disjoint rows, in any order.
        middle = cut % 5
        assert link(kernels, found, middle, 5) == (0, 0, 0)
        assert link(kernels, found, 0, middle) == (0, 0, 0)
        assert_same(found, expected)


@pytest.mark.ci
@pytest.mark.parametrize("edges", [[], [BLOCK], [BLOCK + 1]])
def test_more_windows_than_are_looked_at_together(kernels, edges):
    shape = Shape(7, 3, 1)
    laid = lay(long_documents(), shape)
    run, ends = run_of(laid.windows(), shape), ends_of(laid.ends(), shape)
    assert len(run.counts) > 3 * BLOCK
    expected = trie_of(laid.ranked, shape.order, int(run.leads[-1]) + 1)
    found = empty_like(expected)
    whole = grow(kernels, parts_of(run, edges), ends, shape, found, documents_in(laid))
    assert whole == (0, 0, 0)
    assert link(kernels, found, 0, int(run.leads[-1]) + 1) == (0, 0, 0)
    assert_same(found, expected)


TRIGRAMS = Shape(3, 3, 1)


def grown_for_damage():
    laid = lay(DOCUMENTS, TRIGRAMS)
    run, ends = run_of(laid.windows(), TRIGRAMS), ends_of(laid.ends(), TRIGRAMS)
    return run, ends, empty_like(trie_of(laid.ranked, TRIGRAMS.order, 4))


def test_a_level_that_is_too_small(kernels):
    run, ends, trie = grown_for_damage()
    levels = trie.levels.copy()
    levels[3:] -= 1
    status = grow(kernels, [run], ends, TRIGRAMS, trie._replace(levels=levels), len(DOCUMENTS))
    # Entry 9 has the last trigram. The next entry, a document's first token, has none.
    assert status == (3, 9, 3)


def test_the_first_window_in_the_way_is_the_one_named(kernels):
    run, ends, trie = grown_for_damage()
    levels = trie.levels.copy()
    levels[2:] -= 1
    levels[3] -= 3
    # There is no space for the last bigram either, but the first trigram fails before it.
    status = grow(kernels, [run], ends, TRIGRAMS, trie._replace(levels=levels), len(DOCUMENTS))
    assert status == (3, 7, 3)


def test_windows_that_do_not_ascend(kernels):
    run, ends, trie = grown_for_damage()
    keys = run.keys.copy()
    keys[[1, 2]] = keys[[2, 1]]
    assert grow(kernels, [run._replace(keys=keys)], ends, TRIGRAMS, trie, len(DOCUMENTS)) == (
        4,
        2,
        1,
    )


def test_a_rank_that_never_ends_a_window(kernels):
    run, ends, trie = grown_for_damage()
    leads = run.leads + np.array([0, 1, 1], np.uint32)
    status = grow(kernels, [run._replace(leads=leads)], ends, TRIGRAMS, trie, len(DOCUMENTS))
    assert status == (6, int(run.bounds[1]), 3)


def test_an_ngram_without_its_context(kernels):
    run, ends, trie = grown_for_damage()
    grow(kernels, [run], ends, TRIGRAMS, trie, len(DOCUMENTS))
    # The last trigram gets an oldest symbol that no bigram has here.
    node = int(trie.levels[3]) - 1
    trie.symbols[node] = 7
    assert link(kernels, trie, 0, 4) == (5, node, 7)
