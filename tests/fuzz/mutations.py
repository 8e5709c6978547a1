"""Hypothesis strategies that damage bytes, JSON and arrays.

ICFAST_FUZZ_EXAMPLES says how often each test draws; the suite's own number takes seconds.
"""

from __future__ import annotations

import copy
import os
from typing import Any

import numpy as np
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

EXAMPLES = int(os.environ.get("ICFAST_FUZZ_EXAMPLES", "60"))

fuzz = settings(
    max_examples=EXAMPLES,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@st.composite
def damaged_bytes(draw: st.DrawFn, whole: bytes) -> bytes:
    """Return the bytes with one kind of damage. They differ from the original."""
    size = len(whole)
    first = draw(st.integers(0, size - 1))
    last = draw(st.integers(first + 1, min(size, first + 64)))
    kind = draw(st.sampled_from(["flip", "cut", "longer", "zero", "swap", "repeat", "random"]))
    if kind == "flip":
        bit = draw(st.integers(0, 7))
        changed = whole[:first] + bytes([whole[first] ^ 1 << bit]) + whole[first + 1 :]
    elif kind == "cut":
        changed = whole[:first]
    elif kind == "longer":
        changed = whole + draw(st.binary(min_size=1, max_size=64))
    elif kind == "zero":
        changed = whole[:first] + bytes(last - first) + whole[last:]
    elif kind == "swap":
        other = draw(st.integers(0, size - 1))
        low, high = sorted([first, other])
        length = min(last - first, high - low, size - high)
        a, b = whole[low : low + length], whole[high : high + length]
        changed = whole[:low] + b + whole[low + length : high] + a + whole[high + length :]
    elif kind == "repeat":
        changed = whole[:last] + whole[first:]
    else:
        changed = whole[:first] + draw(st.binary(min_size=1, max_size=64)) + whole[last:]
    if changed == whole:
        changed = whole[:-1]
    return changed


numbers = st.one_of(
    st.integers(-2, 20),
    st.sampled_from([2**31, 2**32 - 1, 2**32, 2**62, 2**63 - 1, 2**63, 2**64, 10**40, -(2**63)]),
)
leaves = st.one_of(
    numbers,
    st.none(),
    st.booleans(),
    st.floats(),
    st.sampled_from(["", "<u4", "<u8", "<i8", "<f8", "|O", "kenlm", "tokens", "\ud800", "x" * 99]),
    st.builds(dict),
    st.lists(numbers, max_size=4),
)


def places(tree: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Return the path of every value in a JSON tree."""
    found = [path] if path else []
    if isinstance(tree, dict | list):
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            found += places(value, (*path, key))
    return found


@st.composite
def damaged_json(draw: st.DrawFn, tree: Any) -> Any:
    """Return the tree with one to three values replaced or removed."""
    tree = copy.deepcopy(tree)
    for _ in range(draw(st.integers(1, 3))):
        if not places(tree):
            break
        path = draw(st.sampled_from(places(tree)))
        parent = tree
        for key in path[:-1]:
            parent = parent[key]
        if draw(st.integers(0, 4)):
            parent[path[-1]] = draw(leaves)
        else:
            del parent[path[-1]]
    return tree


@st.composite
def damaged_array(draw: st.DrawFn, array: np.ndarray) -> np.ndarray:
    """Return the array with elements changed, exchanged, added at an end or removed."""
    array = array.copy()
    flat = array.reshape(-1)
    largest = int(np.iinfo(array.dtype).max)
    value = st.one_of(st.integers(0, 9), st.sampled_from([largest, largest // 2, largest - 1]))
    if len(flat) == 0 or draw(st.integers(0, 5)) == 0:
        rows = draw(st.integers(0, len(array)))
        more = np.zeros((draw(st.integers(0, 2)), *array.shape[1:]), array.dtype)
        return np.concatenate([array[:rows], more])
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(flat) - 1))
        if draw(st.booleans()):
            flat[at] = draw(value)
        else:
            other = draw(st.integers(0, len(flat) - 1))
            flat[at], flat[other] = flat[other], flat[at]
    return array
