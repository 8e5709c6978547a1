// The kernels of n-gram models: tries of counts, weights, and losses of documents. As in
// counting.hpp: pure functions over arrays of the caller. kernels/models.py has the same names.
#pragma once
#include "icfast/counting.hpp"

namespace icfast {

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
struct ContextScratch {
  std::uint32_t* table;
  Word* lists;
};

/// Appends a run's n-grams of every order to the trie; cursors[n - 1] is the next free node.
/// followed[i] += how often a token follows node i.
template <int W, class Word>
Status grow_trie(const SortedRun<W>& run, const Ends<W>& ends, int bits, std::uint64_t* path,
                 std::int64_t* cursors, const Trie<Word>& trie, Word* followed);

/// Gives each context that is not followed exactly once its row, and FollowedBy in it.
template <class Word>
Status mark_contexts(const Trie<Word>& trie, const Word* followed);

/// contexts[h] += each n-gram hw of order >= 2, for contexts h that have a row and whose last
/// symbol has a rank in [low, high); FollowedBy stands there. Disjoint ranges touch disjoint rows.
template <class Word>
Status link_contexts(const Trie<Word>& trie, const Bigrams<Word>& bigrams, std::uint32_t low,
                     std::uint32_t high, const ContextScratch<Word>& room);

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
Status score_ngrams(const Chunk<Token>& chunk, const Alphabet& alphabet, const Trie<Word>& trie,
                    const double* discounts, double uniform, const ScoreOut& out);

/// The weights of the order-N model, for contexts whose last symbol has a rank in
/// [low, high), and the unigrams of these ranks; disjoint ranges write to disjoint places.
/// probabilities[i] = p(last symbol | the rest) of n-gram i, backoffs[i] = what i as a context
/// multiplies the probability of an unseen successor by (1 where nothing ever followed it).
/// probabilities[0], the begin mark's, is that of a symbol the model does not know.
template <class Word>
Status weigh_ngrams(const Trie<Word>& trie, const Bigrams<Word>& bigrams, const double* discounts,
                    double uniform, std::uint32_t low, std::uint32_t high,
                    const ContextScratch<Word>& room, double* probabilities, double* backoffs);

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
Status score_windows(const Chunk<Token>& chunk, const Alphabet& alphabet, std::uint32_t unknown,
                     std::int64_t* offsets, const Matches& matches, double begin_backoff,
                     const ScoreOut& out);

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
Status score_compact(const Chunk<Token>& chunk, const Alphabet& alphabet, const CompactTrie& trie,
                     const ScoreOut& out);

}  // namespace icfast
