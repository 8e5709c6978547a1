"""The cost of a count before it begins: passes, memory and disk.

Windows and passes follow from the plan. The size of a table, and what threads hold at once, depend
on the share of distinct windows, which is extrapolated from a sample of the corpus.
"""

from __future__ import annotations

import math
from typing import Literal

import numpy as np

from icfast.corpus.chunks import check_ids, sample
from icfast.corpus.documents import DocumentSet
from icfast.errors import check
from icfast.ngrams.budget import fixed_bytes
from icfast.ngrams.positions import PositionBudget
from icfast.ngrams.windows import WindowCount
from icfast.parallel.buffers import zeros
from icfast.parallel.cost import Cost

#: Share of the tokens that is sampled, and the bounds of the sample in tokens.
_SAMPLE_SHARE = 1 / 128
_LEAST_SAMPLE = 1 << 15
_MOST_SAMPLE = 1 << 20

#: Places that the sample is taken from, and minimum tokens at each. Longer stretches have fewer
#: histories that the sample cuts off.
_PLACES = 512
_PLACE_TOKENS = 256

#: Bytes of a table entry in addition to its key: the count, and a share of leads and headers.
_ENTRY_BYTES = 2

#: Maximum of the same: a lead for every entry, and a count of eight bytes.
_MOST_ENTRY_BYTES = 20

#: The purpose of the sorted windows: spectra only, a table, or a table that is removed after use.
Table = Literal["none", "kept", "temporary"]


def key_cost(count: WindowCount, table: Table) -> Cost:
    """Return the cost of a count of packed keys."""
    windows, limits = count.documents.tokens, count.limits
    key_bytes = count.symbols.shape.key_bytes
    distinct = _distinct(count)
    table_bytes = round(distinct * (key_bytes + _ENTRY_BYTES)) if table != "none" else 0
    spilled_bytes = count.plan.pass_windows * key_bytes if limits.spills else 0
    memory_bytes = _memory_bytes(count, distinct / max(windows, 1), table != "none")
    return Cost(
        order=count.symbols.shape.order,
        windows=windows,
        passes=len(count.plan.passes),
        memory_bytes=memory_bytes - spilled_bytes,
        table_bytes=table_bytes,
        temporary_bytes=spilled_bytes + (table_bytes if table == "temporary" else 0),
    )


def position_cost(documents: DocumentSet, order: int, limits: PositionBudget) -> Cost:
    """Return the cost of a count by position."""
    return Cost(
        order=order,
        windows=documents.tokens,
        passes=limits.passes,
        memory_bytes=limits.planned_bytes,
        table_bytes=0,
        temporary_bytes=0,
    )


def most_table_bytes(count: WindowCount) -> int:
    """Return the size of a table if all windows are distinct, an upper bound."""
    return count.documents.tokens * (count.symbols.shape.key_bytes + _MOST_ENTRY_BYTES)


def _memory_bytes(count: WindowCount, distinct_share: float, keeps: bool) -> int:
    """Return the bytes that the passes allocate or map.

    Counts, and runs that are kept, take memory only for distinct windows.
    """
    plan, limits, threads = count.plan, count.limits, count.work.threads
    held, key_bytes = plan.pass_windows, count.symbols.shape.key_bytes
    largest = np.sort(plan.windows)[::-1][:threads].clip(max=limits.bucket_windows)
    buckets = largest.astype(np.int64).tolist()
    sorts = [max(size, limits.sort_windows) for size in buckets]
    counts = 8 * distinct_share * min(held, sum(sorts))
    scratch = key_bytes * sum(buckets)
    # Up to two results more than threads wait, all of one pass: the next pass waits for them.
    split = plan.windows.max(initial=0) > limits.bucket_windows or plan.split.any()
    each = (8 if split else 0) + (key_bytes + _ENTRY_BYTES if keeps else 0)
    waiting = each * distinct_share * min(held, (threads + 2) * max(sorts, default=0))
    fixed = fixed_bytes(count.documents, count.symbols, threads)
    return int(fixed + held * key_bytes + scratch + counts + waiting)


def _distinct(count: WindowCount) -> float:
    """Return the number of distinct windows, extrapolated by Heaps' law from two samples."""
    windows, limits = count.documents.tokens, count.limits
    held = limits.bucket_windows if limits.spills else limits.pass_windows // 4
    tokens = min(max(int(windows * _SAMPLE_SHARE), _LEAST_SAMPLE), _MOST_SAMPLE, held)
    places = max(1, min(_PLACES, tokens // _PLACE_TOKENS))
    few, few_distinct = _sampled(count, max(1, tokens // 2), places)
    many, many_distinct = _sampled(count, tokens, places)
    if not few_distinct or many >= windows or few >= many:
        return float(many_distinct)
    exponent = math.log(many_distinct / few_distinct) / math.log(many / few)
    growth = float((windows / many) ** min(max(exponent, 0.0), 1.0))
    return min(many_distinct * growth, float(windows))


def _sampled(count: WindowCount, tokens: int, places: int) -> tuple[int, int]:
    """Return (windows, distinct windows) of a sample, sorted on this thread."""
    kernels, symbols, buckets = count.work.backend.kernels, count.symbols, count.plan.buckets
    size = len(count.plan.leads)
    slots, depths = np.arange(size, dtype=np.int32), np.zeros(size, np.int32)
    sizes = np.zeros((size, 1), np.uint64)
    chunks = [(symbols.view(c), shard) for c, shard in sample(count.documents, tokens, places)]
    for chunk, shard in chunks:
        status = kernels.count_windows(chunk, symbols.alphabet, buckets, slots, depths, sizes)
        check_ids(status, shard, symbols.vocab_size)
    bounds = np.append(0, np.cumsum(sizes)).astype(np.int64)
    keys = zeros((int(bounds[-1]), symbols.shape.words), np.uint64)
    offsets = bounds[:-1].copy()
    for chunk, shard in chunks:
        status = kernels.scatter_windows(chunk, symbols.alphabet, buckets, 0, size, offsets, keys)
        check_ids(status, shard, symbols.vocab_size)
    counts = zeros(len(keys), np.uint64)
    scratch = zeros((int(sizes.max(initial=0)), symbols.shape.words), np.uint64)
    distinct = np.zeros(size, np.int64)
    check(kernels.sort_runs(bounds, keys, counts, scratch, distinct))
    return len(keys), int(distinct.sum())
