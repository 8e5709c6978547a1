"""Count the distinct successors of each context, from a fitted Kneser-Ney model.

Counting sorts windows by their last token, which scatters the successors of a context. Fitting a
model has grouped them already.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from icfast.backends.models import CONTEXT_FIELDS
from icfast.kneser_ney.model import NgramModel
from icfast.sums.fan_out import FanOut
from icfast.sums.spectrum import Spectrum

_SUCCESSORS = CONTEXT_FIELDS.index("successors")


def fan_out(model: NgramModel) -> FanOut:
    """Return the fan-out spectra of the documents that a model was fitted on.

    The fan-out of a context is the number of its distinct successors.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import icfast
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "abracadabra.bin"
    ...     _ = path.write_bytes(b"abracadabra")
    ...     corpus = icfast.open(path, dtype="u1", vocab_size=256)
    ...     found = icfast.fan_out(icfast.fit(corpus, order=2))
    >>> found.padded(2).types  # five contexts have one successor; a has b, c and d
    array([5, 1], dtype=uint64)
    """
    trie = model.trie
    symbols = int(trie.contexts[0, _SUCCESSORS])
    complete: list[Spectrum] = []
    starting: list[Spectrum] = []
    row = 1
    for n in range(1, model.order):
        first, last = int(trie.levels[n - 1]), int(trie.levels[n])
        has_row = _bits(trie.marks[:, 0], first, last)
        # The oldest symbol is the begin mark, which has rank 0; at order 1, it is node 0.
        begins = trie.symbols[first:last] == 0 if n > 1 else np.arange(last - first) == 0
        of_rows = begins[has_row]
        successors = trie.contexts[row : row + len(of_rows), _SUCCESSORS]
        row += len(of_rows)
        for found, chosen, nodes in (
            (complete, ~of_rows, len(begins) - int(begins.sum())),
            (starting, of_rows, int(begins.sum())),
        ):
            with_row = successors[chosen]
            found.append(_with_ones(Spectrum.from_counts(with_row), nodes - len(with_row)))
    return FanOut(model.order, Spectrum.from_counts([symbols]), tuple(complete), tuple(starting))


def _with_ones(spectrum: Spectrum, contexts: int) -> Spectrum:
    """Add contexts without a row to a spectrum: each of them has one successor."""
    if not contexts:
        return spectrum
    ones = Spectrum(np.array([1], np.uint64), np.array([contexts], np.uint64))
    return Spectrum.total([spectrum, ones])


def _bits(words: NDArray[np.uint64], first: int, last: int) -> NDArray[np.bool_]:
    """Return bits [first, last) of little-endian words."""
    held = np.ascontiguousarray(words[first // 64 : -(-last // 64)], dtype="<u8")
    unpacked = np.unpackbits(held.view(np.uint8), bitorder="little")
    begin = first - first // 64 * 64
    return unpacked[begin : begin + last - first].astype(np.bool_)
