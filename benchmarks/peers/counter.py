"""What a peer that counts n-grams offers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from harness import nothing

Ids: TypeAlias = NDArray[np.uint16]
Counts: TypeAlias = "NDArray[np.int64] | dict[int, int]"


@dataclass(frozen=True)
class Counter:
    """One way to count all n-grams of one order, windows crossing documents.

    Attributes:
        run: the counts, or {count: how many n-grams have it}, whichever is less work for the peer.
        prepare: untimed, before each run.
        rounds: at most so many, of one that takes long.
    """

    name: str
    run: Callable[[], Counts]
    order: int = 4
    prepare: Callable[[], object] = nothing
    rounds: int | None = None


def missing_package(name: str) -> str | None:
    """Why a package can't be imported, or None."""
    try:
        import_module(name)
    except ImportError as error:
        return f"{error}; pip install {name}"
    return None


def four_gram_keys(ids: Ids) -> NDArray[np.uint64]:
    """Four 16-bit ids to a key, one key for each window."""
    keys = np.zeros(len(ids) - 3, np.uint64)
    for i in range(4):
        keys <<= np.uint64(16)
        keys |= ids[i : len(ids) - 3 + i]
    return keys
