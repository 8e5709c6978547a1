"""Contract of the counting kernels: windows, keys, sorted runs, texts and their spectra.

The window that ends at token t has a *lead*, the rank of w[t] (u32), and a *key*: its history
w[t-1], w[t-2], ..., w[t-N+1]. A key packs ``bits`` per symbol into W u64 words, most significant
first. Rank 0 is the begin mark. A history that reaches the document's start is filled with zeros.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from icfast.backends.arrays import I32, I64, U32, U64, Status, Text, Tokens

#: Longest key in u64 words, so (order - 1) * bits <= 256.
MAX_KEY_WORDS = 4

#: Highest order of windows packed into keys, since kernels keep a row per order on the stack.
#: Windows that are stored as positions can have any order.
MAX_ORDER = 64

#: Zeros before each document of a text.
TEXT_PADDING = 4

#: Spectrum kinds, in the order run_spectra writes them.
KINDS = ("complete", "starting", "followed", "starting_followed", "left_neighbours")


class Chunk(NamedTuple):
    """Documents of one shard as half-open ranges, clipped to tokens [begin, end)."""

    tokens: Tokens
    starts: I64
    stops: I64
    begin: int
    end: int


class Alphabet(NamedTuple):
    """Map from ids to symbols.

    Attributes:
        ranks: ranks[id] is 1..U, or 0 for an id that is not in the alphabet.
        end_rank: rank U + 1 of the end mark, or 0 without an end mark.
        order: N, the length of windows.
        bits: bits per symbol of a key.
    """

    ranks: U32
    end_rank: int
    order: int
    bits: int


class Buckets(NamedTuple):
    """Partition of the windows in key order.

    Attributes:
        first: the buckets of a lead are first[lead] .. first[lead + 1].
        low: the lowest key of each bucket.
    """

    first: U32
    low: U64


class SortedRun(NamedTuple):
    """Sorted distinct windows with counts. Bucket b has the lead leads[b].

    Its entries are keys and counts [bounds[b], bounds[b + 1]).
    """

    leads: U32
    bounds: I64
    keys: U64
    counts: U64


class MergeScratch(NamedTuple):
    """Scratch space of merge_runs, with as many entries as all runs."""

    keys: U64
    counts: U64


class Ends(NamedTuple):
    """Windows that end a document, sorted, with the number of documents that each ends."""

    leads: U32
    keys: U64
    counts: U64


class SpectraOut(NamedTuple):
    """Spectra: phi_r, the number of n-grams that occur r times, by kind and order.

    Attributes:
        small: small[kind, n - 1, r] = phi_r for small r.
        large: the larger counts r of each kind and order.
        large_lengths: the number of counts in each list of large.
    """

    small: U64
    large: U64
    large_lengths: I64


class SpectraRanges(NamedTuple):
    """Spectra as differences between orders: phi_r at order n is the sum of small[kind, 1..n, r].

    Larger r are rows (kind, r, first order, last order) of large; large_length[0] is their number.
    """

    small: U64
    large: U64
    large_length: I64


class CountingKernels(Protocol):
    """Kernels that count. Each returns a Status."""

    def count_ids(self, chunk: Chunk, counts: U64) -> Status:
        """Add the occurrences of each id in the chunk to counts[id]."""

    def hash_documents(self, chunk: Chunk, hashes: U64) -> Status:
        """Write the hash of each document: fmix64 of FNV-1a over its ids as little-endian u32."""

    def count_windows(
        self,
        chunk: Chunk,
        alphabet: Alphabet,
        buckets: Buckets,
        slots: I32,
        depths: I32,
        counts: U64,
    ) -> Status:
        """Count windows by the slot of their bucket and by one symbol of their history."""

    def scatter_windows(
        self,
        chunk: Chunk,
        alphabet: Alphabet,
        buckets: Buckets,
        bucket_begin: int,
        bucket_end: int,
        offsets: I64,
        keys: U64,
    ) -> Status:
        """Write each window's key at the offset of its bucket; count windows that do not fit."""

    def end_windows(self, chunk: Chunk, alphabet: Alphabet, leads: U32, keys: U64) -> Status:
        """Write the last window of each document."""

    def split_keys(self, keys: U64, largest: int, bounds: I64) -> Status:
        """Split one bucket in place into parts of ascending keys. Equal keys stay in one part.

        Args:
            keys: the keys of the bucket.
            largest: parts of at most this many keys are not split further.
            bounds: i64[257], the bounds of the parts.
        """

    def sort_runs(self, bounds: I64, keys: U64, counts: U64, scratch: U64, distinct: I64) -> Status:
        """Sort each bucket and replace equal keys by one key and a count, at the bucket's front."""

    def run_spectra(
        self,
        run: SortedRun,
        ends: Ends,
        order: int,
        bits: int,
        path: U64,
        sums: U64,
        flush: bool,
        out: SpectraOut,
    ) -> Status:
        """Add the spectra of orders 1..N of a sorted run; path and sums carry open n-grams."""

    def write_text(self, chunk: Chunk, alphabet: Alphabet, places: I64, text: Text) -> Status:
        """Write the symbol of token t of document d to text[places[d] + t], and the end marks."""

    def count_symbols(self, text: Text, begin: int, end: int, counts: U64) -> Status:
        """Add the occurrences of each symbol in text[begin:end] to counts[symbol]."""

    def scatter_positions(
        self,
        text: Text,
        begin: int,
        end: int,
        order: int,
        codes: U64,
        lead_begin: int,
        lead_end: int,
        offsets: I64,
        windows: U64,
    ) -> Status:
        """Write each window at the offset of its lead.

        A window is one word. Its lowest bit is set if it ends its document or has fewer than N
        tokens. The next bits are its position. The highest bits begin its history's code.

        Args:
            codes: u64[symbols], a byte code per symbol from the highest byte down. The last byte is
                128..255, the others are 1..127.
        """

    def sort_positions(
        self,
        text: Text,
        order: int,
        bits: int,
        bounds: I64,
        windows: U64,
        shared: U32,
        entries: U64,
        scratch: U64,
    ) -> Status:
        """Sort the windows of each bucket and remove their codes.

        Args:
            shared: receives the number of symbols that each window shares with the previous one.
        """

    def position_spectra(
        self,
        text: Text,
        order: int,
        bounds: I64,
        windows: U64,
        shared: U32,
        nodes: U64,
        out: SpectraRanges,
    ) -> Status:
        """Add the spectra of orders 1..N of sorted buckets."""

    def remap_keys(
        self, keys: U64, ranks: U32, order: int, bits: int, new_keys: U64, new_bits: int
    ) -> Status:
        """Translate keys to another alphabet."""

    def merge_runs(
        self, runs: SortedRun, sequence: I64, total: SortedRun, scratch: MergeScratch
    ) -> Status:
        """Merge concatenated runs and add the counts of equal windows.

        Args:
            sequence: the buckets of all runs, ordered by lead.
            total: receives the result; its leads are given.
        """

    def join_documents(
        self, chunk: Chunk, alphabet: Alphabet, separator: int, symbols: I32
    ) -> Status:
        """Write ranks[id] - 1 of each token, and a separator after each complete document."""

    def sort_suffixes(self, symbols: I32, alphabet: int, order: I32, work: I32) -> Status:
        """Write the suffix array: the positions of all suffixes in lexicographic order."""

    def match_lengths(self, symbols: I32, separator: int, order: I32, links: I32) -> Status:
        """Compute match lengths from the suffix array.

        Replace order by the longest match of each suffix with an earlier one, and symbols by the
        longest match with any other suffix.
        """
