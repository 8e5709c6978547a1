"""A compressed model: the order-N model's probabilities and backoffs in a few bits each.

N-grams stand in the order of the full model's trie. In place of its oldest symbol an n-gram (h w)
stores the place of its context h among the siblings of h: these are few where what h ends with has
few left neighbours, so that takes few bits (Pibiri & Venturini 2017), and whoever scores a text has
just met h. Losses are whole numbers of 2^-32 nat, looked up in a codebook per order, so every
backend's sums are the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.backends.models import CompactTrie
from icfast.corpus.source import Source
from icfast.errors import ArtefactError, OptionError
from icfast.kneser_ney.levels import Level, first_children, places
from icfast.kneser_ney.model_file import Arrays, ModelFileWriter, damaged, read_model_file
from icfast.kneser_ney.ngram import NgramModel
from icfast.kneser_ney.quantise import quantise
from icfast.kneser_ney.structure import MAX_BITS, SAMPLE, compact_fault
from icfast.ngrams.sorted_runs import ids_fault
from icfast.sums.loss import QUANTA_PER_NAT
from icfast.sums.stored import checked

_KIND = "compressed modified Kneser-Ney"

#: Bits an exception costs: its n-gram and its place.
_EXCEPTION_BITS = 96


@dataclass(frozen=True, eq=False)
class CompactModel:
    """A compressed model, memory-mapped from its file or still in memory.

    Attributes:
        order: N; only the order-N model is in it.
        source, tokens, documents: as in :class:`NgramModel`, of the model it was made from.
        bits: bits of each probability and of each backoff above order 1.
        ids: u32[U], ascending.
        trie: its n-grams.
        about: what its file says of it: pruning, the full model's size, losses that were measured.
    """

    order: int
    source: Source
    tokens: int
    documents: int
    bits: int
    ids: NDArray[np.uint32]
    trie: CompactTrie
    about: dict[str, Any]

    @property
    def convention(self) -> str:
        """tokens or kenlm."""
        return self.source.convention

    @property
    def end_mark(self) -> bool:
        """Whether it predicts </s> after each document."""
        return self.convention == "kenlm"

    @property
    def ngrams(self) -> tuple[int, ...]:
        """How many n-grams of each order it holds; <s> alone is not one."""
        first, *rest = np.diff(self.trie.levels).tolist()
        return (first - 1, *rest)

    def save(self, path: Path, measured: dict[str, Any]) -> None:
        """Write it to this very file, with what was measured of it."""
        arrays: Arrays = {"ids": self.ids, **self.trie._asdict()}
        writer = ModelFileWriter(path, {name: (a.dtype, a.shape) for name, a in arrays.items()})
        for name, array in arrays.items():
            writer.arrays[name][...] = array
        writer.finish({**self.about, **measured})

    @classmethod
    def load(cls, file: str | Path) -> CompactModel:
        """Map a compressed model from its file, checking every checksum in it.

        Raises:
            ArtefactError: not a compressed model, of another version, cut off or damaged.
        """
        model = load_model(file)
        if not isinstance(model, cls):
            raise ArtefactError(
                f"{file} holds a whole model, not a compressed one; compress it first"
            )
        return model


def load_model(file: str | Path) -> NgramModel | CompactModel:
    """Map a model of either kind from its file.

    Raises:
        ArtefactError: not a model, of another version, cut off or damaged.
    """
    path = Path(file)
    about, arrays = read_model_file(path)
    if about.get("kind") != _KIND:
        return NgramModel.of(path, about, arrays)
    try:
        trie = CompactTrie(*(arrays[name] for name in CompactTrie._fields))
        model = _model(about, arrays["ids"], trie)
        ranks = len(model.ids) + 1 + int(model.end_mark)
        fault = ids_fault(model.ids, model.source.vocab_size) or compact_fault(
            arrays, model.order, ranks, model.bits
        )
    except (KeyError, TypeError, ValueError, IndexError) as error:
        raise damaged(path, f"its description lacks something ({error})") from error
    if fault is not None:
        raise damaged(path, fault)
    return model


def _model(about: dict[str, Any], ids: NDArray[np.uint32], trie: CompactTrie) -> CompactModel:
    source = Source.from_json(about["source"])
    order, tokens, documents, bits = (
        checked(about[name], "int", name) for name in ("order", "tokens", "documents", "bits")
    )
    return CompactModel(order, source, tokens, documents, bits, ids, trie, about)


class Codes(NamedTuple):
    """What stands for the losses (0) and the backoffs (1) of one order, and which for which."""

    codebooks: NDArray[np.int64]
    losses: NDArray[np.uint16]
    backoffs: NDArray[np.uint16]


def quantised(levels: Sequence[Level], bits: int) -> list[Codes]:
    """Codes of orders 2..N, each order with codebooks of its own.

    Raises:
        OptionError: bits is not 1..16.
    """
    if not 1 <= bits <= MAX_BITS:
        raise OptionError(f"bits {bits} must be from 1 to {MAX_BITS}")
    found = []
    for level in levels[1:]:
        used = level.counts.astype(np.float64)
        losses, loss_codes = quantise(level.nats, used, bits)
        # A context is backed off from as often as something new follows it.
        often = used[: len(level.backoffs)] * np.exp(-np.maximum(level.backoffs, 0.0))
        backoffs, backoff_codes = quantise(level.backoffs, often, bits)
        found.append(Codes(_quanta(np.array([losses, backoffs])), loss_codes, backoff_codes))
    return found


def decoded(levels: Sequence[Level], codes: Sequence[Codes]) -> list[Level]:
    """The levels as the compressed model knows them."""
    found = [levels[0]]
    for level, own in zip(levels[1:], codes, strict=True):
        losses, backoffs = own.codebooks / QUANTA_PER_NAT
        found.append(level._replace(nats=losses[own.losses], backoffs=backoffs[own.backoffs]))
    return found


def pack(
    model: NgramModel,
    levels: Sequence[Level],
    codes: Sequence[Codes],
    described: dict[str, Any],
) -> CompactModel:
    """Pack the n-grams of a model, all or those that pruning left."""
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
        # An n-gram's place is that of its context; see the module's docstring.
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
        "kind": _KIND,
        "order": model.order,
        "source": model.source.as_json(),
        "tokens": model.tokens,
        "documents": model.documents,
        **described,
    }
    return _model(about, np.asarray(model.ids), trie)


def _quanta(nats: NDArray[np.float64]) -> NDArray[np.int64]:
    return np.rint(nats * QUANTA_PER_NAT).astype(np.int64)


def _unigrams(levels: Sequence[Level]) -> NDArray[np.int64]:
    """i64[U + 1 or more, 3]: loss, backoff, first child in the level above; one row behind."""
    first = levels[0]
    rows = np.zeros((len(first.nats) + 1, 3), np.int64)
    rows[:-1, 0] = _quanta(first.nats)
    if len(levels) > 1:
        rows[:-1, 1] = _quanta(first.backoffs)
        rows[:, 2] = first_children(levels[1], len(first.nats)) + len(first.nats)
    return rows


def _children(levels: Sequence[Level]) -> tuple[NDArray[np.uint64], NDArray[np.uint64]]:
    """(bitmap, positions of every 64th set bit) of the n-grams of orders 2..N-1.

    Each is a set bit and as many clear ones as it has children; a set bit ends the bitmap.
    """
    pairs = pairwise(levels[1:])
    counts = [np.bincount(longer.parents, minlength=len(own.nats)) for own, longer in pairs]
    sizes = np.concatenate([np.zeros(0, np.int64), *counts])
    at = np.append(0, np.cumsum(sizes + 1))
    bitmap = np.zeros(-(-(int(at[-1]) + 1) // 64) * 64, np.uint8)
    bitmap[at] = 1
    return np.packbits(bitmap, bitorder="little").view("<u8"), at[::SAMPLE].astype(np.uint64)


class _Records:
    """N-grams of one order after the other, each in the same number of bits."""

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
        """Append an order whose n-grams are numbered from `first`."""
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
        """All orders, and a word that reading may run into."""
        return np.concatenate([*self._parts, np.zeros(1, np.uint64)])


def _place_bits(place: NDArray[np.uint32]) -> int:
    """The width at which places and what does not fit into it take least."""
    # 2^w - 1 is the sign of an exception, so a place fits where place + 1 has no more than w bits.
    lengths = np.bincount(np.frexp(place + 1.0)[1], minlength=34)
    beyond = len(place) - np.cumsum(lengths)
    widths = np.arange(1, 33)
    return int(widths[np.argmin(widths * len(place) + _EXCEPTION_BITS * beyond[widths])])


def _packed(fields: Sequence[tuple[NDArray[np.uint64], int]], record: int) -> NDArray[np.uint64]:
    """Records of so many bits, one behind the other from the lowest bit of the first word."""
    size = len(fields[0][0])
    words = np.zeros(size * record // 64 + 2, np.uint64)
    start = np.arange(size, dtype=np.uint64) * np.uint64(record)
    for values, bits in fields:
        word = (start >> np.uint64(6)).astype(np.int64)
        shift = start & np.uint64(63)
        # Records of one word follow each other, so equal indices are neighbours.
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
