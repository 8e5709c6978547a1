// Counting kernels: windows, keys, sorted runs, texts and their spectra. Each is a pure function of
// flat arrays that the caller owns, and returns a Status. It does not allocate for the caller, open
// files, log or throw. backends/counting.py declares the same names.
#pragma once
#include <cstdint>

#include "icfast/keys.hpp"
#include "icfast/status.hpp"

namespace icfast {

/// Documents of one shard as ascending half-open ranges, clipped to tokens [begin, end).
/// The chunk may hold part of a document. The chunk with its last token emits its end mark.
template <class Token>
struct Chunk {
  const Token* tokens;
  const std::int64_t* starts;
  const std::int64_t* stops;
  std::int64_t documents;
  std::int64_t begin;
  std::int64_t end;
};

/// Map from ids to symbols: ranks[id] is 1..U, or 0 for an id outside the alphabet. end_rank is
/// U + 1, or 0 without an end mark.
struct Alphabet {
  const std::uint32_t* ranks;
  std::int64_t vocab_size;
  std::uint32_t end_rank;
  int order;
  int bits;
};

/// Partition of all windows in key order: bucket b holds (lead, key) with
/// first[lead] <= b < first[lead + 1] and low[b] <= key < low[b + 1], or the end of the lead.
template <int W>
struct Buckets {
  const std::uint32_t* first;
  const Key<W>* low;
  std::int64_t leads;
  bool by_lead;  // every lead is one bucket: bucket b is lead b
};

/// Sorted distinct windows: bucket b has lead leads[b] and entries [bounds[b], bounds[b + 1]).
template <int W>
struct SortedRun {
  const std::uint32_t* leads;
  const std::int64_t* bounds;
  std::int64_t buckets;
  const Key<W>* keys;
  const std::uint64_t* counts;
};

/// Windows that end a document, sorted, with the number of documents that each ends.
template <int W>
struct Ends {
  const std::uint32_t* leads;
  const Key<W>* keys;
  const std::uint64_t* counts;
  std::int64_t size;
};

/// counts[id] += occurrences of id in the chunk.
template <class Token>
Status count_ids(const Chunk<Token>& chunk, std::uint64_t* counts, std::int64_t vocab_size);

/// hashes[d] = fmix64(fnv1a(ids of document d as little-endian u32)).
template <class Token>
Status hash_documents(const Chunk<Token>& chunk, std::uint64_t* hashes);

/// counts[slot, j] += windows of the bucket with this slot; j is the history symbol at depths[slot]
/// (1..N-1), or 0 if depths[slot] is 0. Buckets of slot -1 are not counted, and ids outside all
/// counted windows may not be checked.
template <class Token, int W>
Status count_windows(const Chunk<Token>& chunk, const Alphabet& alphabet, const Buckets<W>& buckets,
                     const std::int32_t* slots, const std::int32_t* depths, std::uint64_t* counts,
                     std::int64_t columns);

/// keys[offsets[b - bucket_begin]++] = key for each window of a bucket b in the range.
/// Keys past `size` are counted in the offsets but not written. If the range is not all buckets,
/// ids outside all kept windows may not be checked.
template <class Token, int W>
Status scatter_windows(const Chunk<Token>& chunk, const Alphabet& alphabet,
                       const Buckets<W>& buckets, std::int64_t bucket_begin,
                       std::int64_t bucket_end, std::int64_t* offsets, Key<W>* keys,
                       std::int64_t size);

/// leads[d], keys[d] = the last window of document d.
template <class Token, int W>
Status end_windows(const Chunk<Token>& chunk, const Alphabet& alphabet, std::uint32_t* leads,
                   Key<W>* keys);

/// Part p = keys [bounds[p], bounds[p + 1]), p < 256, after an in-place split of one bucket.
/// All keys of a part are below those of the next; unused parts are empty. Keys that differ are
/// split into at least two parts, and parts of at most `largest` keys need no further split. Equal
/// keys are all in part 0.
template <int W>
Status split_keys(Key<W>* keys, std::int64_t size, std::int64_t largest, std::int64_t* bounds);

/// (keys, counts) of each bucket = its distinct keys, ascending, with their numbers of occurrences.
/// They replace the keys from the bucket's front on; distinct[b] is their number. scratch has as
/// many entries as the largest bucket.
template <int W>
Status sort_runs(const std::int64_t* bounds, std::int64_t buckets, Key<W>* keys,
                 std::uint64_t* counts, Key<W>* scratch, std::int64_t* distinct);

/// phi_r += number of n-grams that occur r times, for five kinds and each order 1..N.
/// One scan of sorted windows. small[kind, n - 1, r] is phi_r for r < rows; larger r are listed in
/// `large`. `path` and `sums` carry unfinished n-grams from one call to the next; flush finishes
/// them.
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

/// A text has the symbols of all documents, with kPadding zeros before each document and one zero
/// after the last. Windows of any order are stored as positions: the window that ends at p is
/// text[p], text[p - 1], ...
inline constexpr int kPadding = 4;

/// text[places[d] + t] = symbol of token t of document d; the end mark follows the last token.
template <class Token, class Symbol>
Status write_text(const Chunk<Token>& chunk, const Alphabet& alphabet, const std::int64_t* places,
                  Symbol* text);

/// counts[symbol] += occurrences of symbol in text[begin, end).
template <class Symbol>
Status count_symbols(const Symbol* text, std::int64_t begin, std::int64_t end,
                     std::uint64_t* counts);

/// Bits that mark the last byte of a symbol's code. A code is bytes from the top of a word; the
/// last one is 128..255, the others are 1..127, so the whole symbols in a common prefix of two
/// codes can be counted. The begin mark is a 0 byte.
inline constexpr std::uint64_t kCodeEnds = 0x8080808080808080;
inline constexpr int kCodedSymbols = 8;  // most symbols in a word

/// windows[offsets[text[p] - lead_begin]++] = 2 p + mark + code, for leads in [lead_begin,
/// lead_end). mark is 1 if the window ends its document or has fewer than N tokens. code is the
/// beginning of the history's code, newest symbol first, in the high bits that 2 size leaves free.
template <class Symbol>
Status scatter_positions(const Symbol* text, std::int64_t size, std::int64_t begin,
                         std::int64_t end, int order, const std::uint64_t* codes,
                         std::int64_t lead_begin, std::int64_t lead_end, std::int64_t* offsets,
                         std::uint64_t* windows);

/// shared[i - bounds[0]] = number of symbols that window i shares with the previous one, after a
/// sort of each bucket. A bucket is one lead. shared is 0 for the first window of a bucket, and N
/// for equal windows (begin marks included). Codes are removed from the windows. entries and
/// scratch have as many entries as the largest bucket.
template <class Symbol>
Status sort_positions(const Symbol* text, std::int64_t size, int order, int bits,
                      const std::int64_t* bounds, std::int64_t buckets, std::uint64_t* windows,
                      std::uint32_t* shared, std::uint64_t* entries, std::uint64_t* scratch);

/// Spectra as differences between orders: phi_r at order n is the sum of small[kind, 1..n, r].
/// Larger r are listed as (kind, r, first order, last order).
struct SpectraRanges {
  std::uint64_t* small;  // [kKinds, N + 2, rows], differences modulo 2^64
  std::int64_t rows;
  std::uint64_t* large;  // [capacity, 4]
  std::int64_t* large_length;
  std::int64_t capacity;
};

/// phi_r += number of n-grams that occur r times, for five kinds and each order 1..N.
/// sort_positions has sorted the buckets. nodes is scratch space [N + 1, 4].
template <class Symbol>
Status position_spectra(const Symbol* text, int order, const std::int64_t* bounds,
                        std::int64_t buckets, const std::uint64_t* windows,
                        const std::uint32_t* shared, std::uint64_t* nodes,
                        const SpectraRanges& out);

/// new_keys[i] = keys[i] with each symbol r replaced by ranks[r], which ascends with r.
template <int From, int To>
Status remap_keys(const Key<From>* keys, std::int64_t size, const std::uint32_t* ranks, int order,
                  int bits, Key<To>* new_keys, int new_bits);

/// (keys, counts) = sum of the sorted runs that `runs` concatenates.
/// sequence has their buckets ordered by lead; leads has each lead once. Bucket b of the sum is
/// [bounds[b], bounds[b + 1]). keys, counts and both scratch arrays have as many entries as all
/// runs.
template <int W>
Status merge_runs(const SortedRun<W>& runs, const std::int64_t* sequence,
                  const std::uint32_t* leads, std::int64_t buckets, std::int64_t* bounds,
                  Key<W>* keys, std::uint64_t* counts, Key<W>* key_scratch,
                  std::uint64_t* count_scratch);

/// symbols = ranks[id] - 1 of each token of the chunk, in order.
/// After each document that ends in the chunk follows the next of separator, separator + 1, ...
template <class Token>
Status join_documents(const Chunk<Token>& chunk, const Alphabet& alphabet, std::int32_t separator,
                      std::int32_t* symbols);

/// order[r] = position of the r-th smallest suffix of symbols[size].
/// Symbols are in [0, alphabet). work has 2 max(size, alphabet) entries. The time is linear.
Status sort_suffixes(const std::int32_t* symbols, std::int64_t size, std::int64_t alphabet,
                     std::int32_t* order, std::int32_t* work);

/// order[i] = 1 + the largest l with symbols[j, j + l) = symbols[i, i + l) for some j < i.
/// symbols[i] is replaced by the same number for some j != i. Both are 0 if symbols[i] >=
/// separator. Symbols >= separator are distinct, and the last symbol is one of them. links has 2
/// size entries.
Status match_lengths(std::int32_t* symbols, std::int64_t size, std::int32_t separator,
                     std::int32_t* order, std::int32_t* links);

}  // namespace icfast
