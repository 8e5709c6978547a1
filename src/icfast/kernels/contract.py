"""The kernel contract: array groups, names and meanings that every backend keeps.

A kernel is a pure function over flat C-contiguous arrays the caller owns. It allocates nothing
the caller sees, raises nothing and returns a :data:`Status`, which ``errors.check`` turns into an
exception. Formulas and shapes stand in ``csrc/include/icfast/kernels.hpp``.

Windows. A window ending at token t is a *lead* (rank of w[t], u32) and a *key*, the history
w[t-1], w[t-2], ..., w[t-N+1] packed into W u64 words, most significant first, ``bits`` per
symbol. Rank 0 is the begin mark; a history cut by the document's start ends in zeros.
"""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from icfast.kernels.losses import LossKernels

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I32 = NDArray[np.int32]
I64 = NDArray[np.int64]
F64 = NDArray[np.float64]
Tokens = NDArray[Any]

#: u16 or u32: the symbols of all documents, zeros between them.
Text = NDArray[Any]

#: u32 or u64: where windows end in a text; the top bit marks windows at a document's edge.
Positions = NDArray[Any]

#: (code, index, value); code 0 is success.
Status = tuple[int, int, int]

#: Longest key in u64 words, hence (order - 1) * bits <= 256.
MAX_KEY_WORDS = 4

#: Longest n-grams packed into keys; kernels keep a row per order on the stack. Windows known by
#: their position may be of any order.
MAX_ORDER = 64

#: Zeros before each document of a text.
TEXT_PADDING = 4

#: Spectrum kinds, in the order run_spectra writes them.
KINDS = ("complete", "starting", "followed", "starting_followed", "left_neighbours")

#: Fields of a context row, in the order link_contexts writes them.
CONTEXT_FIELDS = (
    "followed_by",
    "successors",
    "raw_ones",
    "raw_twos",
    "adjusted_total",
    "adjusted_ones",
    "adjusted_twos",
)


class Piece(NamedTuple):
    """Documents of one shard as half-open spans, clipped to tokens [begin, end)."""

    tokens: Tokens
    starts: I64
    stops: I64
    begin: int
    end: int


class Alphabet(NamedTuple):
    """How ids become symbols: ranks[id] = 1..U, 0 for ids outside; end_rank U + 1, 0 for none."""

    ranks: U32
    end_rank: int
    order: int
    bits: int


class Buckets(NamedTuple):
    """A partition of the windows in key order: first[lead] .. first[lead + 1], low keys."""

    first: U32
    low: U64


class Run(NamedTuple):
    """Sorted distinct windows: bucket b is leads[b] with entries bounds[b]..bounds[b + 1]."""

    leads: U32
    bounds: I64
    keys: U64
    counts: U64


class MergeRoom(NamedTuple):
    """What merge_runs works in: as many entries as all runs have."""

    keys: U64
    counts: U64


class Ends(NamedTuple):
    """The windows that end a document, sorted, and how many documents each ends."""

    leads: U32
    keys: U64
    counts: U64


class Trie(NamedTuple):
    """N-grams by order, each level in suffix order.

    contexts row 0 is the empty context; marks u64[nodes / 64, 2] finds the rows of contexts that
    are not followed exactly once: a bitmap, and how many stand before it.
    """

    levels: I64
    symbols: U32
    counts: NDArray[Any]
    child: NDArray[Any]
    marks: U64
    contexts: NDArray[Any]


class Bigrams(NamedTuple):
    """The bigrams by their older symbol: rank of the newer one, and node."""

    starts: I64
    words: U32
    nodes: NDArray[Any]


class ContextRoom(NamedTuple):
    """What walks over contexts work in: an entry a rank, and lists of nodes."""

    table: U32
    lists: NDArray[Any]


class CompactTrie(NamedTuple):
    """N-grams of a compressed model by order, each level in suffix order; losses in 2^-32 nat.

    unigrams i64[ranks + 1, 3]: loss (row 0: of an unknown symbol), backoff, first child. layout
    i64[N - 1, 3] of orders 2..N: bits of a place, bits of a record, bit its records begin at.
    codebooks i64[N - 1, 2, codes]: losses, then backoffs. records: place, loss code, backoff code
    (below N) of each n-gram. children: the n-grams of orders 2..N-1, a set bit each, and a clear
    one for each child; samples: where every 64th set bit stands. Places that do not fit are all
    ones, and found in exceptions (n-grams, ascending) and exception_places.
    """

    levels: I64
    unigrams: I64
    layout: I64
    codebooks: I64
    records: U64
    children: U64
    samples: U64
    exceptions: I64
    exception_places: U32


class Weights(NamedTuple):
    """The order-N model: p of each n-gram (0: of an unknown symbol), backoff of each context."""

    probabilities: F64
    backoffs: F64


class Matches(NamedTuple):
    """Windows matched with a model; equal ones share a row, rows[i] is window i's.

    records f64[rows, N]: p of the longest n-gram, products of backoffs. losses: in 2^-32 nat, or
    OPEN_LOSS + symbols of the longest n-gram until they are found; OPEN_LOSS alone for p = 0.
    """

    rows: U32
    records: F64
    losses: U64


#: What losses of matches that are not known yet begin at.
OPEN_LOSS = 1 << 63


class MatchRoom(NamedTuple):
    """What match_windows works in: keys for twice the largest bucket, a table for four times."""

    scratch: U64
    table: U32


class SpectraOut(NamedTuple):
    """small[kind, n - 1, r] = phi_r for small r; larger r are listed in large."""

    small: U64
    large: U64
    large_lengths: I64


class SpectraRanges(NamedTuple):
    """Spectra as ranges of orders: phi_r at order n is the sum of small[kind, 1 .. n, r].

    Larger r are listed in large as (kind, r, first order, last order), large_length[0] of them.
    """

    small: U64
    large: U64
    large_length: I64


class ScoreOut(NamedTuple):
    """Per document and order: nats in units of 2^-32, 128 bits; and what they leave out.

    predicted and oov are per document; symbols of probability 0 are counted in infinite.
    """

    low: U64
    high: U64
    predicted: U64
    oov: U64
    infinite: U64


class Kernels(LossKernels, Protocol):
    """What a backend offers; every one returns a Status."""

    def count_ids(self, piece: Piece, counts: U64) -> Status:
        """Add to counts[id] how often each id stands in the piece."""

    def hash_documents(self, piece: Piece, hashes: U64) -> Status:
        """Hash each document: fmix64 of FNV-1a over its ids as little-endian u32."""

    def count_windows(
        self,
        piece: Piece,
        alphabet: Alphabet,
        buckets: Buckets,
        slots: I32,
        depths: I32,
        counts: U64,
    ) -> Status:
        """Count windows by bucket slot and by one history symbol."""

    def scatter_windows(
        self,
        piece: Piece,
        alphabet: Alphabet,
        buckets: Buckets,
        bucket_begin: int,
        bucket_end: int,
        offsets: I64,
        keys: U64,
    ) -> Status:
        """Write each window's key behind the offset of its bucket; count those without room."""

    def end_windows(self, piece: Piece, alphabet: Alphabet, leads: U32, keys: U64) -> Status:
        """Write the last window of each document."""

    def split_keys(self, keys: U64, largest: int, bounds: I64) -> Status:
        """Cut one bucket in place into ascending parts; equal keys stay in the first.

        bounds is i64[257]; parts of at most `largest` keys need no further cut.
        """

    def sort_runs(self, bounds: I64, keys: U64, counts: U64, scratch: U64, distinct: I64) -> Status:
        """Sort each bucket; equal keys become one key and a count, packed from the front."""

    def run_spectra(
        self,
        run: Run,
        ends: Ends,
        order: int,
        bits: int,
        path: U64,
        sums: U64,
        flush: bool,
        out: SpectraOut,
    ) -> Status:
        """Add the spectra of orders 1..N of a run; path and sums carry open n-grams."""

    def write_text(self, piece: Piece, alphabet: Alphabet, places: I64, text: Text) -> Status:
        """Write text[places[d] + t] = the symbol of token t of document d, and end marks."""

    def count_symbols(self, text: Text, begin: int, end: int, counts: U64) -> Status:
        """Add to counts[symbol] how often each stands in text[begin..end)."""

    def scatter_positions(
        self,
        text: Text,
        begin: int,
        end: int,
        order: int,
        lead_begin: int,
        lead_end: int,
        offsets: I64,
        positions: Positions,
    ) -> Status:
        """Write each window's position behind the offset of its lead."""

    def sort_positions(
        self,
        text: Text,
        order: int,
        bits: int,
        bounds: I64,
        positions: Positions,
        shared: U32,
        entries: U64,
        scratch: U64,
    ) -> Status:
        """Sort each bucket's windows; shared says what each has in common with the one before."""

    def position_spectra(
        self,
        text: Text,
        order: int,
        bounds: I64,
        positions: Positions,
        shared: U32,
        nodes: U64,
        out: SpectraRanges,
    ) -> Status:
        """Add the spectra of orders 1..N of sorted buckets."""

    def remap_keys(
        self, keys: U64, ranks: U32, order: int, bits: int, new_keys: U64, new_bits: int
    ) -> Status:
        """Write the same windows under another alphabet."""

    def merge_runs(self, runs: Run, sequence: I64, total: Run, room: MergeRoom) -> Status:
        """Add runs that stand one behind the other; total's leads are given.

        Args:
            sequence: the buckets of all runs by lead.
        """

    def grow_trie(
        self,
        run: Run,
        ends: Ends,
        bits: int,
        path: U64,
        cursors: I64,
        trie: Trie,
        followed: NDArray[Any],
    ) -> Status:
        """Append the n-grams of a run to the trie; add to followed[node] how often one follows."""

    def mark_contexts(self, trie: Trie, followed: NDArray[Any]) -> Status:
        """Give each context that is not followed exactly once its row."""

    def link_contexts(
        self, trie: Trie, bigrams: Bigrams, low: int, high: int, room: ContextRoom
    ) -> Status:
        """Let every n-gram of order >= 2 add itself to its context, where that has a row."""

    def score_ngrams(
        self,
        piece: Piece,
        alphabet: Alphabet,
        trie: Trie,
        discounts: F64,
        uniform: float,
        out: ScoreOut,
    ) -> Status:
        """Overwrite out with each document's losses under the order-k models."""

    def weigh_ngrams(
        self,
        trie: Trie,
        bigrams: Bigrams,
        discounts: F64,
        uniform: float,
        low: int,
        high: int,
        room: ContextRoom,
        probabilities: F64,
        backoffs: F64,
    ) -> Status:
        """Write the weights of contexts in [low, high), their successors, and these unigrams."""

    def match_windows(
        self,
        leads: U32,
        bounds: I64,
        keys: U64,
        bits: int,
        trie: Trie,
        weights: Weights,
        room: MatchRoom,
        matches: Matches,
    ) -> Status:
        """Write the row of every window."""

    def score_windows(
        self,
        piece: Piece,
        alphabet: Alphabet,
        unknown: int,
        offsets: I64,
        matches: Matches,
        begin_backoff: float,
        out: ScoreOut,
    ) -> Status:
        """Overwrite out with each document's loss, from the rows of its windows; keep theirs."""

    def join_documents(
        self, piece: Piece, alphabet: Alphabet, separator: int, symbols: I32
    ) -> Status:
        """Write ranks[id] - 1 of each token, and behind each ended document the next separator."""

    def sort_suffixes(self, symbols: I32, alphabet: int, order: I32, work: I32) -> Status:
        """Write the positions of all suffixes in their order."""

    def match_lengths(self, symbols: I32, separator: int, order: I32, links: I32) -> Status:
        """Replace order by match lengths with what begins earlier, symbols by those with all."""

    def score_compact(
        self, piece: Piece, alphabet: Alphabet, trie: CompactTrie, out: ScoreOut
    ) -> Status:
        """Overwrite out with each document's loss under a compressed model."""
