"""Plug-in entropies in bits."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Hashable, Iterable, Sequence

from tests.naive.counts import BEGIN, Document, Gram


def _mean_surprise_bits(events: Sequence[tuple[Gram, Hashable]]) -> float:
    """Mean of -log2 P(outcome | context) over (context, outcome) events, P their own frequencies.

    Corpora without a single such event have no mean: ValueError.
    """
    if not events:
        raise ValueError("no window of this length")
    together = Counter(events)
    alone = Counter(context for context, _ in events)
    surprises = (-math.log2(together[event] / alone[event[0]]) for event in events)
    return math.fsum(surprises) / len(events)


def block_entropy_bits(documents: Iterable[Document], n: int) -> float:
    """H_n of the complete windows inside documents; H_0 = 0."""
    if n == 0:
        return 0.0
    windows = [
        tuple(document[first : first + n])
        for document in documents
        for first in range(len(document) - n + 1)
    ]
    return _mean_surprise_bits([((), window) for window in windows])


def prefix_marginal_bits(documents: Iterable[Document], n: int) -> float:
    """h_n over the complete windows: the context is counted where a token follows it."""
    return _mean_surprise_bits(
        [
            (tuple(document[last - n + 1 : last]), document[last])
            for document in documents
            for last in range(n - 1, len(document))
        ]
    )


def bos_padded_bits(documents: Iterable[Document], n: int) -> float:
    """h_n over all tokens: a history that reaches over the document start is cut and marked."""
    return _mean_surprise_bits(
        [
            (begun[max(0, last - n + 1) : last], begun[last])
            for begun in [(BEGIN, *document) for document in documents]
            for last in range(1, len(begun))
        ]
    )


def difference_bits(documents: Sequence[Document], n: int) -> float:
    """H_n - H_{n-1}, each over its own windows."""
    return block_entropy_bits(documents, n) - block_entropy_bits(documents, n - 1)
