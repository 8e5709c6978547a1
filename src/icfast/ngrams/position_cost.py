"""What counting by position will take, said before it begins (see cost.py for packed keys)."""

from __future__ import annotations

import time
from dataclasses import replace

import numpy as np

from icfast.corpus.documents import DocumentSet, ShardDocuments
from icfast.ngrams.alphabet import Symbols
from icfast.ngrams.cost import sample_tokens
from icfast.ngrams.positions import PositionBudget, spectra_by_position
from icfast.parallel.cost import Cost
from icfast.parallel.progress import silent
from icfast.parallel.threads import Work


def position_cost(
    documents: DocumentSet, symbols: Symbols, order: int, limits: PositionBudget, work: Work
) -> Cost:
    """Memory and passes as planned; seconds from every so manieth document, tried on one thread."""
    windows = documents.tokens
    return Cost(
        order=order,
        windows=windows,
        passes=limits.passes,
        memory_bytes=limits.planned_bytes,
        table_bytes=0,
        temporary_bytes=0,
        seconds=_seconds(documents, symbols, order, limits, work),
    )


def _seconds(
    documents: DocumentSet, symbols: Symbols, order: int, limits: PositionBudget, work: Work
) -> float:
    tokens = sample_tokens(documents.tokens)
    stride = max(1, documents.tokens // tokens)
    by_shard = tuple(_every(held, stride, tokens) for held in documents.by_shard)
    tried = replace(documents, by_shard=by_shard)
    alone = replace(work, threads=1, announce=None, progress=silent)
    with alone.pool() as pool:
        begun = time.process_time()
        spectra_by_position(tried, symbols, order, limits, alone, pool)
        elapsed = time.process_time() - begun
    return elapsed / max(1, tried.tokens) * documents.tokens / work.threads


def _every(held: ShardDocuments, stride: int, tokens: int) -> ShardDocuments:
    """Every so manieth document, no more than so many tokens of it."""
    chosen = np.zeros(len(held.starts), np.bool_)
    chosen[::stride] = True
    kept = held.where(chosen)
    return replace(kept, stops=np.minimum(kept.stops, kept.starts + tokens))
