"""An independent count: windows inside documents, packed, lexically sorted, run lengths."""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from data import Tokens
from icfast import Spectra, Spectrum

Ids: TypeAlias = NDArray[np.unsignedinteger[Any]]

#: Windows that are sorted at a time; spectra add over parts of the first id.
_WINDOWS = 50_000_000


def check_spectra(found: Spectra, tokens: Tokens, orders: range) -> None:
    """Raise where spectra of these orders are not those of numpy."""
    for n in orders:
        assert found[n] == spectrum(tokens, n), f"order {n} of {tokens.title} is not numpy's"


def spectrum(tokens: Tokens, n: int) -> Spectrum:
    """The spectrum of n-grams inside documents."""
    ids = np.array(tokens.ids)
    inside = np.ones(len(ids) - n + 1, np.bool_)
    for i in range(n - 1):
        inside &= ids[i : i + len(inside)] != tokens.eos_id  # an end id may only come last
    parts = -(-len(inside) // _WINDOWS)
    first = ids[: len(inside)] % parts
    return Spectrum.total(
        _spectrum_at(ids, np.flatnonzero(inside & (first == part)), n) for part in range(parts)
    )


def _spectrum_at(ids: Ids, starts: NDArray[np.int64], n: int) -> Spectrum:
    bits = 8 * ids.itemsize
    words = []
    for first in range(0, n, 64 // bits):
        word = np.zeros(len(starts), np.uint64)
        for i in range(first, min(n, first + 64 // bits)):
            word <<= np.uint64(bits)
            word |= ids[starts + i]
        words.append(word)
    if len(words) == 1:
        words[0].sort()
    else:
        order = np.lexsort(words[::-1])
        words = [word[order] for word in words]
    new = np.zeros(len(starts), np.bool_)
    new[:1] = True
    for word in words:
        new[1:] |= word[1:] != word[:-1]
    return Spectrum.from_counts(np.diff(np.append(np.flatnonzero(new), len(new))))
