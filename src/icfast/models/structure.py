"""Whether arrays that were read are a trie: what kernels take for granted, and checksums don't say.

Kernels follow child pointers and index by symbols without looking where these lead, so both are
seen through, one pass each at memory speed. Counts are not judged, nor whether siblings ascend:
whatever they are, no kernel reads outside the arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.kernels.contract import CONTEXT_FIELDS, MAX_ORDER

#: How many bits of a byte are set.
_MARKED = np.array([byte.bit_count() for byte in range(256)], np.int64)

#: Nodes looked at in one step; temporaries stay in the cache.
_STEP = 1 << 16


def trie_fault(arrays: Mapping[str, NDArray[Any]], order: int, ranks: int) -> str | None:
    """What keeps arrays from being a trie of this order; None where nothing does.

    Args:
        ranks: nodes of order 1: the begin mark, the ids, and the end mark where there is one.
    """
    levels = arrays["levels"]
    if not 1 <= order <= MAX_ORDER or levels.dtype != np.int64 or levels.shape != (order + 1,):
        return f"it has no levels of orders 1 to {order}"
    if levels[0] != 0 or levels[1] != ranks or not np.all(levels[1:] >= levels[:-1]):
        return "its levels do not ascend"
    nodes, contexts = int(levels[-1]), int(levels[-2])
    word = arrays["counts"].dtype
    expected = {
        "symbols": (np.dtype(np.uint32), (nodes,)),
        "counts": (word, (nodes,)),
        "child": (word, (contexts + 1,)),
        "marks": (np.dtype(np.uint64), (-(-contexts // 64), 2)),
        "contexts": (word, (_rows(arrays["marks"]), len(CONTEXT_FIELDS))),
    }
    for name, shape in expected.items():
        if (arrays[name].dtype, arrays[name].shape) != shape:
            return f"its array {name!r} is not of {nodes} n-grams"
    if word not in (np.uint32, np.uint64):
        return "its counts are of another type"
    if not np.array_equal(arrays["symbols"][:ranks], np.arange(ranks, dtype=np.uint32)):
        return "order 1 is not indexed by rank"
    if any(part.max() >= ranks for part in _steps(arrays["symbols"])):
        return f"a symbol is none of its {ranks} ranks"
    return _mark_fault(arrays["marks"], contexts) or _child_fault(levels, arrays["child"])


def _rows(marks: NDArray[Any]) -> int:
    """The row of the empty context, and those that marks count; 1 where they are no marks."""
    if marks.shape[1:] != (2,):
        return 1
    return 1 + int(_MARKED[marks[:, 0].copy().view(np.uint8)].sum())


def _mark_fault(marks: NDArray[np.uint64], contexts: int) -> str | None:
    """Marks count the rows before them, and mark none behind the last context."""
    marked = _MARKED[marks[:, 0].copy().view(np.uint8).reshape(-1, 8)].sum(axis=1)
    if not np.array_equal(marks[:, 1], np.cumsum(marked) - marked):
        return "its marks do not count the rows before them"
    if contexts % 64 and int(marks[-1, 0]) >> contexts % 64:
        return "contexts are marked that are none"
    return None


def _child_fault(levels: NDArray[np.int64], child: NDArray[Any]) -> str | None:
    """Children of each level are the next level, in order; the begin mark has none."""
    firsts = levels[:-2]  # the first node of each level that has children
    if child[-1] != levels[-1] or not np.array_equal(child[firsts].astype(np.int64), levels[1:-1]):
        return "the children of a level are not the next level"
    if not all(np.all(part[1:] >= part[:-1]) for part in _steps(child)):
        return "its children do not ascend"
    if len(levels) > 2 and child[1] != child[0]:
        return "something stands left of the begin mark"
    return None


def _steps(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Parts of an array, each with the first element of the next one."""
    for first in range(0, len(array), _STEP):
        yield array[first : first + _STEP + 1]
