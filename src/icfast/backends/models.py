"""The contract of the kernels of n-gram models: tries of counts, weights, documents' losses."""

from __future__ import annotations

from typing import Any, NamedTuple, Protocol

from numpy.typing import NDArray

from icfast.backends.arrays import F64, I64, U32, U64, Status
from icfast.backends.counting import Alphabet, Chunk, Ends, SortedRun

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


class ScoreOut(NamedTuple):
    """Per document and order: nats in units of 2^-32, 128 bits; and what they leave out.

    predicted and oov are per document; symbols of probability 0 are counted in infinite.
    """

    low: U64
    high: U64
    predicted: U64
    oov: U64
    infinite: U64


class ModelKernels(Protocol):
    """What makes and asks models; every one returns a Status."""

    def grow_trie(
        self,
        run: SortedRun,
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
        chunk: Chunk,
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
        chunk: Chunk,
        alphabet: Alphabet,
        unknown: int,
        offsets: I64,
        matches: Matches,
        begin_backoff: float,
        out: ScoreOut,
    ) -> Status:
        """Overwrite out with each document's loss, from the rows of its windows; keep theirs."""

    def score_compact(
        self, chunk: Chunk, alphabet: Alphabet, trie: CompactTrie, out: ScoreOut
    ) -> Status:
        """Overwrite out with each document's loss under a compressed model."""
