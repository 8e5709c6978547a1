"""Check that the arrays of a model file are a trie, as kernels assume.

A forged file can have correct checksums. Kernels follow child pointers and use symbols as indices
without bounds checks, so both are checked here, in one pass each. Counts and the order of siblings
are not checked, because no value of them makes a kernel read outside the arrays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import MAX_ORDER
from icfast.backends.models import CONTEXT_FIELDS

#: Largest number of bits per code of a compressed model.
MAX_BITS = 16

#: Set bits of the bitmap of children per sample. The kernels use the same constant.
SAMPLE = 64

#: Number of set bits of each byte value.
_MARKED = np.array([byte.bit_count() for byte in range(256)], np.int64)

#: Nodes checked per step, so that temporary arrays stay in the cache.
_STEP = 1 << 16


def trie_fault(arrays: Mapping[str, NDArray[Any]], order: int, ranks: int) -> str | None:
    """Return why arrays are not a trie of this order, or None if they are.

    Args:
        ranks: number of nodes of order 1: the begin mark, the ids and, if used, the end mark.
    """
    levels = arrays["levels"]
    if not 1 <= order <= MAX_ORDER or levels.dtype != np.int64 or levels.shape != (order + 1,):
        return f"its levels are not those of orders 1 to {order}"
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
            return f"the dtype or shape of its array {name!r} does not fit {nodes} n-grams"
    if word not in (np.uint32, np.uint64):
        return "its counts are neither uint32 nor uint64"
    if not np.array_equal(arrays["symbols"][:ranks], np.arange(ranks, dtype=np.uint32)):
        return "order 1 is not indexed by rank"
    if any(part.max() >= ranks for part in _steps(arrays["symbols"])):
        return f"a symbol is outside its {ranks} ranks"
    return _mark_fault(arrays["marks"], contexts) or _child_fault(levels, arrays["child"])


def _rows(marks: NDArray[Any]) -> int:
    """Return the number of context rows: one for the empty context, and one per set bit."""
    if marks.shape[1:] != (2,):
        return 1
    return 1 + int(_MARKED[marks[:, 0].copy().view(np.uint8)].sum())


def _mark_fault(marks: NDArray[np.uint64], contexts: int) -> str | None:
    """Check that marks count the rows before them and mark existing contexts only."""
    marked = _MARKED[marks[:, 0].copy().view(np.uint8).reshape(-1, 8)].sum(axis=1)
    if not np.array_equal(marks[:, 1], np.cumsum(marked) - marked):
        return "its marks do not count the rows before them"
    if contexts % 64 and int(marks[-1, 0]) >> contexts % 64:
        return "contexts are marked that do not exist"
    return None


def _child_fault(levels: NDArray[np.int64], child: NDArray[Any]) -> str | None:
    """Check that the children of a level are the next level in order; the begin mark has none."""
    firsts = levels[:-2]  # the first node of each level that has children
    if child[-1] != levels[-1] or not np.array_equal(child[firsts].astype(np.int64), levels[1:-1]):
        return "the children of a level are not the next level"
    if not all(np.all(part[1:] >= part[:-1]) for part in _steps(child)):
        return "its children do not ascend"
    if len(levels) > 2 and child[1] != child[0]:
        return "the begin mark has a left neighbour"
    return None


def _steps(array: NDArray[Any]) -> Iterator[NDArray[Any]]:
    """Yield parts of an array, each with the first element of the next part."""
    for first in range(0, len(array), _STEP):
        yield array[first : first + _STEP + 1]


def compact_fault(
    arrays: Mapping[str, NDArray[Any]], order: int, ranks: int, bits: int
) -> str | None:
    """Return why arrays are not a compressed trie of this order, or None if they are.

    The order of siblings and the contents of records are not checked, because no value of them
    makes a kernel read outside the arrays.
    """
    levels, layout, records = (arrays[name] for name in ("levels", "layout", "records"))
    if not 1 <= order <= MAX_ORDER or not 1 <= bits <= MAX_BITS:
        return f"its order is {order} and its codes have {bits} bits"
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
            return f"the dtype or shape of its array {name!r} does not fit orders 1 to {order}"
    if levels[0] != 0 or levels[1] != ranks or not np.all(levels[1:] >= levels[:-1]):
        return "its levels do not ascend"
    for n in range(2, order + 1):
        width, record, begin = layout[n - 2].tolist()
        size = int(levels[n] - levels[n - 1])
        available = 64 * (len(records) - 1)  # kernels may read one word past a record
        if not 1 <= width <= 32 or record != width + bits * (2 if n < order else 1):
            return f"the records of order {n} have another size than their fields"
        if not 0 <= begin <= begin + record * size <= available:
            return f"the records of order {n} are outside its array"
    return _family_fault(arrays, order)


def _family_fault(arrays: Mapping[str, NDArray[Any]], order: int) -> str | None:
    """Check that bitmap and samples make the children of a level the next level, in order."""
    if order == 1:
        return None
    levels, firsts = arrays["levels"], arrays["unigrams"][:, 2]
    if firsts[0] != levels[1] or firsts[-1] != levels[2] or not np.all(firsts[1:] >= firsts[:-1]):
        return "the children of order 1 are not order 2"
    nodes = int(levels[-2] - levels[1])
    bitmap = arrays["children"].view(np.uint8)
    at = np.flatnonzero(np.unpackbits(bitmap, bitorder="little"))
    # i set bits precede the i-th one; the clear bits before it are children.
    if len(at) != nodes + 1 or not np.array_equal(
        at[levels[1:-1] - levels[1]] - (levels[1:-1] - levels[1]), levels[2:] - levels[2]
    ):
        return "the children of a level are not the next level"
    if not np.array_equal(arrays["samples"].astype(np.int64), at[::SAMPLE]):
        return "its samples do not match its bitmap of children"
    return None
