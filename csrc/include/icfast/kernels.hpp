// The kernels of the core: pure functions over flat arrays the caller owns. No objects, files,
// logs, allocation or exceptions inside; each returns a Status. fallback.py has the same names.
#pragma once
#include <cstdint>

#include "icfast/keys.hpp"
#include "icfast/status.hpp"

namespace icfast {

/// Documents as half-open spans of one shard, ascending, clipped to tokens [begin, end).
/// A span belongs to the piece whether or not the piece holds all of it; its end mark is emitted
/// by the piece that holds its last token.
template <class Token>
struct Piece {
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
struct Run {
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

/// counts[id] += how often id stands in the piece.
template <class Token>
Status count_ids(const Piece<Token>& piece, std::uint64_t* counts, std::int64_t vocab_size);

/// hashes[d] = fmix64(fnv1a(ids of document d as little-endian u32)).
template <class Token>
Status hash_documents(const Piece<Token>& piece, std::uint64_t* hashes);

/// counts[slot, j] += windows of the bucket with that slot; j = the history symbol at
/// depths[slot] (1..N-1), or 0 where depths[slot] is 0. Slot -1: not counted, and ids that no
/// counted window holds may go unchecked.
template <class Token, int W>
Status count_windows(const Piece<Token>& piece, const Alphabet& alphabet, const Buckets<W>& buckets,
                     const std::int32_t* slots, const std::int32_t* depths, std::uint64_t* counts,
                     std::int64_t columns);

/// keys[offsets[b - bucket_begin]++] = key, for each window whose bucket b lies in the range. Of a
/// range that is not all buckets, ids that no kept window holds may go unchecked. What does not
/// fit into `size` keys is counted in the offsets, not written.
template <class Token, int W>
Status scatter_windows(const Piece<Token>& piece, const Alphabet& alphabet,
                       const Buckets<W>& buckets, std::int64_t bucket_begin,
                       std::int64_t bucket_end, std::int64_t* offsets, Key<W>* keys,
                       std::int64_t size);

/// leads[d], keys[d] = the last window of document d.
template <class Token, int W>
Status end_windows(const Piece<Token>& piece, const Alphabet& alphabet, std::uint32_t* leads,
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
Status run_spectra(const Run<W>& run, const Ends<W>& ends, int order, int bits, std::uint64_t* path,
                   std::uint64_t* sums, bool flush, const SpectraOut& out);

/// Windows of any order are known by where they end in the text: all documents' symbols, kPadding
/// zeros before each and one behind the last. The window ending at p is text[p], text[p - 1], ...
inline constexpr int kPadding = 4;

/// text[places[d] + t] = the symbol of token t of document d; its end mark is that of its stop.
template <class Token, class Symbol>
Status write_text(const Piece<Token>& piece, const Alphabet& alphabet, const std::int64_t* places,
                  Symbol* text);

/// counts[symbol] += how often it stands in text[begin..end).
template <class Symbol>
Status count_symbols(const Symbol* text, std::int64_t begin, std::int64_t end,
                     std::uint64_t* counts);

/// positions[offsets[text[p] - lead_begin]++] = p for symbols in [lead_begin, lead_end); the top
/// bit is set where the window ends its document or has less than N tokens.
template <class Symbol, class Position>
Status scatter_positions(const Symbol* text, std::int64_t begin, std::int64_t end, int order,
                         std::int64_t lead_begin, std::int64_t lead_end, std::int64_t* offsets,
                         Position* positions);

/// Sorts the windows of each bucket, which is one lead: shared[i - bounds[0]] = how many symbols
/// window i shares with the one before, 0 for a bucket's first, N for equal windows (begin mark
/// included). `bits` per symbol; entries and scratch hold the largest bucket.
template <class Symbol, class Position>
Status sort_positions(const Symbol* text, int order, int bits, const std::int64_t* bounds,
                      std::int64_t buckets, Position* positions, std::uint32_t* shared,
                      std::uint64_t* entries, std::uint64_t* scratch);

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
template <class Symbol, class Position>
Status position_spectra(const Symbol* text, int order, const std::int64_t* bounds,
                        std::int64_t buckets, const Position* positions,
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
Status merge_runs(const Run<W>& runs, const std::int64_t* sequence, const std::uint32_t* leads,
                  std::int64_t buckets, std::int64_t* bounds, Key<W>* keys, std::uint64_t* counts,
                  Key<W>* key_room, std::uint64_t* count_room);

/// What a context knows of its successors.
enum ContextField {
  kFollowedBy,     // sum of raw counts
  kSuccessors,     // distinct successors
  kRawOnes,        // successors with raw count 1
  kRawTwos,        // successors with raw count 2
  kAdjustedTotal,  // sum of adjusted counts
  kAdjustedOnes,   // successors with adjusted count 1
  kAdjustedTwos,   // successors with adjusted count 2
  kContextFields
};

/// The model's n-grams: levels 1..N one after the other, each in suffix order, level 1 indexed
/// by rank (node 0 is the begin mark). Children of node i are child[i]..child[i + 1]: its
/// distinct left neighbours, so that their number is the continuation count.
///
/// Row 0 of the contexts is the empty context. Most contexts are followed by one token, once: their
/// rows would all be the same, so only the others have one, in the order of their nodes. `marks`
/// finds it: for every 64 nodes a bitmap of those with a row, and how many had one before.
template <class Word>
struct Trie {
  const std::int64_t* levels;  // levels[n - 1]..levels[n] are the nodes of order n
  int order;
  std::uint32_t* symbols;
  Word* counts;
  Word* child;           // orders < N, and one more
  std::uint64_t* marks;  // [nodes of orders < N / 64, rounded up, 2]
  Word* contexts;        // [context_rows, kContextFields]
  std::int64_t context_rows;
};

/// The bigrams by their older symbol: those of symbol s are starts[s]..starts[s + 1], with the
/// rank of the newer symbol and the node of each.
template <class Word>
struct Bigrams {
  const std::int64_t* starts;
  const std::uint32_t* words;
  const Word* nodes;
};

/// What a walk over contexts works in: an entry per rank; and, in the nodes' own width, room for
/// every node of order 2 to N - 2 and of order 3 to N - 1 (what hot contexts need is touched).
template <class Word>
struct ContextRoom {
  std::uint32_t* table;
  Word* lists;
};

/// Appends a run's n-grams of every order to the trie; cursors[n - 1] is the next free node.
/// followed[i] += how often a token follows node i.
template <int W, class Word>
Status grow_trie(const Run<W>& run, const Ends<W>& ends, int bits, std::uint64_t* path,
                 std::int64_t* cursors, const Trie<Word>& trie, Word* followed);

/// Gives each context that is not followed exactly once its row, and FollowedBy in it.
template <class Word>
Status mark_contexts(const Trie<Word>& trie, const Word* followed);

/// contexts[h] += each n-gram hw of order >= 2, for contexts h that have a row and whose last
/// symbol has a rank in [low, high); FollowedBy stands there. Disjoint ranges touch disjoint rows.
template <class Word>
Status link_contexts(const Trie<Word>& trie, const Bigrams<Word>& bigrams, std::uint32_t low,
                     std::uint32_t high, const ContextRoom<Word>& room);

/// Per document, overwritten: nats of the order-k models (k = 1..N where ladder, else N), as 2^-32
/// nat in 128 bits; predicted symbols; those whose id the model does not know.
struct ScoreOut {
  std::uint64_t* low;   // [documents, ladder ? N : 1]
  std::uint64_t* high;  // the same
  std::uint64_t* predicted;
  std::uint64_t* oov;
  std::uint64_t* infinite;  // [documents, ...]: symbols of probability 0, not in the sums
  bool ladder;
};

template <class Token, class Word>
Status score_ngrams(const Piece<Token>& piece, const Alphabet& alphabet, const Trie<Word>& trie,
                    const double* discounts, double uniform, const ScoreOut& out);

/// The weights of the order-N model, for contexts whose last symbol has a rank in
/// [low, high), and the unigrams of these ranks; disjoint ranges write to disjoint places.
/// probabilities[i] = p(last symbol | the rest) of n-gram i, backoffs[i] = what i as a context
/// multiplies the probability of an unseen successor by (1 where nothing ever followed it).
/// probabilities[0], the begin mark's, is that of a symbol the model does not know.
template <class Word>
Status weigh_ngrams(const Trie<Word>& trie, const Bigrams<Word>& bigrams, const double* discounts,
                    double uniform, std::uint32_t low, std::uint32_t high,
                    const ContextRoom<Word>& room, double* probabilities, double* backoffs);

/// Windows matched with a model; equal ones share a row, rows[i] is window i's.
///
/// records: N numbers a row, p of the window's longest n-gram in the model, and for k = 1..N-1 the
/// product of the backoffs of the contexts that its newest k, k + 1, .. symbols are.
/// losses: one a row, in units of 2^-32 nat, or what is left to find out: kOpenLoss + how many
/// symbols the longest n-gram has (an unknown last symbol counts as one), until a window before it
/// is known; kImpossible for p = 0.
struct Matches {
  std::uint32_t* rows;
  double* records;
  std::uint64_t* losses;
};

inline constexpr std::uint64_t kOpenLoss = std::uint64_t{1} << 63;
inline constexpr std::uint64_t kImpossible = kOpenLoss;

/// Bucket b is leads[b] with windows bounds[b]..bounds[b + 1] in any order; their rows are among
/// bounds[0].. of the matches. scratch holds twice the largest bucket, table four times.
template <int W, class Word>
Status match_windows(const std::uint32_t* leads, const std::int64_t* bounds, std::int64_t buckets,
                     const Key<W>* keys, int bits, const Trie<Word>& trie,
                     const double* probabilities, const double* backoffs, Key<W>* scratch,
                     std::uint32_t* table, const Matches& matches);

/// As score_ngrams for the order-N model, of windows that were matched: window by window
/// p = records[r][0] * records[r of the window before][longest n-gram], r = rows[offsets[lead]++].
/// The context is part of the window, so a row's loss is found once and kept; several threads may.
/// Ranks from `unknown` on are of symbols the model does not know.
template <class Token>
Status score_windows(const Piece<Token>& piece, const Alphabet& alphabet, std::uint32_t unknown,
                     std::int64_t* offsets, const Matches& matches, double begin_backoff,
                     const ScoreOut& out);

/// symbols = ranks[id] - 1 of each token of the piece in turn, and behind each document that ends
/// in it the next of separator, separator + 1, ...
template <class Token>
Status join_documents(const Piece<Token>& piece, const Alphabet& alphabet, std::int32_t separator,
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

/// A compressed model: its n-grams in the order of Trie, losses in units of 2^-32 nat.
/// Of orders 2..N, bits from the lowest of the first word: place of the context among its siblings
/// (all ones: see exceptions), loss code, and below order N backoff code.
struct CompactTrie {
  const std::int64_t* levels;
  int order;
  const std::int64_t* unigrams;   // [ranks + 1, 3]: loss, backoff, first child
  const std::int64_t* layout;     // [N - 1, 3]: bits of a place, of a record, where they begin
  const std::int64_t* codebooks;  // [N - 1, 2, codes]: losses, backoffs
  std::int64_t codes;
  const std::uint64_t* records;
  const std::uint64_t* children;  // orders 2..N-1: a set bit each, and a clear one for each child
  const std::uint64_t* samples;   // position of every 64th set bit
  const std::int64_t* exceptions;
  std::int64_t exception_count;
  const std::uint32_t* exception_places;
};

/// As score_ngrams of the order-N model: loss = that of the longest n-gram, plus the backoffs of
/// the contexts from its length on.
template <class Token>
Status score_compact(const Piece<Token>& piece, const Alphabet& alphabet, const CompactTrie& trie,
                     const ScoreOut& out);

}  // namespace icfast
