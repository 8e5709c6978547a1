"""Contract of the kernels of n-gram models: tries of counts, weights and losses of documents."""

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

    Attributes:
        levels: i64[N + 1], the nodes of order n are levels[n - 1] .. levels[n].
        symbols: u32[nodes], the oldest symbol of each n-gram.
        counts: u32 or u64[nodes], occurrences of each n-gram.
        child: first child of each node of orders 1..N-1: the n-grams with one older symbol.
        marks: u64[nodes / 64, 2], a bitmap of the contexts that have a row because they are not
            followed exactly once, and the number of rows before each word.
        contexts: rows of CONTEXT_FIELDS. Row 0 is the empty context.
    """

    levels: I64
    symbols: U32
    counts: NDArray[Any]
    child: NDArray[Any]
    marks: U64
    contexts: NDArray[Any]


class Bigrams(NamedTuple):
    """Bigrams grouped by their older symbol: rank of the newer symbol, and node."""

    starts: I64
    words: U32
    nodes: NDArray[Any]


class ContextScratch(NamedTuple):
    """Scratch space of kernels that visit contexts: one entry per rank, and lists of nodes."""

    table: U32
    lists: NDArray[Any]


class CompactTrie(NamedTuple):
    """N-grams of a compressed model by order, each level in suffix order. Losses are in 2^-32 nat.

    Attributes:
        levels: i64[N + 1], the n-grams of order n are levels[n - 1] .. levels[n].
        unigrams: i64[ranks + 1, 3], loss, backoff and first child. Row 0 has the loss of an unknown
            symbol.
        layout: i64[N - 1, 3] for orders 2..N: bits per position, bits per record, first bit of the
            records.
        codebooks: i64[N - 1, 2, codes], losses and backoffs.
        records: position of the context among its siblings, loss code and, below order N, backoff
            code of each n-gram.
        children: bitmap of the n-grams of orders 2..N-1: a set bit, then a clear bit per child.
        samples: positions of every 64th set bit of children.
        exceptions: n-grams whose position does not fit, ascending. Their position is all ones.
        exception_places: positions of the exceptions.
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
    """The order-N model: probability of each n-gram and backoff of each context.

    Entry 0 of probabilities is that of an unknown symbol.
    """

    probabilities: F64
    backoffs: F64


class Matches(NamedTuple):
    """Windows matched with a model. Equal windows share a row.

    Attributes:
        rows: the row of each window.
        records: f64[rows, N], probability of the longest matching n-gram and products of backoffs.
        losses: the loss in 2^-32 nat. It is OPEN_LOSS + length of the longest n-gram until it is
            known, and OPEN_LOSS for probability 0.
    """

    rows: U32
    records: F64
    losses: U64


#: Smallest value of a loss that is not known yet.
OPEN_LOSS = 1 << 63


class MatchScratch(NamedTuple):
    """Scratch space of match_windows.

    Attributes:
        keys: two entries per window of the largest bucket.
        table: hash table with four entries per window of the largest bucket.
    """

    keys: U64
    table: U32


class ScoreOut(NamedTuple):
    """Losses by document and order.

    Attributes:
        low, high: halves of the 128-bit sum of losses in units of 2^-32 nat.
        predicted: predicted symbols, by document.
        oov: predicted symbols that the model never saw, by document.
        infinite: predicted symbols of probability 0, which the sums leave out.
    """

    low: U64
    high: U64
    predicted: U64
    oov: U64
    infinite: U64


class ModelKernels(Protocol):
    """Kernels that build and query models. Each returns a Status."""

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
        """Append the n-grams of a sorted run to the trie.

        Add to followed[node] how often another symbol follows the n-gram.
        """

    def mark_contexts(self, trie: Trie, followed: NDArray[Any]) -> Status:
        """Assign a row to each context that is not followed exactly once."""

    def link_contexts(
        self, trie: Trie, bigrams: Bigrams, low: int, high: int, scratch: ContextScratch
    ) -> Status:
        """Add every n-gram of order >= 2 to the row of its context, if there is one."""

    def score_ngrams(
        self,
        chunk: Chunk,
        alphabet: Alphabet,
        trie: Trie,
        discounts: F64,
        uniform: float,
        out: ScoreOut,
    ) -> Status:
        """Write the losses of each document under the order-k models."""

    def weigh_ngrams(
        self,
        trie: Trie,
        bigrams: Bigrams,
        discounts: F64,
        uniform: float,
        low: int,
        high: int,
        scratch: ContextScratch,
        probabilities: F64,
        backoffs: F64,
    ) -> Status:
        """Write the weights of contexts that end in symbols [low, high), of their successors and of
        these unigrams.
        """

    def match_windows(
        self,
        leads: U32,
        bounds: I64,
        keys: U64,
        bits: int,
        trie: Trie,
        weights: Weights,
        scratch: MatchScratch,
        matches: Matches,
    ) -> Status:
        """Write the row and the record of every window."""

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
        """Write the loss of each document from the rows of its windows.

        A window's loss is computed once and then kept in its row.
        """

    def score_compact(
        self, chunk: Chunk, alphabet: Alphabet, trie: CompactTrie, out: ScoreOut
    ) -> Status:
        """Write the loss of each document under a compressed model."""
