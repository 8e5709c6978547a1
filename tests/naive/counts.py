"""Counts of n-grams and their spectra."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence

BEGIN = "<s>"

Document = Sequence[Hashable]
Gram = tuple[Hashable, ...]


def ngram_counts(documents: Iterable[Document], n: int) -> Counter[Gram]:
    """How often each complete n-gram occurs inside the documents."""
    counts: Counter[Gram] = Counter()
    for document in documents:
        for first in range(len(document) - n + 1):
            counts[tuple(document[first : first + n])] += 1
    return counts


def starting_counts(documents: Iterable[Document], n: int) -> Counter[Gram]:
    """How often each n-gram (BEGIN, the first n-1 tokens of a document) occurs."""
    return Counter((BEGIN, *document[: n - 1]) for document in documents if len(document) >= n - 1)


def followed_counts(documents: Iterable[Document], n: int) -> Counter[Gram]:
    """How often each complete n-gram is followed by a token of its document, where it ever is."""
    return ngram_counts([document[:-1] for document in documents], n)


def starting_followed_counts(documents: Iterable[Document], n: int) -> Counter[Gram]:
    """The same for the n-grams that start with BEGIN; n = 1 is the bare BEGIN."""
    return starting_counts([document[:-1] for document in documents if len(document)], n)


def left_neighbour_counts(documents: Iterable[Document], n: int) -> Counter[Gram]:
    """Number of distinct left neighbours of each complete n-gram; BEGIN is one of them."""
    begun = [(BEGIN, *document) for document in documents]
    return Counter(gram[1:] for gram in ngram_counts(begun, n + 1))


def fan_out_counts(documents: Iterable[Document], n: int) -> Counter[Gram]:
    """Number of distinct successors of each complete n-gram that has one."""
    return Counter(gram[:-1] for gram in ngram_counts(documents, n + 1))


def starting_fan_out_counts(documents: Iterable[Document], n: int) -> Counter[Gram]:
    """Number of distinct successors of each n-gram that starts with BEGIN and has one."""
    return Counter(gram[:-1] for gram in starting_counts(documents, n + 1))


def spectrum(counts: Mapping[Gram, int]) -> dict[int, int]:
    """r -> phi_r, the number of types counted r times, r ascending."""
    return dict(sorted(Counter(counts.values()).items()))


def ranks(documents: Iterable[Document]) -> dict[int, int]:
    """id -> 1..U, order-preserving over the U ids in use; 0 is left free for the padding."""
    used = sorted({token for document in documents for token in document})
    return {token: rank for rank, token in enumerate(used, start=1)}


def padded_windows(documents: Sequence[Document], n: int) -> list[tuple[int, ...]]:
    """One window (w_t, w_{t-1}, ..., w_{t-n+1}) of ranks for each token, 0 before the document."""
    rank = ranks(documents)
    padded = [[0] * (n - 1) + [rank[token] for token in document] for document in documents]
    return [
        tuple(line[last - back] for back in range(n))
        for line in padded
        for last in range(n - 1, len(line))
    ]


def padded_window_counts(documents: Sequence[Document], n: int) -> Counter[tuple[int, ...]]:
    """How often each padded window occurs."""
    return Counter(padded_windows(documents, n))
