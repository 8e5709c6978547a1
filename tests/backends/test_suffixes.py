"""join_documents, sort_suffixes and match_lengths."""

from __future__ import annotations

import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import naive
from tests.backends.definitions import Shape, lay

from icfast.backends.counting import Alphabet, Chunk

UNIGRAMS = Shape(1, 1, 1)

small_documents = st.lists(st.lists(st.integers(0, 3), max_size=30), min_size=1, max_size=5)


def fibonacci(length):
    a, b = [1], [0]
    while len(b) < length:
        a, b = b, b + a
    return b[:length]


def thue_morse(length):
    return [i.bit_count() % 2 for i in range(length)]


#: Each text reaches a part of the sort that short random texts do not.
WORDS = {
    "one symbol": [0],
    "equal symbols": [0] * 300,  # one bucket, no substring to sort
    "falling": list(range(300, 0, -1)),  # every suffix larger than the next
    "rising": list(range(300)),
    "zigzag": [0, 2, 1, 2] * 80,  # most substrings, equal names
    "fibonacci": fibonacci(600),  # many levels of names
    "thue-morse": thue_morse(512),
    "period 7": [3, 1, 4, 1, 5, 9, 2] * 70,
    "two copies": [random.Random(1).randrange(50) for _ in range(250)] * 2,
    "random": [random.Random(2).randrange(2) for _ in range(600)],
    "many symbols": [random.Random(3).randrange(10**6) for _ in range(400)],
}


def text_of(documents):
    """Return (symbols, first separator): ranks from 0, a distinct separator after each document."""
    rank = naive.ranks(documents)
    text = []
    for number, document in enumerate(documents):
        text += [rank[token] - 1 for token in document] + [len(rank) + number]
    return np.array(text, np.int32), len(rank)


def sorted_suffixes(kernels, text):
    alphabet = int(text.max()) + 1
    order, work = np.zeros(len(text), np.int32), np.full(2 * max(len(text), alphabet), 7, np.int32)
    assert kernels.sort_suffixes(text, alphabet, order, work) == (0, 0, 0)
    return order


def lengths(kernels, documents):
    """Return (earlier, anywhere) of the tokens; check and drop the zeros of separators."""
    text, separator = text_of(documents)
    tokens = text < separator
    order = sorted_suffixes(kernels, text)
    links = np.full(2 * len(text), 7, np.int32)
    assert kernels.match_lengths(text, separator, order, links) == (0, 0, 0)
    assert not order[~tokens].any()
    assert not text[~tokens].any()
    return order[tokens].tolist(), text[tokens].tolist()


@pytest.mark.parametrize("word", WORDS.values(), ids=WORDS)
def test_suffixes_of_words(kernels, word):
    text, _ = text_of([word])
    listed = text.tolist()
    expected = sorted(range(len(listed)), key=lambda i: listed[i:])
    assert sorted_suffixes(kernels, text).tolist() == expected


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60))
def test_suffixes_of_any_text(kernels, word):
    # Texts without separators work too: the end of the text is smaller than any symbol.
    text = np.array(word, np.int32)
    expected = sorted(range(len(word)), key=lambda i: word[i:])
    assert sorted_suffixes(kernels, text).tolist() == expected


def test_suffixes_of_no_text(kernels):
    nothing = np.zeros(0, np.int32)
    assert kernels.sort_suffixes(nothing, 1, nothing, np.zeros(2, np.int32)) == (0, 0, 0)
    assert kernels.match_lengths(nothing, 1, nothing, nothing) == (0, 0, 0)


@given(small_documents)
def test_lengths_of_any_documents(kernels, documents):
    earlier, anywhere = lengths(kernels, documents)
    assert earlier == naive.match_lengths(documents, earlier=True)
    assert anywhere == naive.match_lengths(documents, earlier=False)


@pytest.mark.ci
@pytest.mark.parametrize("name", ["equal symbols", "zigzag", "fibonacci", "two copies"])
def test_lengths_of_words(kernels, name):
    word = WORDS[name][:120] + WORDS[name][-120:]
    earlier, anywhere = lengths(kernels, [word, word[:50]])
    assert earlier == naive.match_lengths([word, word[:50]], earlier=True)
    assert anywhere == naive.match_lengths([word, word[:50]], earlier=False)


@pytest.mark.parametrize("period", [1, 2, 7, 100])
def test_lengths_of_a_period(kernels, period):
    size = 100_000
    earlier, anywhere = lengths(kernels, [[i % period for i in range(size)]])
    # From the second period on, the rest of the text also occurs one period earlier.
    assert earlier == [1] * period + list(range(size - period + 1, 1, -1))
    assert anywhere == [size - period - i + 1 for i in range(period)] + earlier[period:]


@pytest.mark.parametrize("k", range(3, 17))
def test_lengths_of_thue_morse(kernels, k):
    # Sums over the first 2^k symbols, for both kinds. The definition agrees for small k.
    size = 2**k
    earlier, anywhere = lengths(kernels, [thue_morse(size)])
    assert sum(earlier) == (23 * size**2 + 288 * size - 512) // 192
    if k > 3:
        assert sum(anywhere) == 21 * size**2 // 128 + 3 * size // 2
    if k < 8:
        assert earlier == naive.match_lengths([thue_morse(size)], earlier=True)
        assert anywhere == naive.match_lengths([thue_morse(size)], earlier=False)


@pytest.mark.parametrize("dtype", ["u1", "u2", "u4"])
def test_documents_are_joined_over_any_cut(kernels, dtype):
    documents = [[5, 0, 5], [], [200], [5, 5, 0, 7]]
    laid = lay(documents, UNIGRAMS, dtype)
    expected, separator = text_of(documents)
    size = len(laid.tokens)
    for cut in range(size + 1):
        found, after = [], separator
        for begin, end in ((0, cut), (cut, size)):
            chunk = laid.chunk(begin, end)
            room = np.full(len(expected) + 1, -1, np.int32)
            assert kernels.join_documents(chunk, laid.alphabet, after, room) == (0, 0, 0)
            written = room[room >= 0]
            assert (room[len(written) :] == -1).all()
            found += written.tolist()
            after += int((written >= separator).sum())
        assert found == expected.tolist()


def test_ids_that_can_not_be_joined(kernels):
    document = np.array([1], np.int64), np.array([4], np.int64)
    chunk = Chunk(np.array([9, 1, 0, 3], np.uint16), *document, 0, 4)
    room = np.zeros(4, np.int32)
    for ranks, status in (([1, 2, 3], (1, 3, 3)), ([0, 1, 0, 2], (2, 2, 0))):
        alphabet = Alphabet(np.array(ranks, np.uint32), 0, 1, 2)
        assert kernels.join_documents(chunk, alphabet, 9, room) == status
