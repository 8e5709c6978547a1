"""Windows, runs and tries as kernels must write them, made from plain tuples and dictionaries.

A window is a tuple of ranks (w[t], w[t-1], ..., w[t-N+1]), 0 before the document, as in
naive.padded_windows.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
from tests import naive

from icfast.backends.counting import KINDS, Alphabet, Chunk, Ends, SortedRun
from icfast.backends.models import CONTEXT_FIELDS, Bigrams, ContextScratch, Trie

Window = tuple[int, ...]
Documents = Sequence[Sequence[int]]


class Shape(NamedTuple):
    """Shape of packed windows; words is the least number that holds (order - 1) * bits."""

    order: int
    bits: int
    words: int


#: Keys of one to four words: symbols that fill words, that straddle words, and no history.
SHAPES = [
    Shape(1, 1, 1),  # no history: the key is 0
    Shape(2, 3, 1),  # one symbol, nothing to shift out
    Shape(3, 8, 1),  # bytes
    Shape(5, 16, 1),  # exactly one full word
    Shape(5, 17, 2),  # four bits more than a word
    Shape(6, 13, 2),  # the symbol at bit 52 straddles the words
    Shape(9, 16, 2),  # two full words
    Shape(14, 11, 3),  # three words, straddling both seams
    Shape(64, 4, 4),  # the longest order
    Shape(9, 32, 4),  # four full words of the widest symbols
]


def shape_id(shape: Shape) -> str:
    return f"order{shape.order}-bits{shape.bits}-words{shape.words}"


# Keys ----------------------------------------------------------------------------------------


def key_of(window: Window, bits: int) -> int:
    """Return the history as an integer: sum of w[t-i] << bits * (N - 1 - i)."""
    order = len(window)
    return sum(symbol << (bits * (order - 1 - i)) for i, symbol in enumerate(window) if i)


def words_of(key: int, words: int) -> list[int]:
    return [key >> (64 * (words - 1 - w)) & (2**64 - 1) for w in range(words)]


def key_rows(keys: Iterable[int], words: int) -> np.ndarray:
    rows = [words_of(key, words) for key in keys]
    return np.array(rows, np.uint64).reshape(len(rows), words)


def whole_keys(rows: np.ndarray) -> list[int]:
    keys = []
    for row in rows.tolist():
        key = 0
        for word in row:
            key = key << 64 | word
        keys.append(key)
    return keys


# Documents as arrays -------------------------------------------------------------------------


class Laid(NamedTuple):
    """Documents of one shard, with the arguments that kernels need to read them."""

    documents: Documents
    tokens: np.ndarray
    starts: np.ndarray
    stops: np.ndarray
    alphabet: Alphabet
    end_mark: bool

    @property
    def ranked(self) -> list[list[int]]:
        """Documents as ranks, followed by the end mark if there is one."""
        ranks = self.alphabet.ranks
        tail = [self.alphabet.end_rank] if self.end_mark else []
        return [[*(int(ranks[token]) for token in d), *tail] for d in self.documents]

    def chunk(self, begin: int = 0, end: int | None = None) -> Chunk:
        """Return the documents of a chunk; an empty one belongs to the chunk of its position."""
        end = len(self.tokens) if end is None else end
        chosen = (self.stops > begin) | ((self.stops == 0) & (begin == 0))
        chosen &= (self.starts < end) | (self.stops <= end)
        return Chunk(self.tokens, self.starts[chosen], self.stops[chosen], begin, end)

    def windows(self) -> list[Window]:
        """Every window, in the order of the tokens."""
        return [window for d in self.ranked for window in ranked_windows(d, self.alphabet.order)]

    def ends(self) -> list[Window]:
        """The last window of each document."""
        order = self.alphabet.order
        return [ranked_windows(d, order)[-1] for d in self.ranked if d]


def ranked_windows(document: Sequence[int], order: int) -> list[Window]:
    padded = [0] * (order - 1) + list(document)
    return [
        tuple(padded[last - back] for back in range(order))
        for last in range(order - 1, len(padded))
    ]


def lay(documents: Documents, shape: Shape, dtype: str = "u2", end_mark: bool = False) -> Laid:
    """Write documents to a shard with a foreign token before, between and after them."""
    rank = naive.ranks(documents)
    foreign = max(rank, default=0) + 1
    tokens, starts, stops = [foreign], [], []
    for document in documents:
        starts.append(len(tokens))
        tokens.extend(document)
        stops.append(len(tokens))
        tokens.append(foreign)
    table = np.zeros(foreign + 1, np.uint32)
    for token, place in rank.items():
        table[token] = place
    alphabet = Alphabet(table, len(rank) + 1 if end_mark else 0, shape.order, shape.bits)
    return Laid(
        documents,
        np.array(tokens, dtype),
        np.array(starts, np.int64),
        np.array(stops, np.int64),
        alphabet,
        end_mark,
    )


def some_documents(shape: Shape, ids: int, seed: int, empty: bool = False) -> list[list[int]]:
    """Return documents of every relevant length: 1, N - 1, N, N + 1 and several times N."""
    random_ids = random.Random(seed)
    most = min(ids, (1 << min(shape.bits, 16)) - 1)
    pool = [random_ids.randrange(ids) for _ in range(min(most, 7))]
    lengths = {1, 2, max(1, shape.order - 1), shape.order, shape.order + 1, 3 * shape.order + 5}
    documents = [[random_ids.choice(pool) for _ in range(n)] for n in sorted(lengths)]
    documents += [documents[-1], documents[0]]  # documents that occur twice
    return [[], *documents, [], []] if empty else documents


#: Windows per block of the numba backend.
BLOCK = 4096


def long_documents() -> list[list[int]]:
    """Return long and short documents of seven ids, with over three blocks of distinct 7-grams."""
    random_ids = random.Random(7)
    lengths = [3000] * 5 + [random_ids.randrange(1, 9) for _ in range(600)]
    return [[random_ids.randrange(1, 8) for _ in range(length)] for length in lengths]


# Runs ----------------------------------------------------------------------------------------


def run_of(windows: Iterable[Window] | Counter, shape: Shape) -> SortedRun:
    """Return sorted distinct windows and their counts, one bucket per lead."""
    counted = sorted(Counter(windows).items())
    leads = sorted({window[0] for window, _ in counted})
    bounds = [bisect_left(counted, ((lead,),)) for lead in leads] + [len(counted)]
    return SortedRun(
        np.array(leads, np.uint32),
        np.array(bounds, np.int64),
        key_rows((key_of(window, shape.bits) for window, _ in counted), shape.words),
        np.array([count for _, count in counted], np.uint64),
    )


def ends_of(windows: Iterable[Window], shape: Shape) -> Ends:
    counted = sorted(Counter(windows).items())
    return Ends(
        np.array([window[0] for window, _ in counted], np.uint32),
        key_rows((key_of(window, shape.bits) for window, _ in counted), shape.words),
        np.array([count for _, count in counted], np.uint64),
    )


def entries(run: SortedRun) -> list[tuple[int, int, int]]:
    """Return (lead, key, count) of every entry."""
    leads = np.repeat(run.leads, np.diff(run.bounds))
    return list(zip(leads.tolist(), whole_keys(run.keys), run.counts.tolist(), strict=True))


def parts_of(run: SortedRun, edges: Sequence[int]) -> list[SortedRun]:
    """Split a run before these entries."""
    leads = np.repeat(run.leads, np.diff(run.bounds))
    parts = []
    for first, last in zip([0, *edges], [*edges, len(leads)], strict=True):
        here, starts = np.unique(leads[first:last], return_index=True)
        bounds = np.append(starts, last - first).astype(np.int64)
        parts.append(SortedRun(here, bounds, run.keys[first:last], run.counts[first:last]))
    return parts


# Spectra -----------------------------------------------------------------------------------


def naive_spectra(documents: Documents, order: int) -> dict[str, list[dict[int, int]]]:
    """Return kind -> {r: phi_r} of each order, without the begin mark, as the kernel does."""
    per_kind = {
        "complete": naive.ngram_counts,
        "starting": naive.starting_counts,
        "followed": naive.followed_counts,
        "starting_followed": naive.starting_followed_counts,
        "left_neighbours": naive.left_neighbour_counts,
    }
    found: dict[str, list[dict[int, int]]] = {kind: [] for kind in KINDS}
    for n in range(1, order + 1):
        for kind, count in per_kind.items():
            absent = (n == 1 and kind.startswith("starting")) or (
                n == order and kind not in ("complete", "starting")
            )
            found[kind].append({} if absent else naive.spectrum(count(documents, n)))
    return found


# The trie ------------------------------------------------------------------------------------


def trie_of(documents: Documents, order: int, ranks: int, word: type = np.uint32) -> Trie:
    """Return the trie of documents of ranks 1..ranks - 1, from its definition."""
    counts: Counter[Window] = Counter()
    for document in documents:
        for window in ranked_windows(document, order):
            for n in range(1, order + 1):
                counts[window[:n]] += 1
                if window[n - 1] == 0:
                    break
    grams = [[(rank,) for rank in range(ranks)]]
    grams += [sorted(gram for gram in counts if len(gram) == n) for n in range(2, order + 1)]
    levels = np.append(0, np.cumsum([len(level) for level in grams])).astype(np.int64)
    node = {g: int(levels[n]) + i for n, level in enumerate(grams) for i, g in enumerate(level)}

    child = np.zeros(levels[-2] + 1, word)
    child[-1] = levels[-1]
    for n in range(order - 1):
        for gram in grams[n]:
            child[node[gram]] = levels[n + 1] + bisect_left(grams[n + 1], gram)
    # Make a row for every context, then remove the rows of contexts followed once.
    contexts = np.zeros((levels[-2] + 1, len(CONTEXT_FIELDS)), word)
    for gram in [gram for level in grams for gram in level if gram != (0,)]:
        row = contexts[node[gram[1:]] + 1 if len(gram) > 1 else 0]
        raw = counts[gram]
        row[:4] += np.array([raw, 1, raw == 1, raw == 2], word)
        if len(gram) < order:
            below = child[node[gram] + 1] - child[node[gram]]
            adjusted = raw if gram[-1] == 0 else int(below)
            row[4:] += np.array([adjusted, adjusted == 1, adjusted == 2], word)
    flat = [gram for level in grams for gram in level]
    return Trie(
        levels,
        np.array([gram[-1] for gram in flat], np.uint32),
        np.array([counts[gram] for gram in flat], word),
        child,
        marks_of(contexts[1:, 0] != 1),
        np.ascontiguousarray(contexts[np.append(True, contexts[1:, 0] != 1)]),
    )


def bigrams_of(trie: Trie) -> Bigrams:
    """Return the bigrams sorted by their older symbol, then by their newer one."""
    ranks = int(trie.levels[1])
    found = [
        (int(trie.symbols[node]), word, node)
        for word in range(ranks if len(trie.levels) > 2 else 0)
        for node in range(int(trie.child[word]), int(trie.child[word + 1]))
    ]
    found.sort()
    starts = [bisect_left(found, (symbol,)) for symbol in range(ranks + 1)]
    return Bigrams(
        np.array(starts, np.int64),
        np.array([word for _, word, _ in found], np.uint32),
        np.array([node for _, _, node in found], trie.counts.dtype),
    )


def scratch_of(trie: Trie) -> ContextScratch:
    """Return scratch space of exactly the documented size, with arbitrary contents."""
    sizes = np.diff(trie.levels)
    entries = int(sizes[1:-2].sum() + sizes[2:-1].sum())
    return ContextScratch(
        np.full(int(trie.levels[1]), 12345, np.uint32), np.full(entries, 777, trie.counts.dtype)
    )


def marks_of(has_row: np.ndarray) -> np.ndarray:
    """Return for every 64 nodes the bitmap of those with a row, and the number of rows before."""
    marks = np.zeros((-(-len(has_row) // 64), 2), np.uint64)
    for i in range(len(marks)):
        bits = has_row[64 * i : 64 * i + 64].tolist()
        marks[i] = sum(bit << place for place, bit in enumerate(bits)), sum(has_row[: 64 * i])
    return marks
