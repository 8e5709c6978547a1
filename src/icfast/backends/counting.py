"""The contract of the counting kernels: windows, keys, sorted runs, texts, and their spectra.

Windows. A window ending at token t is a *lead* (rank of w[t], u32) and a *key*, the history
w[t-1], w[t-2], ..., w[t-N+1] packed into W u64 words, most significant first, ``bits`` per
symbol. Rank 0 is the begin mark; a history cut by the document's start ends in zeros.
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from icfast.backends.arrays import I32, I64, U32, U64, Status, Text, Tokens

#: Longest key in u64 words, hence (order - 1) * bits <= 256.
MAX_KEY_WORDS = 4

#: Longest n-grams packed into keys; kernels keep a row per order on the stack. Windows known by
#: their position may be of any order.
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
    """How ids become symbols: ranks[id] = 1..U, 0 for ids outside; end_rank U + 1, 0 for none."""

    ranks: U32
    end_rank: int
    order: int
    bits: int


class Buckets(NamedTuple):
    """A partition of the windows in key order: first[lead] .. first[lead + 1], low keys."""

    first: U32
    low: U64


class SortedRun(NamedTuple):
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


class CountingKernels(Protocol):
    """What counts; every one returns a Status."""

    def count_ids(self, chunk: Chunk, counts: U64) -> Status:
        """Add to counts[id] how often each id stands in the chunk."""

    def hash_documents(self, chunk: Chunk, hashes: U64) -> Status:
        """Hash each document: fmix64 of FNV-1a over its ids as little-endian u32."""

    def count_windows(
        self,
        chunk: Chunk,
        alphabet: Alphabet,
        buckets: Buckets,
        slots: I32,
        depths: I32,
        counts: U64,
    ) -> Status:
        """Count windows by bucket slot and by one history symbol."""

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
        """Write each window's key behind the offset of its bucket; count those without room."""

    def end_windows(self, chunk: Chunk, alphabet: Alphabet, leads: U32, keys: U64) -> Status:
        """Write the last window of each document."""

    def split_keys(self, keys: U64, largest: int, bounds: I64) -> Status:
        """Cut one bucket in place into ascending parts; equal keys stay in the first.

        bounds is i64[257]; parts of at most `largest` keys need no further cut.
        """

    def sort_runs(self, bounds: I64, keys: U64, counts: U64, scratch: U64, distinct: I64) -> Status:
        """Sort each bucket; equal keys become one key and a count, packed from the front."""

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
        """Add the spectra of orders 1..N of a run; path and sums carry open n-grams."""

    def write_text(self, chunk: Chunk, alphabet: Alphabet, places: I64, text: Text) -> Status:
        """Write text[places[d] + t] = the symbol of token t of document d, and end marks."""

    def count_symbols(self, text: Text, begin: int, end: int, counts: U64) -> Status:
        """Add to counts[symbol] how often each stands in text[begin..end)."""

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
        """Write each window behind the offset of its lead.

        Its lowest bit: it ends its document or has less than N tokens. Above it the position, above
        that the begin of the history's code.

        Args:
            codes: u64[symbols], bytes from the top: the last one 128..255, those before 1..127.
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
        """Sort each bucket's windows; shared says what each has in common with the one before.

        Their codes are left out.
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
        """Write the same windows under another alphabet."""

    def merge_runs(
        self, runs: SortedRun, sequence: I64, total: SortedRun, room: MergeRoom
    ) -> Status:
        """Add runs that stand one behind the other; total's leads are given.

        Args:
            sequence: the buckets of all runs by lead.
        """

    def join_documents(
        self, chunk: Chunk, alphabet: Alphabet, separator: int, symbols: I32
    ) -> Status:
        """Write ranks[id] - 1 of each token, and behind each ended document the next separator."""

    def sort_suffixes(self, symbols: I32, alphabet: int, order: I32, work: I32) -> Status:
        """Write the positions of all suffixes in their order."""

    def match_lengths(self, symbols: I32, separator: int, order: I32, links: I32) -> Status:
        """Replace order by match lengths with what begins earlier, symbols by those with all."""
