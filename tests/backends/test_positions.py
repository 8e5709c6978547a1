"""Windows stored as positions: text, sorting and spectra against naive counts."""

from __future__ import annotations

import random
from collections import Counter
from itertools import groupby, pairwise
from typing import NamedTuple

import numpy as np
import pytest
from tests.backends.definitions import Shape, lay, naive_spectra, ranked_windows, some_documents

from icfast.backends.counting import KINDS, TEXT_PADDING, SpectraRanges

#: Below most counts, so that both the dense rows and the list of large counts are used.
ROWS = 4

#: Orders below, at and above the symbols of one word of prefix, and beyond any packed key.
ORDERS = [1, 2, 3, 4, 5, 6, 9, 17, 64, 130]

#: (text, bits): two-byte symbols, and four-byte symbols of which a word holds three or two and a
#: part.
TEXTS = [("u2", 3), ("u2", 16), ("u4", 17), ("u4", 21), ("u4", 22), ("u4", 32)]

#: Codes of 1, 2 and 3 bytes, by symbol.
CODES = np.array(
    [
        int.from_bytes(bytes(code).ljust(8, b"\0"), "big")
        for code in (
            [],
            [128],
            [1, 128],
            [1, 200],
            [255],
            [127, 127, 128],
            [127, 1, 255],
            [127, 2, 255],
            [129],
            [3, 255],
            *([4, i] for i in range(128, 256)),
        )
    ],
    np.uint64,
)

DOCUMENTS = [[1, 2, 1, 1], [2], [1, 2, 1, 1], [1, 1, 1, 1, 1, 1, 1, 1], [5, 2, 1, 2, 1]]

texts = pytest.mark.parametrize(("dtype", "bits"), TEXTS)


class Written(NamedTuple):
    """Documents of ranks as a text."""

    documents: list[list[int]]
    symbols: np.ndarray

    @property
    def places(self) -> list[tuple[int, int, int]]:
        """(position, document, token of it) of every token, in text order."""
        found, begin = [], TEXT_PADDING
        for d, document in enumerate(self.documents):
            found += [(begin + t, d, t) for t in range(len(document))]
            begin += len(document) + TEXT_PADDING
        return found

    def window(self, position, order):
        """Return the window that ends at a position, with zeros after its begin mark."""
        _, d, t = next(place for place in self.places if place[0] == position)
        return ranked_windows(self.documents[d], order)[t]


def written(documents, dtype):
    symbols = [0] * TEXT_PADDING
    for document in documents:
        symbols += [*document, *[0] * TEXT_PADDING]
    return Written([list(d) for d in documents], np.array(symbols, dtype))


def spread(documents, bits):
    """Return ranks that use every bit of a symbol, in the same order."""
    top = max((rank for d in documents for rank in d), default=0)
    step = ((1 << min(bits, 32)) - 1) // max(top, 1)
    return [[rank * step for rank in document] for document in documents]


def repeating_documents(seed, order):
    """Return documents with long and short repeats, equal documents, and random tokens."""
    chance = random.Random(seed)
    base = [chance.randrange(1, 6) for _ in range(order + 20)]
    documents = [[chance.randrange(1, 8) for _ in range(chance.randrange(1, 40))] for _ in range(8)]
    for _ in range(6):
        cut = chance.randrange(len(base))
        documents.append(
            [*base[cut:], chance.randrange(1, 8), *base[: chance.randrange(len(base))]]
        )
    return [*documents, documents[0], base, base, [3] * (order + 5)]


def scattered(kernels, text, order, edges=None, leads=None, codes=CODES):
    """Return (bounds, windows) by lead."""
    low, high = leads or (0, int(text.symbols.max()) + 1)
    edges = edges or [TEXT_PADDING, len(text.symbols) - 1]
    counts = np.zeros(int(text.symbols.max()) + 1, np.uint64)
    for begin, end in pairwise(edges):
        assert kernels.count_symbols(text.symbols, begin, end, counts) == (0, 0, 0)
    counts[0] = 0
    bounds = np.append(0, np.cumsum(counts[low:high])).astype(np.int64)
    windows = np.zeros(int(bounds[-1]), np.uint64)
    offsets = bounds[:-1].copy()
    for begin, end in pairwise(edges):
        status = kernels.scatter_positions(
            text.symbols, begin, end, order, codes, low, high, offsets, windows
        )
        assert status == (0, 0, 0)
    assert np.array_equal(offsets, bounds[1:])
    return bounds, windows


def place_bits(text):
    """Return the bits of a word that the position and the mark take."""
    return 1 + len(text.symbols).bit_length()


def code_of(symbol):
    return int(CODES[symbol]).to_bytes(8, "big").rstrip(b"\0")


def grouped(windows):
    """Check that windows that share their first n symbols are contiguous, for every n."""
    return all(
        len(list(groupby(w[:n] for w in windows))) == len({w[:n] for w in windows})
        for n in range(1, len(windows[0]) + 1)
    )


def sort(kernels, text, order, bits, bounds, windows):
    size, largest = int(bounds[-1] - bounds[0]), int(np.diff(bounds).max(initial=0))
    shared = np.zeros(size, np.uint32)
    entries, scratch = np.zeros(largest, np.uint64), np.zeros(largest, np.uint64)
    status = kernels.sort_positions(
        text.symbols, order, bits, bounds, windows, shared, entries, scratch
    )
    assert status == (0, 0, 0)
    return shared


def small_leads(documents):
    """Return documents with ranks 1..U, for one bucket per lead."""
    used = sorted({rank for document in documents for rank in document})
    rank = {symbol: i for i, symbol in enumerate(used, start=1)}
    return [[rank[symbol] for symbol in document] for document in documents]


# The text ------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", ["u1", "u2", "u4"])
@pytest.mark.parametrize("symbol", ["u2", "u4"])
@pytest.mark.parametrize("end_mark", [False, True], ids=["tokens", "end-mark"])
def test_documents_are_written_over_any_cut(kernels, token, symbol, end_mark):
    laid = lay(
        some_documents(Shape(5, 8, 1), 250, 1, empty=end_mark), Shape(5, 8, 1), token, end_mark
    )
    expected = written(laid.ranked, symbol)
    begins = np.cumsum([TEXT_PADDING, *(len(d) + TEXT_PADDING for d in laid.ranked)])[:-1]
    for cut in range(len(laid.tokens) + 1):
        found = np.zeros_like(expected.symbols)
        for chunk in (laid.chunk(0, cut), laid.chunk(cut, len(laid.tokens))):
            first = next(
                (
                    i
                    for i in range(len(laid.stops))
                    if np.array_equal(laid.stops[i : i + len(chunk.stops)], chunk.stops)
                ),
                0,
            )
            places = (begins - laid.starts)[first : first + len(chunk.starts)]
            status = kernels.write_text(chunk, laid.alphabet, np.ascontiguousarray(places), found)
            assert status == (0, 0, 0)
        assert np.array_equal(found, expected.symbols)


def test_ids_that_were_not_listed(kernels):
    laid = lay([[1, 2, 3]], Shape(2, 3, 1))
    text, places = np.zeros(12, np.uint16), np.array([3], np.int64)
    unknown = laid.alphabet.ranks.copy()
    unknown[2] = 0
    alphabet = laid.alphabet._replace(ranks=unknown)
    assert kernels.write_text(laid.chunk(), alphabet, places, text) == (2, 2, 2)
    alphabet = laid.alphabet._replace(ranks=laid.alphabet.ranks[:3])
    assert kernels.write_text(laid.chunk(), alphabet, places, text) == (1, 3, 3)


# Positions -----------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [1, 2, 5, 12])
def test_windows_stand_by_lead_with_their_mark_and_code(kernels, order):
    text = written(repeating_documents(1, 6), "u2")
    expected = {lead: [] for lead in range(int(text.symbols.max()) + 1)}
    for position, d, t in text.places:
        document = text.documents[d]
        marked = t < order - 1 or t == len(document) - 1
        history = b"".join(code_of(symbol) for symbol in document[:t][::-1]).ljust(8, b"\0")
        word = int.from_bytes(history[:8], "big") >> place_bits(text) << place_bits(text)
        expected[document[t]].append(word | position << 1 | marked)
    size = len(text.symbols)
    for leads in ((0, len(expected)), (2, 4), (1, 2)):
        for cut in (TEXT_PADDING, size // 3, size // 2, size - 1):
            bounds, windows = scattered(kernels, text, order, [TEXT_PADDING, cut, size - 1], leads)
            by_lead = [windows[low:high].tolist() for low, high in pairwise(bounds.tolist())]
            assert by_lead == [expected[lead] for lead in range(*leads)]


@pytest.mark.ci
@texts
@pytest.mark.parametrize("order", ORDERS)
def test_windows_are_sorted_and_share_what_is_said(kernels, dtype, bits, order):
    ranked = repeating_documents(order, min(order, 40))
    text = written(ranked, dtype)
    bounds, windows = scattered(kernels, text, order)
    before = windows % (1 << place_bits(text))
    # Leads stay small, but histories get symbols of many bits.
    wide = written(spread(ranked, bits), dtype)
    shared = sort(kernels, wide, order, bits, bounds, windows)
    for low, high in pairwise(bounds.tolist()):
        assert sorted(windows[low:high].tolist()) == sorted(before[low:high].tolist())
        found = [text.window(word >> 1, order) for word in windows[low:high].tolist()]
        assert shared[low:high].tolist() == (
            [0, *(_shared(a, b) for a, b in pairwise(found))] if found else []
        )
        assert not found or grouped(found)


def _shared(a, b):
    return next((i for i, (x, y) in enumerate(zip(a, b, strict=True)) if x != y), len(a))


@pytest.mark.ci
@pytest.mark.parametrize("size", [2, 3, 8, 9, 129, 1000])
def test_buckets_around_what_a_prefix_holds(kernels, size):
    """With a window's number, a word has fewer bits of symbols, and one symbol is truncated."""
    chance = random.Random(size)
    head = [chance.randrange(1, 2**16) for _ in range(3)]
    documents = [
        [chance.randrange(1, 2**16), *(x ^ chance.randrange(2) for x in head), 1]
        for _ in range(size)
    ]
    text = written([[max(x, 1) for x in d] for d in documents], "u2")
    codes = np.arange(1 << 16, dtype=np.uint64)
    high, middle = codes // (127 * 128), codes // 128 % 127
    codes = (1 + high) << 56 | (1 + middle) << 48 | (128 + codes % 128) << 40
    bounds, windows = scattered(kernels, text, 5, leads=(1, 2), codes=codes)
    shared = sort(kernels, text, 5, 16, bounds, windows)
    found = [text.window(word >> 1, 5) for word in windows.tolist()]
    assert grouped(found)
    assert shared.tolist() == [0, *(_shared(a, b) for a, b in pairwise(found))]


# Spectra -------------------------------------------------------------------------------------


def scan(kernels, text, order, bounds, windows, shared, capacity=4000, cuts=()):
    """Return every kind and order from sorted buckets, with a few buckets per call."""
    small = np.zeros((len(KINDS), order + 2, ROWS), np.uint64)
    large, length = np.zeros((capacity, 4), np.uint64), np.zeros(1, np.int64)
    nodes = np.full((order + 1, 4), 99, np.uint64)
    for low, high in pairwise([0, *cuts, len(bounds) - 1]):
        status = kernels.position_spectra(
            text.symbols,
            order,
            bounds[low : high + 1],
            windows,
            shared[bounds[low] :],
            nodes,
            SpectraRanges(small, large, length),
        )
        if status != (0, 0, 0):
            return status
    dense = np.cumsum(small, axis=1, dtype=np.uint64)
    assert not dense[:, -1].any()
    phi = {kind: [Counter() for _ in range(order)] for kind in KINDS}
    for kind, n, r in np.argwhere(dense[:, 1 : order + 1]).tolist():
        phi[KINDS[kind]][n][r] += int(dense[kind, n + 1, r])
    for kind, r, first, last in large[: length[0]].tolist():
        assert r >= ROWS
        for n in range(first, last + 1):
            phi[KINDS[kind]][n - 1][r] += 1
    return {kind: [dict(sorted(c.items())) for c in counts] for kind, counts in phi.items()}


@pytest.mark.parametrize("dtype", ["u2", "u4"])
@pytest.mark.parametrize("order", ORDERS)
def test_all_kinds_and_orders(kernels, dtype, order):
    for documents in (DOCUMENTS, small_leads(repeating_documents(order, min(order, 70)))):
        text = written(documents, dtype)
        bounds, windows = scattered(kernels, text, order)
        shared = sort(kernels, text, order, 17, bounds, windows)
        expected = naive_spectra(documents, order)
        for cuts in ((), range(1, len(bounds) - 1)):
            found = scan(kernels, text, order, bounds, windows, shared, cuts=cuts)
            assert found == expected


def test_room_for_frequent_ngrams_is_checked(kernels):
    text = written(DOCUMENTS, "u2")
    bounds, windows = scattered(kernels, text, 4)
    shared = sort(kernels, text, 4, 16, bounds, windows)
    assert scan(kernels, text, 4, bounds, windows, shared, capacity=1)[0] == 3


def test_nothing_at_all(kernels):
    text = written([], "u2")
    bounds, windows = np.zeros(3, np.int64), np.zeros(0, np.uint64)
    shared = sort(kernels, text, 9, 16, bounds, windows)
    assert scan(kernels, text, 9, bounds, windows, shared) == {kind: [{}] * 9 for kind in KINDS}
