"""Spectra of any order, counted by position: windows are compared only as far as they repeat.

The documents are written into one text of symbols. A window is one 64-bit word for every order: its
end position in the text, and in the remaining bits its newest history symbols in a variable-length
code. The windows of a lead are sorted by these words. Equal ones are compared further by symbols
read from the text. A window that occurs once needs no further comparison, also at higher orders.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from icfast.backends.arrays import U64, Text
from icfast.backends.counting import KINDS, TEXT_PADDING
from icfast.corpus.chunks import check_ids
from icfast.corpus.documents import DocumentSet
from icfast.errors import ResourceError, check
from icfast.ngrams.alphabet import Symbols, thread_chunks
from icfast.ngrams.ranges import RangeSum, dense_rows, most_listed
from icfast.ngrams.scan import self_check, window_totals
from icfast.parallel.buffers import ThreadScratch, zeros
from icfast.parallel.threads import Pool, Work
from icfast.sums.spectrum import Spectra
from icfast.units import format_bytes

#: Windows that one thread sorts at a time, if memory allows.
_SORT_WINDOWS = 1 << 20

#: Interpreter objects, thread stacks and allocator slack of a pass.
_OVERHEAD_BYTES = 8 << 20

#: Bytes of a window in its pass.
_WINDOW_BYTES = 8

#: Minimum windows that one thread sorts at a time.
_LEAST_SORT_WINDOWS = 1 << 10


@dataclass(frozen=True)
class PositionBudget:
    """Shares of the memory budget of a count by position.

    Attributes:
        pass_windows: windows that a pass holds.
        sort_windows: windows that one thread sorts at a time, unless one lead has more.
        least_bytes: minimum memory that suffices.
        memory_bytes: the memory allowed.
        passes: number of times that the text is read.
        planned_bytes: bytes that the passes allocate.
    """

    pass_windows: int
    sort_windows: int
    least_bytes: int
    memory_bytes: int
    passes: int
    planned_bytes: int

    @property
    def suffices(self) -> bool:
        """Whether the memory allowed is enough."""
        return self.memory_bytes >= self.least_bytes

    def check(self, documents: DocumentSet, symbols: Symbols, order: int) -> None:
        """Refuse a budget that does not hold the text and the windows of the most frequent id.

        Raises:
            ResourceError: the memory is too little.
        """
        if not self.suffices:
            raise ResourceError(
                f"--memory {format_bytes(self.memory_bytes)} is too little: order {order} over "
                f"{documents.tokens} tokens of {len(symbols.ids)} ids needs at least "
                f"{format_bytes(self.least_bytes)}. Pass a larger --memory, or a lower --order."
            )


def position_budget(
    documents: DocumentSet, symbols: Symbols, order: int, work: Work
) -> PositionBudget:
    """Divide the memory: first the text, then a share for sorting, the rest for windows."""
    text = _text_size(documents) * _text_dtype(symbols).itemsize
    spectra = (work.threads + 3) * len(KINDS) * (order + 2) * dense_rows(order) * 8
    tables = symbols.alphabet.ranks.nbytes + symbols.leads * (24 + 16 * work.threads)
    fixed = _OVERHEAD_BYTES + text + tables + spectra + 24 * len(documents)
    leads = _windows_of_leads(documents, symbols)
    largest = int(leads.max(initial=0))
    # Entries, their scratch and shared lengths, and the list of frequent n-grams.
    per_window = 20 + 32 * most_listed(_SORT_WINDOWS, order) // _SORT_WINDOWS
    least_sort = max(largest, _LEAST_SORT_WINDOWS)
    least = fixed + largest * _WINDOW_BYTES + work.threads * per_window * least_sort
    free = work.memory_bytes - fixed
    sort_windows = max(least_sort, min(_SORT_WINDOWS, free // (8 * work.threads * per_window)))
    windows = max((free - work.threads * per_window * sort_windows) // _WINDOW_BYTES, largest)
    passes = _windows_of_passes(leads, windows)
    sorting = sorted(
        16 * int(leads[low:high].max()) + 4 * int(leads[low:high].sum())
        for low, high in _ranges_of_leads(np.append(0, np.cumsum(leads)), sort_windows)
    )
    planned = fixed + max(passes, default=0) * _WINDOW_BYTES + sum(sorting[-work.threads :])
    return PositionBudget(windows, sort_windows, least, work.memory_bytes, len(passes), planned)


def _windows_of_passes(leads: NDArray[np.int64], most: int) -> list[int]:
    """Return the number of windows of each pass."""
    edges = np.append(0, np.cumsum(leads))
    return [int(edges[high] - edges[low]) for low, high in _ranges_of_leads(edges, most)]


def _windows_of_leads(documents: DocumentSet, symbols: Symbols) -> NDArray[np.int64]:
    """Return i64[leads] windows. If ids were not counted, one lead may have all windows."""
    if symbols.thread_counts is None:
        return np.array([documents.tokens], np.int64)
    of_ids = symbols.thread_counts.sum(axis=0).astype(np.int64)
    return np.append(of_ids, len(documents) if symbols.end_mark else 0)


def _text_size(documents: DocumentSet) -> int:
    return documents.tokens + TEXT_PADDING * (len(documents) + 1)


def _text_dtype(symbols: Symbols) -> np.dtype[np.unsignedinteger]:
    return np.dtype(np.uint16 if symbols.leads <= 1 << 16 else np.uint32)


def symbol_codes(counts: NDArray[np.integer]) -> U64:
    """Return u64[symbols] codes of one to five bytes, at the top of a word.

    The last byte of a code is 128..255, and those before it are 1..127. Symbol 0, the begin mark,
    has code 0.

    Args:
        counts: occurrences of each symbol. Frequent symbols get short codes.
    """
    codes = np.zeros(len(counts), np.uint64)
    left = 1 + np.argsort(-counts[1:].astype(np.int64), kind="stable")
    length, heads = 1, np.zeros(1, np.uint64)
    while len(left):
        taken, left = left[: 128 * len(heads)], left[128 * len(heads) :]
        last = np.arange(128, 256, dtype=np.uint64)
        shift = np.uint64(64 - 8 * length)
        here = heads[: -(-len(taken) // 128), None] | last << shift
        codes[taken] = here.reshape(-1)[: len(taken)]
        heads = heads[: -(-len(left) // (127 * 128)), None]
        heads = (heads | np.arange(1, 128, dtype=np.uint64) << shift).reshape(-1)
        length += 1
    return codes


def spectra_by_position(
    documents: DocumentSet,
    symbols: Symbols,
    order: int,
    limits: PositionBudget,
    work: Work,
    pool: Pool,
) -> Spectra:
    """Count the spectra of orders 1..order of chosen documents."""
    text = _write_text(documents, symbols, work, pool)
    spectra = _PositionPass(text, symbols, order, limits, work, pool).spectra(
        documents.tokens, len(documents)
    )
    self_check(spectra, window_totals(documents.lengths, order))
    return spectra


def _write_text(documents: DocumentSet, symbols: Symbols, work: Work, pool: Pool) -> Text:
    """Return the symbols of all documents, with padding before each and after the last."""
    text = zeros(_text_size(documents), _text_dtype(symbols))
    lengths = documents.lengths + TEXT_PADDING
    begins = np.append(0, np.cumsum(lengths)) + TEXT_PADDING
    sizes = [len(held.starts) for held in documents.by_shard]
    edges = np.append(0, np.cumsum(sizes))
    placed = {
        held.shard: (held, begins[low:high] - held.starts)
        for held, (low, high) in zip(documents.by_shard, pairwise(edges.tolist()), strict=True)
    }

    def write(thread: int) -> None:
        for chunk, shard in chunks[thread]:
            held, places = placed[shard]
            first = held.first_document(chunk.begin)
            place = places[first : first + len(chunk.starts)]
            viewed = symbols.view(chunk)
            # A view may begin at another position than its chunk.
            place = place + (chunk.begin - viewed.begin)
            status = work.backend.kernels.write_text(viewed, symbols.alphabet, place, text)
            check_ids(status, shard, symbols.vocab_size)

    chunks = thread_chunks(documents, work)
    pool.for_each(write, range(len(chunks)))
    return text


@dataclass(frozen=True)
class _PositionPass:
    """Count of the windows of a text by lead, in one or more passes over the text."""

    text: Text
    symbols: Symbols
    order: int
    limits: PositionBudget
    work: Work
    pool: Pool

    def spectra(self, tokens: int, documents: int) -> Spectra:
        """Return the spectra of all windows."""
        total = RangeSum(self.order)
        counts = self._counts()
        of_leads = counts.sum(axis=0)
        codes = symbol_codes(of_leads)
        done, buffers = 0, ThreadScratch()
        sizes = np.append(0, np.cumsum(of_leads))
        passes = list(_ranges_of_leads(sizes, self.limits.pass_windows))
        most = max((int(sizes[high] - sizes[low]) for low, high in passes), default=0)
        windows = zeros(most, np.dtype(np.uint64))
        for low, high in passes:
            bounds = sizes[low : high + 1] - sizes[low]
            self._scatter(low, high, bounds, counts[:, low:high], codes, windows)
            sort = partial(self._sorted, bounds, windows, buffers)
            for found, size in self.pool.map(
                sort, _ranges_of_leads(bounds, self.limits.sort_windows)
            ):
                total.absorb(found)
                done += size
                self.work.progress("counting", done, int(sizes[-1]))
        return total.spectra(tokens, documents)

    def _ranges(self) -> list[tuple[int, int]]:
        """Return one range of the text per thread, without the padding at the ends of the text."""
        edges = np.linspace(TEXT_PADDING, len(self.text) - 1, self.work.threads + 1)
        return list(pairwise(edges.astype(int).tolist()))

    def _counts(self) -> NDArray[np.int64]:
        """Return i64[threads, leads] windows."""
        counts = np.zeros((self.work.threads, self.symbols.leads), np.uint64)

        def count(thread: int) -> None:
            begin, end = ranges[thread]
            check(self.work.backend.kernels.count_symbols(self.text, begin, end, counts[thread]))

        ranges = self._ranges()
        self.pool.for_each(count, range(len(ranges)))
        counts[:, 0] = 0  # paddings
        return counts.astype(np.int64)

    def _scatter(
        self,
        low: int,
        high: int,
        bounds: NDArray[np.int64],
        counts: NDArray[np.int64],
        codes: U64,
        windows: U64,
    ) -> None:
        """Write the windows of a pass by lead. Each thread writes after the threads before it."""
        offsets = bounds[:-1] + np.cumsum(counts, axis=0) - counts

        def scatter(thread: int) -> None:
            begin, end = ranges[thread]
            check(
                self.work.backend.kernels.scatter_positions(
                    self.text, begin, end, self.order, codes, low, high, offsets[thread], windows
                )
            )

        ranges = self._ranges()
        self.pool.for_each(scatter, range(len(ranges)))

    def _sorted(
        self,
        bounds: NDArray[np.int64],
        windows: U64,
        buffers: ThreadScratch,
        leads: tuple[int, int],
    ) -> tuple[RangeSum, int]:
        """Return the spectra of a range of leads of the pass, and the number of their windows."""
        first, last = leads
        kernels, bounds = self.work.backend.kernels, bounds[first : last + 1]
        size, largest = int(bounds[-1] - bounds[0]), int(np.diff(bounds).max())
        room = buffers.scratch.words(2 * largest + size // 2 + 1, 1)[:, 0]
        entries, scratch = room[:largest], room[largest : 2 * largest]
        shared = room[2 * largest :].view(np.uint32)
        bits = self.symbols.shape.bits
        check(
            kernels.sort_positions(
                self.text, self.order, bits, bounds, windows, shared, entries, scratch
            )
        )
        found = RangeSum(self.order)
        out = found.out(zeros((most_listed(size, self.order), 4), np.uint64))
        nodes = np.zeros((self.order + 1, 4), np.uint64)
        check(kernels.position_spectra(self.text, self.order, bounds, windows, shared, nodes, out))
        found.take(out)
        return found, size


def _ranges_of_leads(bounds: NDArray[np.int64], most: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of leads with at most `most` windows, or of one lead."""
    first = 0
    while first < len(bounds) - 1:
        room = int(np.searchsorted(bounds, bounds[first] + most, "right")) - 1
        last = max(first + 1, room)
        yield first, last
        first = last
