// The counting kernels: windows, keys, sorted runs, texts, and their spectra. Pure functions over
// flat arrays the caller owns: no objects, files, logs, allocation or exceptions inside; each
// returns a Status. kernels/counting.py has the same names.
#pragma once
#include <cstdint>

#include "icfast/keys.hpp"
#include "icfast/status.hpp"

namespace icfast {

/// Documents as half-open ranges of one shard, ascending, clipped to tokens [begin, end).
/// A document belongs to the chunk whether or not the chunk holds all of it; its end mark is
/// emitted by the chunk that holds its last token.
template <class Token>
struct Chunk {
  const Token* tokens;
  const std::int64_t* starts;
  const std::int64_t* stops;
  std::int64_t documents;
  std::int64_t begin;
  std::int64_t end;
};

/// How tokens become windows: ranks[id] = 1..U (0: not counted), end_rank = U + 1 or 0 for none.
struct Alphabet {
  const std::uint32_t* ranks;
  std::int64_t vocab_size;
  std::uint32_t end_rank;
  int order;
  int bits;
};

/// A partition of all windows in key order: bucket b holds (lead, key) with
/// first[lead] <= b < first[lead + 1] and low[b] <= key < low[b + 1] (or the lead's end).
template <int W>
struct Buckets {
  const std::uint32_t* first;
  const Key<W>* low;
  std::int64_t leads;
  bool by_lead;  // no lead is cut: bucket b is lead b
};

/// Sorted distinct windows: bucket b is leads[b] with entries bounds[b]..bounds[b + 1].
template <int W>
struct SortedRun {
  const std::uint32_t* leads;
  const std::int64_t* bounds;
  std::int64_t buckets;
  const Key<W>* keys;
  const std::uint64_t* counts;
};

/// The windows that end a document, sorted, with how many documents each one ends.
template <int W>
struct Ends {
  const std::uint32_t* leads;
  const Key<W>* keys;
  const std::uint64_t* counts;
  std::int64_t size;
};

/// counts[id] += how often id stands in the chunk.
template <class Token>
Status count_ids(const Chunk<Token>& chunk, std::uint64_t* counts, std::int64_t vocab_size);

/// hashes[d] = fmix64(fnv1a(ids of document d as little-endian u32)).
template <class Token>
Status hash_documents(const Chunk<Token>& chunk, std::uint64_t* hashes);

/// counts[slot, j] += windows of the bucket with that slot; j = the history symbol at
/// depths[slot] (1..N-1), or 0 where depths[slot] is 0. Slot -1: not counted, and ids that no
/// counted window holds may go unchecked.
template <class Token, int W>
Status count_windows(const Chunk<Token>& chunk, const Alphabet& alphabet, const Buckets<W>& buckets,
                     const std::int32_t* slots, const std::int32_t* depths, std::uint64_t* counts,
                     std::int64_t columns);

/// keys[offsets[b - bucket_begin]++] = key, for each window whose bucket b lies in the range. Of a
/// range that is not all buckets, ids that no kept window holds may go unchecked. What does not
/// fit into `size` keys is counted in the offsets, not written.
template <class Token, int W>
Status scatter_windows(const Chunk<Token>& chunk, const Alphabet& alphabet,
                       const Buckets<W>& buckets, std::int64_t bucket_begin,
                       std::int64_t bucket_end, std::int64_t* offsets, Key<W>* keys,
                       std::int64_t size);

/// leads[d], keys[d] = the last window of document d.
template <class Token, int W>
Status end_windows(const Chunk<Token>& chunk, const Alphabet& alphabet, std::uint32_t* leads,
                   Key<W>* keys);

/// Cuts one bucket in place into at most 256 parts, all keys of one below those of the next: part
/// p is bounds[p]..bounds[p + 1], unused ones are empty. Cuts need not go on below `largest` keys,
/// but keys that differ are parted. Equal keys: all in part 0.
template <int W>
Status split_keys(Key<W>* keys, std::int64_t size, std::int64_t largest, std::int64_t* bounds);

/// Sorts each bucket and replaces equal keys by one key and its count, packed from the front.
/// scratch holds the largest bucket; distinct[b] = entries left of bucket b.
template <int W>
Status sort_runs(const std::int64_t* bounds, std::int64_t buckets, Key<W>* keys,
                 std::uint64_t* counts, Key<W>* scratch, std::int64_t* distinct);

/// The five spectra of each order 1..N, in one scan of sorted windows. Rows of `small` are
/// phi_r for r < rows; larger r are listed in `large`. `path` and `sums` carry the n-grams still
/// open from one call to the next; flush closes them.
enum SpectrumKind { kComplete, kStarting, kFollowed, kStartingFollowed, kLeftNeighbours, kKinds };

struct SpectraOut {
  std::uint64_t* small;  // [kKinds, N, rows]
  std::int64_t rows;
  std::uint64_t* large;         // [kKinds, N, capacity]
  std::int64_t* large_lengths;  // [kKinds, N]
  std::int64_t capacity;
};

template <int W>
Status run_spectra(const SortedRun<W>& run, const Ends<W>& ends, int order, int bits,
                   std::uint64_t* path, std::uint64_t* sums, bool flush, const SpectraOut& out);

/// Windows of any order are known by where they end in the text: all documents' symbols, kPadding
/// zeros before each and one behind the last. The window ending at p is text[p], text[p - 1], ...
inline constexpr int kPadding = 4;

/// text[places[d] + t] = the symbol of token t of document d; its end mark is that of its stop.
template <class Token, class Symbol>
Status write_text(const Chunk<Token>& chunk, const Alphabet& alphabet, const std::int64_t* places,
                  Symbol* text);

/// counts[symbol] += how often it stands in text[begin..end).
template <class Symbol>
Status count_symbols(const Symbol* text, std::int64_t begin, std::int64_t end,
                     std::uint64_t* counts);

/// A symbol's code: bytes from the top of a word, all but the last of them 1..127, the last 128 and
/// more, so that whole symbols can be counted in what two codes share. The begin mark is a 0 byte.
inline constexpr std::uint64_t kCodeEnds = 0x8080808080808080;
inline constexpr int kCodedSymbols = 8;  // what a word holds at most

/// windows[offsets[text[p] - lead_begin]++] = p for symbols in [lead_begin, lead_end): 2 p, plus 1
/// where the window ends its document or has less than N tokens, and in the bits that no position
/// in text[0..size) reaches the begin of the history's code, its newest symbol on top.
template <class Symbol>
Status scatter_positions(const Symbol* text, std::int64_t size, std::int64_t begin,
                         std::int64_t end, int order, const std::uint64_t* codes,
                         std::int64_t lead_begin, std::int64_t lead_end, std::int64_t* offsets,
                         std::uint64_t* windows);

/// Sorts the windows of each bucket, which is one lead, and leaves their codes out: shared[i -
/// bounds[0]] = how many symbols window i shares with the one before, 0 for a bucket's first, N for
/// equal windows (begin mark included). `bits` per symbol; entries and scratch hold the largest
/// bucket.
template <class Symbol>
Status sort_positions(const Symbol* text, std::int64_t size, int order, int bits,
                      const std::int64_t* bounds, std::int64_t buckets, std::uint64_t* windows,
                      std::uint32_t* shared, std::uint64_t* entries, std::uint64_t* scratch);

/// Spectra as ranges of orders: phi_r at order n is the sum of small[kind, 1..n, r]; larger r are
/// listed as (kind, r, first order, last order).
struct SpectraRanges {
  std::uint64_t* small;  // [kKinds, N + 2, rows], differences modulo 2^64
  std::int64_t rows;
  std::uint64_t* large;  // [capacity, 4]
  std::int64_t* large_length;
  std::int64_t capacity;
};

/// The five spectra of orders 1..N of buckets that sort_positions has sorted; nodes: [N + 1, 4].
template <class Symbol>
Status position_spectra(const Symbol* text, int order, const std::int64_t* bounds,
                        std::int64_t buckets, const std::uint64_t* windows,
                        const std::uint32_t* shared, std::uint64_t* nodes,
                        const SpectraRanges& out);

/// The same windows under another alphabet: ranks[r] is the new rank of r, ascending with r.
template <int From, int To>
Status remap_keys(const Key<From>* keys, std::int64_t size, const std::uint32_t* ranks, int order,
                  int bits, Key<To>* new_keys, int new_bits);

/// Adds runs that stand one behind the other in `runs`. sequence: their buckets by lead; leads:
/// each lead once. Bucket b of the sum is bounds[b]..bounds[b + 1]; keys and counts, and both
/// rooms, hold the entries of all runs.
template <int W>
Status merge_runs(const SortedRun<W>& runs, const std::int64_t* sequence,
                  const std::uint32_t* leads, std::int64_t buckets, std::int64_t* bounds,
                  Key<W>* keys, std::uint64_t* counts, Key<W>* key_room, std::uint64_t* count_room);

/// symbols = ranks[id] - 1 of each token of the chunk in turn, and behind each document that ends
/// in it the next of separator, separator + 1, ...
template <class Token>
Status join_documents(const Chunk<Token>& chunk, const Alphabet& alphabet, std::int32_t separator,
                      std::int32_t* symbols);

/// order[r] = position of the r-th smallest suffix of symbols[size], each in 0..alphabet - 1; work
/// holds 2 max(size, alphabet). Linear time.
Status sort_suffixes(const std::int32_t* symbols, std::int64_t size, std::int64_t alphabet,
                     std::int32_t* order, std::int32_t* work);

/// In place of order[i]: 1 + the longest l with symbols[j..j + l) = symbols[i..i + l) for some
/// j < i; in place of symbols[i]: the same for some j != i. Both 0 where symbols[i] >= separator.
/// Symbols from `separator` on are distinct, the last symbol is one; links holds 2 size.
Status match_lengths(std::int32_t* symbols, std::int64_t size, std::int32_t separator,
                     std::int32_t* order, std::int32_t* links);

}  // namespace icfast
