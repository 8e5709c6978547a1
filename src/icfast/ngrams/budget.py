"""The memory budget of a counting pass over packed keys."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from icfast.corpus.documents import DocumentSet
from icfast.errors import ResourceError
from icfast.ngrams.alphabet import Symbols, count_type
from icfast.ngrams.keys import KeyShape
from icfast.ngrams.scan import scan_bytes
from icfast.parallel.threads import Work
from icfast.units import format_bytes

#: Windows that one thread sorts at a time, if memory allows: 8 MiB of one-word keys.
_SORT_WINDOWS = 1 << 20

#: Minimum of the same; a budget that allows fewer is refused.
_LEAST_SORT_WINDOWS = 1 << 10

#: Interpreter objects, modules imported on first use and allocator slack.
_OVERHEAD_BYTES = 2 << 20

#: The same for each thread.
_THREAD_BYTES = 1 << 19

#: Divisor: one part in 12 of the memory left after the tables is for sorting. With less, the sorts
#: are too small for their overhead; with more, the passes hold fewer keys.
_SORT_SHARE = 12

#: Passes above which one pass through a temporary file is faster. At 13 passes both took 0.56 s of
#: processor time, at 22 passes 1.05 s (48 M tokens, file and corpus in the page cache).
_MOST_PASSES = 13


@dataclass(frozen=True)
class Budget:
    """Shares of the memory budget, in windows.

    Attributes:
        pass_windows: windows whose keys a pass holds.
        sort_windows: windows that one thread sorts at a time, unless one bucket has more.
        bucket_windows: maximum windows of a bucket that is sorted whole. Larger buckets are split
            in place first.
        spills: whether the keys of all windows are held in a temporary file, in one pass.
    """

    pass_windows: int
    sort_windows: int
    bucket_windows: int
    spills: bool = False


def budget(documents: DocumentSet, symbols: Symbols, work: Work, keeps: bool) -> Budget:
    """Divide the memory: first the tables, then a share for sorting, the rest for keys.

    Args:
        keeps: whether sorted runs are also packed and kept, for a count table.

    Raises:
        ResourceError: the memory does not hold the tables and the smallest pass.
    """
    fixed = fixed_bytes(documents, symbols, work.threads)
    free = work.memory_bytes - fixed
    per_window = _sorting_bytes(symbols.shape, work.threads, keeps)
    sort_windows = min(_SORT_WINDOWS, free // (_SORT_SHARE * per_window))
    if sort_windows < _LEAST_SORT_WINDOWS:
        least = fixed + _SORT_SHARE * per_window * _LEAST_SORT_WINDOWS
        raise ResourceError(
            f"--memory {format_bytes(work.memory_bytes)} is too little: counting "
            f"{len(documents)} documents with {len(symbols.ids)} distinct ids needs at least "
            f"{format_bytes(least)}. Pass a larger --memory, or fewer --threads."
        )
    # A frequent lead that fits the sorting share needs one sort and one scan.
    bucket_windows = free // (_SORT_SHARE * per_window)
    pass_windows = (free - per_window * bucket_windows) // symbols.shape.key_bytes
    if work.temporary is not None and documents.tokens > _MOST_PASSES * pass_windows:
        # All memory is for sorting, half of it as slack.
        sort_windows = min(_SORT_WINDOWS, free // per_window // 2)
        return Budget(documents.tokens, sort_windows, sort_windows, spills=True)
    return Budget(pass_windows, sort_windows, bucket_windows)


def fixed_bytes(documents: DocumentSet, symbols: Symbols, threads: int) -> int:
    """Return the bytes that a pass allocates under any budget."""
    key_bytes = symbols.shape.key_bytes
    # Per lead and thread: counts of ids, counts of windows, and offsets.
    per_thread = 2 * np.dtype(count_type(documents.tokens)).itemsize + 8
    # Per lead: low key, sizes and bounds.
    tables = symbols.leads * (per_thread * threads + key_bytes + 70) + symbols.alphabet.ranks.nbytes
    ends = len(documents) * 3 * (key_bytes + 16)
    scans = (threads + 1) * scan_bytes(symbols.shape)
    return _OVERHEAD_BYTES + threads * _THREAD_BYTES + tables + ends + scans


def _sorting_bytes(shape: KeyShape, threads: int, keeps: bool) -> int:
    """Return the bytes that sorting takes per window, in addition to its key.

    Each thread has scratch for its keys, and counts. Up to two results more than there are threads
    wait for the consumer: the counts of split leads, and what is kept.
    """
    waiting = 8 + (shape.key_bytes + 8 if keeps else 0)
    return threads * (shape.key_bytes + 8) + (threads + 2) * waiting
