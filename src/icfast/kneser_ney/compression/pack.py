"""Pack the n-grams of a compressed model into records of equal width."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.models import CompactTrie
from icfast.kneser_ney.compact import COMPACT_KIND, CompactModel, model_from
from icfast.kneser_ney.compression.levels import Level, first_children, places
from icfast.kneser_ney.compression.quantise import Codes, to_quanta
from icfast.kneser_ney.model import NgramModel
from icfast.kneser_ney.validate import SAMPLE

#: Bits per exception: 64 for its n-gram and 32 for its position.
_EXCEPTION_BITS = 96


def pack(
    model: NgramModel,
    levels: Sequence[Level],
    codes: Sequence[Codes],
    described: dict[str, Any],
) -> CompactModel:
    """Pack the n-grams of a model into a compressed model.

    Args:
        levels: the n-grams to keep.
        codes: their quantised losses and backoffs, for orders 2..N.
        described: facts for the model's description.
    """
    edges = np.append(0, np.cumsum([len(level.nats) for level in levels])).astype(np.int64)
    codebooks = np.array([own.codebooks for own in codes], np.int64)
    codebooks = codebooks if len(codes) else np.zeros((0, 2, 2), np.int64)
    bits = codebooks.shape[2].bit_length() - 1
    writer = _Records()
    own_places = places(levels)
    for n, (level, own) in enumerate(zip(levels[1:], codes, strict=True), start=2):
        fields = [(own.losses, bits)]
        if n < len(levels):
            fields.append((own.backoffs, bits))
        # A record has the position of its context, see compact.py.
        writer.add(own_places[n - 2][level.contexts], fields, int(edges[n - 1]))
    children, samples = _children(levels)
    trie = CompactTrie(
        edges,
        _unigrams(levels),
        np.array(writer.layout, np.int64).reshape(-1, 3),
        codebooks,
        writer.words(),
        children,
        samples,
        np.concatenate([np.zeros(0, np.int64), *writer.exceptions]),
        np.concatenate([np.zeros(0, np.uint32), *writer.exception_places]),
    )
    about = {
        "kind": COMPACT_KIND,
        "order": model.order,
        "source": model.source.as_json(),
        "tokens": model.tokens,
        "documents": model.documents,
        **described,
    }
    return model_from(about, np.asarray(model.ids), trie)


def _unigrams(levels: Sequence[Level]) -> NDArray[np.int64]:
    """Return i64[ranks + 1, 3]: loss, backoff and first child. The last row has the last end."""
    first = levels[0]
    rows = np.zeros((len(first.nats) + 1, 3), np.int64)
    rows[:-1, 0] = to_quanta(first.nats)
    if len(levels) > 1:
        rows[:-1, 1] = to_quanta(first.backoffs)
        rows[:, 2] = first_children(levels[1], len(first.nats)) + len(first.nats)
    return rows


def _children(levels: Sequence[Level]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """Return (bitmap, positions of every 64th set bit) of the n-grams of orders 2..N-1.

    An n-gram is one set bit, followed by one clear bit per child. A set bit ends the bitmap.
    """
    pairs = pairwise(levels[1:])
    counts = [np.bincount(longer.parents, minlength=len(own.nats)) for own, longer in pairs]
    sizes = np.concatenate([np.zeros(0, np.int64), *counts])
    at = np.append(0, np.cumsum(sizes + 1))
    bitmap = np.zeros(-(-(int(at[-1]) + 1) // 64) * 64, np.uint8)
    bitmap[at] = 1
    return np.packbits(bitmap, bitorder="little").view("<u8"), at[::SAMPLE].astype(np.uint64)


class _Records:
    """Records of n-grams, order by order. All records of an order have the same width."""

    def __init__(self) -> None:
        self.layout: list[tuple[int, int, int]] = []
        self.exceptions: list[NDArray[np.int64]] = []
        self.exception_places: list[NDArray[np.uint32]] = []
        self._parts: list[NDArray[np.uint64]] = []
        self._words = 0

    def add(
        self,
        place: NDArray[np.uint32],
        codes: Sequence[tuple[NDArray[np.uint16], int]],
        first: int,
    ) -> None:
        """Append an order whose first n-gram has the number `first`."""
        width = _place_bits(place)
        escape = (1 << width) - 1
        beyond = np.flatnonzero(place >= escape)
        self.exceptions.append(beyond + first)
        self.exception_places.append(place[beyond])
        fields = [(np.minimum(place, escape).astype(np.uint64), width)]
        fields += [(code.astype(np.uint64), bits) for code, bits in codes]
        record = sum(bits for _, bits in fields)
        self.layout.append((width, record, 64 * self._words))
        packed = _packed(fields, record)
        self._parts.append(packed)
        self._words += len(packed)

    def words(self) -> NDArray[np.uint64]:
        """Return the records of all orders, and one more word that kernels may read."""
        return np.concatenate([*self._parts, np.zeros(1, np.uint64)])


def _place_bits(place: NDArray[np.uint32]) -> int:
    """Return the width of positions that minimises the bits of records and exceptions."""
    # 2^w - 1 marks an exception, so a position fits if position + 1 has at most w bits.
    lengths = np.bincount(np.frexp(place + 1.0)[1], minlength=34)
    beyond = len(place) - np.cumsum(lengths)
    widths = np.arange(1, 33)
    return int(widths[np.argmin(widths * len(place) + _EXCEPTION_BITS * beyond[widths])])


def _packed(fields: Sequence[tuple[NDArray[np.uint64], int]], record: int) -> NDArray[np.uint64]:
    """Pack records of `record` bits each, beginning at the lowest bit of the first word."""
    size = len(fields[0][0])
    words = np.zeros(size * record // 64 + 2, np.uint64)
    start = np.arange(size, dtype=np.uint64) * np.uint64(record)
    for values, bits in fields:
        word = (start >> np.uint64(6)).astype(np.int64)
        shift = start & np.uint64(63)
        # Records of one word are consecutive, so equal indices are adjacent.
        _or_into(words, word, values << shift)
        carry = np.flatnonzero(shift + np.uint64(bits) > 64)
        _or_into(words, word[carry] + 1, values[carry] >> (np.uint64(64) - shift[carry]))
        start += np.uint64(bits)
    return words[: -(-size * record // 64)]


def _or_into(
    words: NDArray[np.uint64], index: NDArray[np.int64], values: NDArray[np.uint64]
) -> None:
    if len(index):
        first = np.append(0, np.flatnonzero(np.diff(index)) + 1)
        words[index[first]] |= np.bitwise_or.reduceat(values, first)
