"""numpy: sort packed ids, take run lengths."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from peers.counter import Counter, Ids, four_gram_keys

NAME = "numpy"


def available() -> str | None:
    """It is a requirement of icfast."""
    return None


def counters(ids: Ids, folder: Path) -> list[Counter]:
    keys = four_gram_keys(ids)
    scratch = np.empty_like(keys)

    def refill() -> None:
        scratch[:] = keys

    return [
        Counter("numpy 4-gram: pack, sort, run lengths", lambda: four_gram_counts(ids)),
        Counter(
            "numpy 4-gram: sort, run lengths; keys given",
            lambda: sorted_counts(scratch),
            prepare=refill,
        ),
        Counter("numpy 5-gram: lexsort", lambda: five_gram_counts(ids), order=5, rounds=1),
    ]


def four_gram_counts(ids: Ids) -> NDArray[np.int64]:
    return sorted_counts(four_gram_keys(ids))


def sorted_counts(keys: NDArray[np.uint64]) -> NDArray[np.int64]:
    """Run lengths of keys, which it sorts in place."""
    keys.sort()
    return _run_lengths(keys[1:] != keys[:-1])


def five_gram_counts(ids: Ids) -> NDArray[np.int64]:
    keys, last = four_gram_keys(ids)[:-1], ids[4:]
    order = np.lexsort((last, keys))
    keys, last = keys[order], last[order]
    return _run_lengths((keys[1:] != keys[:-1]) | (last[1:] != last[:-1]))


def _run_lengths(changes: NDArray[np.bool_]) -> NDArray[np.int64]:
    starts = np.flatnonzero(np.append(True, changes))
    return np.diff(np.append(starts, len(changes) + 1))
