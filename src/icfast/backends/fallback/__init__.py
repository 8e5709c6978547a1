"""Kernels compiled by numba, for machines without the compiled core. Integers are equal."""

from icfast.backends.fallback.bulk import match_windows, score_windows, weigh_ngrams
from icfast.backends.fallback.compact import score_compact
from icfast.backends.fallback.documents import count_ids, hash_documents, join_documents
from icfast.backends.fallback.linear import linear_cross_entropy, linear_scratch_bytes
from icfast.backends.fallback.merging import merge_runs, remap_keys
from icfast.backends.fallback.positions import (
    count_symbols,
    position_spectra,
    scatter_positions,
    sort_positions,
    write_text,
)
from icfast.backends.fallback.scoring import score_ngrams
from icfast.backends.fallback.softmax import cross_entropy
from icfast.backends.fallback.sorting import sort_runs, split_keys
from icfast.backends.fallback.spectra import run_spectra
from icfast.backends.fallback.suffixes import match_lengths, sort_suffixes
from icfast.backends.fallback.sums import add_losses
from icfast.backends.fallback.trie import grow_trie, link_contexts, mark_contexts
from icfast.backends.fallback.windows import count_windows, end_windows, scatter_windows

__all__ = [
    "add_losses",
    "count_ids",
    "count_symbols",
    "count_windows",
    "cross_entropy",
    "end_windows",
    "grow_trie",
    "hash_documents",
    "join_documents",
    "linear_cross_entropy",
    "linear_scratch_bytes",
    "link_contexts",
    "mark_contexts",
    "match_lengths",
    "match_windows",
    "merge_runs",
    "position_spectra",
    "remap_keys",
    "run_spectra",
    "scatter_positions",
    "scatter_windows",
    "score_compact",
    "score_ngrams",
    "score_windows",
    "sort_positions",
    "sort_runs",
    "sort_suffixes",
    "split_keys",
    "weigh_ngrams",
    "write_text",
]
