"""Streams of sorted runs: spectra of them, and sums of them. Arrays only, no files.

Runs come in key order; the same (lead, key) never occurs twice in a stream.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.contract import Kernels
from icfast.backends.counting import (
    KINDS,
    MAX_KEY_WORDS,
    MAX_ORDER,
    Ends,
    MergeRoom,
    SortedRun,
    SpectraOut,
)
from icfast.errors import OptionError, SelfCheckError, check
from icfast.sums.spectrum import Spectra, Spectrum

#: Multiplicities below this are counted in a dense row; the others are listed.
_ROWS = 1024

#: Lists of large multiplicities kept apart; an array of a few numbers is mostly its header.
_MOST_LISTS = 64


@dataclass(frozen=True)
class KeyShape:
    """How windows of one order are packed: bits per symbol, words per key."""

    order: int
    bits: int
    words: int

    @property
    def key_bytes(self) -> int:
        """Of one key."""
        return 8 * self.words

    @classmethod
    def of(cls, order: int, used_ids: int) -> KeyShape:
        """The shape of windows over so many ids.

        Raises:
            OptionError: the order is not 1..64, or its histories exceed the longest key.

        >>> KeyShape.of(5, 50_257)
        KeyShape(order=5, bits=16, words=1)
        """
        if not 1 <= order <= MAX_ORDER:
            raise OptionError(f"order {order} must be at least 1 and at most {MAX_ORDER}")
        bits = max(1, used_ids.bit_length())
        words = max(1, -(-(order - 1) * bits // 64))
        if words > MAX_KEY_WORDS:
            most = 1 + 64 * MAX_KEY_WORDS // bits
            raise OptionError(
                f"order {order} over {used_ids} used ids needs keys of {(order - 1) * bits} bits; "
                f"icfast packs up to {64 * MAX_KEY_WORDS}, so --order {most} at most"
            )
        return cls(order, bits, words)


def can_pack(order: int, used_ids: int) -> bool:
    """Whether windows of this order over so many ids fit a key.

    >>> can_pack(17, 50_257), can_pack(18, 50_257)
    (True, False)
    """
    bits = max(1, used_ids.bit_length())
    return order <= MAX_ORDER and (order - 1) * bits <= 64 * MAX_KEY_WORDS


def empty_ends(shape: KeyShape) -> Ends:
    """No document ends at all."""
    keys = np.zeros((0, shape.words), np.uint64)
    return Ends(np.zeros(0, np.uint32), keys, np.zeros(0, np.uint64))


def sum_ends(parts: Sequence[Ends], shape: KeyShape) -> Ends:
    """All windows of the parts, sorted, equal ones added."""
    parts = [part for part in parts if len(part.leads)]
    if not parts:
        return empty_ends(shape)
    leads = np.concatenate([part.leads for part in parts])
    keys = np.concatenate([part.keys for part in parts])
    counts = np.concatenate([part.counts for part in parts])
    rank = np.lexsort([*keys.T[::-1], leads])
    leads, keys, counts = leads[rank], keys[rank], counts[rank]
    new = np.ones(len(leads), np.bool_)
    new[1:] = (leads[1:] != leads[:-1]) | np.any(keys[1:] != keys[:-1], axis=1)
    at = np.flatnonzero(new)
    return Ends(leads[at], np.ascontiguousarray(keys[at]), np.add.reduceat(counts, at))


def ids_fault(ids: NDArray[Any], vocab_size: int) -> str | None:
    """What keeps an array from being the u32[U] ids that occur; None where nothing does."""
    if not isinstance(ids, np.ndarray) or ids.dtype != np.dtype("<u4") or ids.ndim != 1:
        return "its ids are not a list of u32"
    if not np.all(ids[1:] > ids[:-1]):
        return "its ids do not ascend"
    if len(ids) and ids[-1] >= vocab_size:
        return f"its id {ids[-1]} is outside its vocabulary of {vocab_size}"
    return None


def run_fault(run: SortedRun, shape: KeyShape, used_ids: int, leads: int) -> str | None:
    """What keeps a run that was read from being windows; None where nothing does.

    Checksums vouch for what was written, not for its sense, and kernels index by what they read.

    Args:
        leads: the largest rank a window may end with.
    """
    if run.leads[0] == 0 or run.leads[-1] > leads or not np.all(run.leads[1:] > run.leads[:-1]):
        return f"its leads do not ascend from 1 to at most {leads}"
    if not np.all(_ascends(run.keys) | _begins(run)):
        return "its keys do not ascend"
    if not run.counts.all() or int(run.counts.max()) >= 1 << 48:
        return "a window was counted 0 or more than 2^48 times"
    ended: NDArray[np.bool_] = np.zeros(len(run.keys), np.bool_)  # a begin mark was seen
    for i in range(1, shape.order):
        symbols = _symbols(run.keys, shape, i)
        if symbols.max() > used_ids:
            return f"a history holds a symbol above {used_ids}"
        token = symbols != 0
        if np.any(ended & token):
            return "a history goes on before its begin mark"
        ended = ~token
    return None


def _ascends(keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Whether each key but the first is above the one before it."""
    above = keys[1:, -1] > keys[:-1, -1]
    for word in range(keys.shape[1] - 2, -1, -1):
        high, low = keys[1:, word], keys[:-1, word]
        above = (high > low) | ((high == low) & above)
    return np.asarray(above)


def _begins(run: SortedRun) -> NDArray[np.bool_]:
    """Whether each entry but the first is the first of its lead."""
    begins = np.zeros(len(run.counts) - 1, np.bool_)
    begins[run.bounds[1:-1] - 1] = True
    return begins


def _symbols(keys: NDArray[np.uint64], shape: KeyShape, i: int) -> NDArray[np.uint64]:
    """w[t-i] of each key."""
    position = shape.bits * (shape.order - 1 - i)
    word, offset = shape.words - 1 - position // 64, position % 64
    symbols = keys[:, word] >> np.uint64(offset)
    if offset + shape.bits > 64:
        symbols |= keys[:, word - 1] << np.uint64(64 - offset)
    symbols &= np.uint64((1 << shape.bits) - 1)
    return symbols


def scan_bytes(shape: KeyShape) -> int:
    """What one SpectraScan holds."""
    return len(KINDS) * shape.order * _ROWS * 8


class SpectraScan:
    """Collects the spectra of orders 1..N from runs in key order.

    N-grams open at the end of a run stay open for the next one, so a lead may be spread over
    several runs. Scans of disjoint leads add up: see :meth:`absorb`.
    """

    def __init__(self, kernels: Kernels, shape: KeyShape, ends: Ends) -> None:
        self._kernels = kernels
        self._shape = shape
        self._ends = ends
        self._path = np.zeros(2 + shape.words, np.uint64)
        self._sums = np.zeros((3, shape.order), np.uint64)
        self._small = np.zeros((len(KINDS), shape.order, _ROWS), np.uint64)
        self._large: list[list[NDArray[np.uint64]]] = [[] for _ in range(len(KINDS) * shape.order)]

    def add(self, run: SortedRun, *, flush: bool = False, where: object = "the windows") -> None:
        """Scan one run; flush closes the n-grams still open."""
        shape = self._shape
        carried = int(self._sums[0].sum())
        # So many n-grams of an order can be that frequent, and so many close at all.
        frequent = (int(run.counts.sum()) + carried) // _ROWS + 2
        capacity = min(frequent, len(run.counts) + 1)
        out = SpectraOut(
            self._small,
            np.zeros((len(KINDS), shape.order, capacity), np.uint64),
            np.zeros((len(KINDS), shape.order), np.int64),
        )
        check(
            self._kernels.run_spectra(
                run, self._ends, shape.order, shape.bits, self._path, self._sums, flush, out
            ),
            where,
        )
        large, lengths = out.large.reshape(-1, capacity), out.large_lengths.ravel()
        for i in lengths.nonzero()[0].tolist():
            held = self._large[i]
            held.append(large[i, : lengths[i]].copy())
            if len(held) == _MOST_LISTS:
                held[:] = [np.concatenate(held)]

    def flush(self) -> None:
        """Close what is open."""
        shape = self._shape
        nothing = SortedRun(
            np.zeros(0, np.uint32),
            np.zeros(1, np.int64),
            np.zeros((0, shape.words), np.uint64),
            np.zeros(0, np.uint64),
        )
        self.add(nothing, flush=True)

    def absorb(self, other: SpectraScan) -> None:
        """Add what a flushed scan of other leads has collected."""
        self._small += other._small
        for held, more in zip(self._large, other._large, strict=True):
            held.extend(more)

    def spectra(self, tokens: int, documents: int) -> Spectra:
        """The spectra of orders 1..N, of documents with so many predicted symbols."""
        order = self._shape.order
        found = list(map(_spectrum, self._small.reshape(-1, _ROWS), self._large))
        by_kind = {kind: found[i * order : (i + 1) * order] for i, kind in enumerate(KINDS)}
        if order > 1:
            # The bare begin mark is followed once per document.
            by_kind["starting_followed"][0] = Spectrum.from_counts([documents])
        return Spectra(
            order=order,
            tokens=tokens,
            documents=documents,
            **{kind: tuple(spectra) for kind, spectra in by_kind.items()},
        )


def _spectrum(small: NDArray[np.uint64], large: list[NDArray[np.uint64]]) -> Spectrum:
    multiplicity = np.flatnonzero(small)
    dense = Spectrum(multiplicity.astype(np.uint64), small[multiplicity])
    listed = Spectrum.from_counts(np.concatenate(large)) if large else Spectrum()
    return Spectrum.total([dense, listed])


def self_check(spectra: Spectra, windows: Sequence[int]) -> None:
    """Check sum r * phi_r against M_n, the windows that documents of these lengths have.

    With marked histories, n-grams and contexts alike stand for every token.

    Args:
        windows: M_n = sum over documents of max(0, length - n + 1), n = 1..N.

    Raises:
        SelfCheckError: they differ, which no input may cause.
    """
    starting = starting_followed = 0
    for n, expected in enumerate(windows, start=1):
        found = spectra[n].windows
        # As spectra.padded(n) and padded_contexts(n) have them, whose spectra are not needed here.
        starting += spectra.starting[n - 1].windows
        padded = found + starting
        followed = spectra.contexts(n).windows + starting_followed
        starting_followed += spectra.starting_followed[n - 1].windows
        if found != expected or not padded == followed == spectra.tokens:
            raise SelfCheckError(
                f"order {n}: the spectrum holds {found} windows ({padded} with marked histories, "
                f"{followed} behind their contexts), the documents have {expected} "
                f"({spectra.tokens}); this is a bug in icfast or a file that changed while it was "
                "read: nothing was written"
            )


def window_totals(lengths: NDArray[np.int64], order: int) -> list[int]:
    """M_n = sum over documents of max(0, length - n + 1), for n = 1..order.

    >>> window_totals(np.array([3, 1]), 3)
    [4, 2, 1]
    """
    return [int(np.maximum(0, lengths - n + 1).sum()) for n in range(1, order + 1)]


def split_run(run: SortedRun, entries: int) -> Iterator[SortedRun]:
    """The run in parts of at most this many entries."""
    total = int(run.bounds[-1] - run.bounds[0])
    for first in range(0, total, entries):
        yield slice_run(run, first, min(first + entries, total))


def slice_run(run: SortedRun, first: int, last: int) -> SortedRun:
    """Entries [first, last) of a run, counted from its start."""
    origin = int(run.bounds[0])
    bounds = np.clip(run.bounds - origin, first, last)
    kept = np.flatnonzero(bounds[1:] > bounds[:-1])
    new = np.append(bounds[kept], last) - first if len(kept) else np.zeros(1, np.int64)
    return SortedRun(
        run.leads[kept],
        np.ascontiguousarray(new, np.int64),
        run.keys[origin + first : origin + last],
        run.counts[origin + first : origin + last],
    )


def first_window(run: SortedRun) -> tuple[int, ...]:
    """(lead, key words ...) of the first entry."""
    return (int(run.leads[0]), *run.keys[0].tolist())


def last_window(run: SortedRun) -> tuple[int, ...]:
    """(lead, key words ...) of the last entry."""
    return (int(run.leads[-1]), *run.keys[-1].tolist())


def merge_streams(kernels: Kernels, streams: Sequence[Iterator[SortedRun]]) -> Iterator[SortedRun]:
    """The sum of several streams of runs, again in key order, one run of each in memory.

    Each step takes from every stream what is not above the smallest last window at hand.
    """
    heads = [_Head(stream) for stream in streams]
    while heads := [head for head in heads if head.ready()]:
        bound = min(head.last() for head in heads)
        taken = [part for head in heads if len((part := head.take(bound)).counts)]
        yield add_runs(kernels, taken)


class _Head:
    """The run at the head of one stream, and how far it was taken."""

    def __init__(self, stream: Iterator[SortedRun]) -> None:
        self._stream = stream
        self._run: SortedRun | None = None
        self._first = 0

    def ready(self) -> bool:
        while self._run is None or self._first == len(self._run.counts):
            self._run, self._first = next(self._stream, None), 0
            if self._run is None:
                return False
        return True

    def last(self) -> tuple[int, ...]:
        assert self._run is not None
        return last_window(self._run)

    def take(self, bound: tuple[int, ...]) -> SortedRun:
        """Entries not above the bound."""
        assert self._run is not None
        run, first = self._run, self._first
        self._first = max(first, _position_above(run, bound))
        return slice_run(run, first, self._first)


def _position_above(run: SortedRun, bound: tuple[int, ...]) -> int:
    """How many entries of the run are not above the bound."""
    lead, key = bound[0], bound[1:]
    bucket = int(np.searchsorted(run.leads, lead, "left"))
    if bucket == len(run.leads) or run.leads[bucket] != lead:
        return int(run.bounds[bucket])
    low, high = int(run.bounds[bucket]), int(run.bounds[bucket + 1])
    for word, value in enumerate(key):
        column = run.keys[low:high, word]
        below = low + int(np.searchsorted(column, np.uint64(value), "left"))
        high = low + int(np.searchsorted(column, np.uint64(value), "right"))
        low = below
    return high


def add_runs(kernels: Kernels, runs: Sequence[SortedRun]) -> SortedRun:
    """The sum of runs whose keys begin and end with their bounds; at least one."""
    if len(runs) == 1:
        return runs[0]
    leads = np.concatenate([run.leads for run in runs])
    bounds = np.zeros(len(leads) + 1, np.int64)
    np.cumsum(np.concatenate([np.diff(run.bounds) for run in runs]), out=bounds[1:])
    keys = np.concatenate([run.keys for run in runs])
    counts = np.concatenate([run.counts for run in runs])
    sequence = np.argsort(leads, kind="stable")
    each = leads[sequence]
    each = each[np.append(True, each[1:] != each[:-1])]
    bounds_of_total = np.zeros(len(each) + 1, np.int64)
    total = SortedRun(each, bounds_of_total, np.empty_like(keys), np.empty_like(counts))
    room = MergeRoom(np.empty_like(keys), np.empty_like(counts))
    check(kernels.merge_runs(SortedRun(leads, bounds, keys, counts), sequence, total, room))
    size = int(total.bounds[-1])
    return total._replace(keys=total.keys[:size], counts=total.counts[:size])
