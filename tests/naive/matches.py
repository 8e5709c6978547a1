"""Match lengths."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import takewhile

from tests.naive.counts import Document


def match_length(documents: Sequence[Document], d: int, t: int, earlier: bool) -> int:
    """1 + the longest l such that the l tokens from t on in document d stand elsewhere as well.

    Elsewhere: from an earlier token on, or from any other; inside one document, overlaps allowed.
    """
    longest = 0
    for other, document in enumerate(documents):
        for start in range(len(document)):
            if (other, start) == (d, t) or (earlier and (other, start) > (d, t)):
                continue
            pairs = zip(document[start:], documents[d][t:], strict=False)
            longest = max(
                longest, sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
            )
    return 1 + longest


def match_lengths(documents: Sequence[Document], earlier: bool) -> list[int]:
    """The match length of every token, document after document."""
    return [
        match_length(documents, d, t, earlier)
        for d, document in enumerate(documents)
        for t in range(len(document))
    ]


def cut_matches(documents: Sequence[Document]) -> int:
    """Matches from earlier tokens on that run to the end of the document they are found for."""
    return sum(
        match_length(documents, d, t, earlier=True) - 1 == len(document) - t
        for d, document in enumerate(documents)
        for t in range(len(document))
    )
