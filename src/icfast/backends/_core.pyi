# Types of the extension module _core: the kernels of contract.py, compiled for the CPU.

from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.backends.arrays import F64, I32, I64, U32, U64, Status, Text
from icfast.backends.counting import (
    Alphabet,
    Buckets,
    Chunk,
    Ends,
    MergeScratch,
    SortedRun,
    SpectraOut,
    SpectraRanges,
)
from icfast.backends.losses import LossCells, Matrix, Softmax, TokenLosses
from icfast.backends.models import (
    Bigrams,
    CompactTrie,
    ContextScratch,
    Matches,
    MatchScratch,
    ScoreOut,
    Trie,
    Weights,
)

isa: str
isa_error: str

class MappedBytes:
    def __init__(self, descriptor: int, size: int) -> None: ...
    def __buffer__(self, flags: int, /) -> memoryview: ...
    @property
    def lost(self) -> int: ...

def add_losses(nll_nats: F64, kinds: NDArray[np.uint8], cells: I64, sums: LossCells) -> Status: ...
def count_ids(chunk: Chunk, counts: U64) -> Status: ...
def count_symbols(text: Text, begin: int, end: int, counts: U64) -> Status: ...
def count_windows(
    chunk: Chunk, alphabet: Alphabet, buckets: Buckets, slots: I32, depths: I32, counts: U64
) -> Status: ...
def cross_entropy(
    logits: Matrix, targets: NDArray[Any], softmax: Softmax, out: TokenLosses
) -> Status: ...
def end_windows(chunk: Chunk, alphabet: Alphabet, leads: U32, keys: U64) -> Status: ...
def grow_trie(
    run: SortedRun,
    ends: Ends,
    bits: int,
    path: U64,
    cursors: I64,
    trie: Trie,
    followed: NDArray[Any],
) -> Status: ...
def hash_documents(chunk: Chunk, hashes: U64) -> Status: ...
def join_documents(chunk: Chunk, alphabet: Alphabet, separator: int, symbols: I32) -> Status: ...
def linear_cross_entropy(
    hidden: Matrix,
    weight: Matrix,
    bias: Matrix,
    targets: NDArray[Any],
    softmax: Softmax,
    scratch: NDArray[np.uint8],
    out: TokenLosses,
) -> Status: ...
def linear_scratch_bytes(width: int) -> int: ...
def link_contexts(
    trie: Trie, bigrams: Bigrams, low: int, high: int, scratch: ContextScratch
) -> Status: ...
def mark_contexts(trie: Trie, followed: NDArray[Any]) -> Status: ...
def match_lengths(symbols: I32, separator: int, order: I32, links: I32) -> Status: ...
def match_windows(
    leads: U32,
    bounds: I64,
    keys: U64,
    bits: int,
    trie: Trie,
    weights: Weights,
    scratch: MatchScratch,
    matches: Matches,
) -> Status: ...
def merge_runs(
    runs: SortedRun, sequence: I64, total: SortedRun, scratch: MergeScratch
) -> Status: ...
def position_spectra(
    text: Text, order: int, bounds: I64, windows: U64, shared: U32, nodes: U64, out: SpectraRanges
) -> Status: ...
def remap_keys(
    keys: U64, ranks: U32, order: int, bits: int, new_keys: U64, new_bits: int
) -> Status: ...
def run_spectra(
    run: SortedRun,
    ends: Ends,
    order: int,
    bits: int,
    path: U64,
    sums: U64,
    flush: bool,
    out: SpectraOut,
) -> Status: ...
def scatter_positions(
    text: Text,
    begin: int,
    end: int,
    order: int,
    codes: U64,
    lead_begin: int,
    lead_end: int,
    offsets: I64,
    windows: U64,
) -> Status: ...
def scatter_windows(
    chunk: Chunk,
    alphabet: Alphabet,
    buckets: Buckets,
    bucket_begin: int,
    bucket_end: int,
    offsets: I64,
    keys: U64,
) -> Status: ...
def score_compact(chunk: Chunk, alphabet: Alphabet, trie: CompactTrie, out: ScoreOut) -> Status: ...
def score_ngrams(
    chunk: Chunk, alphabet: Alphabet, trie: Trie, discounts: F64, uniform: float, out: ScoreOut
) -> Status: ...
def score_windows(
    chunk: Chunk,
    alphabet: Alphabet,
    unknown: int,
    offsets: I64,
    matches: Matches,
    begin_backoff: float,
    out: ScoreOut,
) -> Status: ...
def sort_positions(
    text: Text,
    order: int,
    bits: int,
    bounds: I64,
    windows: U64,
    shared: U32,
    entries: U64,
    scratch: U64,
) -> Status: ...
def sort_runs(bounds: I64, keys: U64, counts: U64, scratch: U64, distinct: I64) -> Status: ...
def sort_suffixes(symbols: I32, alphabet: int, order: I32, work: I32) -> Status: ...
def split_keys(keys: U64, largest: int, bounds: I64) -> Status: ...
def weigh_ngrams(
    trie: Trie,
    bigrams: Bigrams,
    discounts: F64,
    uniform: float,
    low: int,
    high: int,
    scratch: ContextScratch,
    probabilities: F64,
    backoffs: F64,
) -> Status: ...
def write_text(chunk: Chunk, alphabet: Alphabet, places: I64, text: Text) -> Status: ...
