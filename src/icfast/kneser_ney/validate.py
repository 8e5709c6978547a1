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

from icfast.backends.counting import MAX_ORDER
from icfast.backends.models import CONTEXT_FIELDS

#: Bits of a compressed model's codes at most.
MAX_BITS = 16

#: N-grams from one sample of its bitmap of children to the next; the kernels know it too.
SAMPLE = 64

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


def compact_fault(
    arrays: Mapping[str, NDArray[Any]], order: int, ranks: int, bits: int
) -> str | None:
    """What keeps arrays from being a compressed model's; None where nothing does.

    Whether siblings ascend, and what the records hold, is not judged: no kernel reads outside the
    arrays for it.
    """
    levels, layout, records = (arrays[name] for name in ("levels", "layout", "records"))
    if not 1 <= order <= MAX_ORDER or not 1 <= bits <= MAX_BITS:
        return f"it is of order {order} and {bits} bits"
    longer, exceptions = order - 1, arrays["exceptions"].shape
    expected = {
        "levels": (np.int64, (order + 1,)),
        "unigrams": (np.int64, (ranks + 1, 3)),
        "layout": (np.int64, (longer, 3)),
        "codebooks": (np.int64, (longer, 2, 1 << bits) if longer else arrays["codebooks"].shape),
        "records": (np.uint64, (records.size,)),
        "children": (np.uint64, (arrays["children"].size,)),
        "samples": (np.uint64, (arrays["samples"].size,)),
        "exceptions": (np.int64, exceptions),
        "exception_places": (np.uint32, exceptions),
    }
    for name, (dtype, shape) in expected.items():
        if arrays[name].dtype != dtype or arrays[name].shape != shape:
            return f"its array {name!r} is not of orders 1 to {order}"
    if levels[0] != 0 or levels[1] != ranks or not np.all(levels[1:] >= levels[:-1]):
        return "its levels do not ascend"
    for n in range(2, order + 1):
        width, record, begin = layout[n - 2].tolist()
        size = int(levels[n] - levels[n - 1])
        room = 64 * (len(records) - 1)  # reading may run into one word more
        if not 1 <= width <= 32 or record != width + bits * (2 if n < order else 1):
            return f"the records of order {n} are of another size"
        if not 0 <= begin <= begin + record * size <= room:
            return f"the records of order {n} lie outside"
    return _family_fault(arrays, order)


def _family_fault(arrays: Mapping[str, NDArray[Any]], order: int) -> str | None:
    """Children of each level are the next level, in order, as the bitmap and its samples say."""
    if order == 1:
        return None
    levels, firsts = arrays["levels"], arrays["unigrams"][:, 2]
    if firsts[0] != levels[1] or firsts[-1] != levels[2] or not np.all(firsts[1:] >= firsts[:-1]):
        return "the children of order 1 are not order 2"
    nodes = int(levels[-2] - levels[1])
    bitmap = arrays["children"].view(np.uint8)
    at = np.flatnonzero(np.unpackbits(bitmap, bitorder="little"))
    # Before the i-th set bit stand i others; the clear ones are children.
    if len(at) != nodes + 1 or not np.array_equal(
        at[levels[1:-1] - levels[1]] - (levels[1:-1] - levels[1]), levels[2:] - levels[2]
    ):
        return "the children of a level are not the next level"
    if not np.array_equal(arrays["samples"].astype(np.int64), at[::SAMPLE]):
        return "its samples are not of its children"
    return None
