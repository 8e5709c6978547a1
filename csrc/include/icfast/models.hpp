// Kernels of n-gram models: tries of counts, weights and losses of documents. They are pure
// functions of the caller's arrays, as in counting.hpp. backends/models.py declares the same names.
#pragma once
#include "icfast/counting.hpp"

namespace icfast {

/// Fields of a context's row: sums over its successors.
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

/// The n-grams of a model: levels 1..N, each in suffix order. Level 1 is indexed by rank; node 0 is
/// the begin mark. The children of node i are [child[i], child[i + 1]): one per distinct left
/// neighbour, so their number is the continuation count.
///
/// Row 0 of `contexts` is the empty context. Most contexts are followed once, by one token. Their
/// rows would all be equal, so only the other contexts have a row, in the order of their nodes.
/// `marks` finds the row: for every 64 nodes it has a bitmap of those with a row, and the number of
/// rows before them.
template <class Word>
struct Trie {
  const std::int64_t* levels;  // levels[n - 1]..levels[n] are the nodes of order n
  int order;
  std::uint32_t* symbols;
  Word* counts;
  Word* child;           // nodes of orders < N, and one entry more
  std::uint64_t* marks;  // [nodes of orders < N / 64, rounded up, 2]
  Word* contexts;        // [context_rows, kContextFields]
  std::int64_t context_rows;
};

/// Bigrams grouped by their older symbol: those of symbol s are [starts[s], starts[s + 1]), each
/// with the rank of the newer symbol and its node.
template <class Word>
struct Bigrams {
  const std::int64_t* starts;
  const std::uint32_t* words;
  const Word* nodes;
};

/// Scratch space of a walk over contexts. table has one entry per rank. lists has one entry per
/// node of orders 2..N-2 and of orders 3..N-1, of which only the largest contexts' part is touched.
template <class Word>
struct ContextScratch {
  std::uint32_t* table;
  Word* lists;
};

/// counts[node of each n-gram] = its occurrences in the run; followed[node] += those with a
/// successor. Nodes are appended to the trie; cursors[n - 1] is the next free node of order n.
template <int W, class Word>
Status grow_trie(const SortedRun<W>& run, const Ends<W>& ends, int bits, std::uint64_t* path,
                 std::int64_t* cursors, const Trie<Word>& trie, Word* followed);

/// contexts[row of h][kFollowedBy] = followed[h], for each context h with followed[h] != 1.
template <class Word>
Status mark_contexts(const Trie<Word>& trie, const Word* followed);

/// contexts[row of h] += each n-gram (h w) of order >= 2, except kFollowedBy.
/// It visits contexts h with a row whose last symbol has a rank in [low, high). Disjoint ranges
/// write to disjoint rows.
template <class Word>
Status link_contexts(const Trie<Word>& trie, const Bigrams<Word>& bigrams, std::uint32_t low,
                     std::uint32_t high, const ContextScratch<Word>& scratch);

/// Results of each document, overwritten: 128-bit sums of losses in units of 2^-32 nat under the
/// order-k models (k = 1..N if ladder, else N); predicted symbols; predicted symbols whose id the
/// model does not know.
struct ScoreOut {
  std::uint64_t* low;   // [documents, ladder ? N : 1]
  std::uint64_t* high;  // as low
  std::uint64_t* predicted;
  std::uint64_t* oov;
  std::uint64_t* infinite;  // as low: symbols of probability 0, which the sums leave out
  bool ladder;
};

/// loss of a document = sum over its symbols w of -ln p_k(w | history), see kneser_ney/model.py.
template <class Token, class Word>
Status score_ngrams(const Chunk<Token>& chunk, const Alphabet& alphabet, const Trie<Word>& trie,
                    const double* discounts, double uniform, const ScoreOut& out);

/// probabilities[i] = p(newest symbol | the others) of n-gram i; backoffs[i] = gamma(n-gram i).
/// These are the weights of the order-N model, for contexts whose last symbol has a rank in
/// [low, high) and for the unigrams of these ranks. Disjoint ranges write to disjoint entries.
/// backoffs[i] is 1 if nothing follows n-gram i. probabilities[0] is that of an unknown symbol.
template <class Word>
Status weigh_ngrams(const Trie<Word>& trie, const Bigrams<Word>& bigrams, const double* discounts,
                    double uniform, std::uint32_t low, std::uint32_t high,
                    const ContextScratch<Word>& scratch, double* probabilities, double* backoffs);

/// Windows matched with a model. rows[i] is the row of window i; equal windows share a row.
///
/// records has N numbers per row: p of the window's longest n-gram in the model, and for k = 1..N-1
/// the product of the backoffs of the contexts of its newest k, k + 1, ... symbols.
/// losses has one entry per row: the loss in units of 2^-32 nat once it is known, before that
/// kOpenLoss + length of the longest n-gram (an unknown last symbol counts 1), and kImpossible for
/// p = 0.
struct Matches {
  std::uint32_t* rows;
  double* records;
  std::uint64_t* losses;
};

inline constexpr std::uint64_t kOpenLoss = std::uint64_t{1} << 63;
inline constexpr std::uint64_t kImpossible = kOpenLoss;

/// rows[i], records[rows[i]] = match of window i, see Matches.
/// Bucket b has lead leads[b] and windows [bounds[b], bounds[b + 1]) in any order. Rows are
/// numbered from bounds[0] on. scratch has two entries per window of the largest bucket, table has
/// four.
template <int W, class Word>
Status match_windows(const std::uint32_t* leads, const std::int64_t* bounds, std::int64_t buckets,
                     const Key<W>* keys, int bits, const Trie<Word>& trie,
                     const double* probabilities, const double* backoffs, Key<W>* scratch,
                     std::uint32_t* table, const Matches& matches);

/// p = records[r][0] * records[r of the previous window][length of the longest n-gram], with
/// r = rows[offsets[lead]++], for each window of a document. The loss is that of score_ngrams under
/// the order-N model. A window includes its context, so the loss of a row is computed once and
/// kept; several threads may do so at once. Ranks >= unknown are unknown symbols.
template <class Token>
Status score_windows(const Chunk<Token>& chunk, const Alphabet& alphabet, std::uint32_t unknown,
                     std::int64_t* offsets, const Matches& matches, double begin_backoff,
                     const ScoreOut& out);

/// A compressed model: n-grams in the order of Trie, losses in units of 2^-32 nat.
/// A record of orders 2..N has, from its lowest bit: the position of the context among its siblings
/// (all ones for an exception), the loss code and, below order N, the backoff code.
struct CompactTrie {
  const std::int64_t* levels;
  int order;
  const std::int64_t* unigrams;   // [ranks + 1, 3]: loss, backoff, first child
  const std::int64_t* layout;     // [N - 1, 3]: bits per position, bits per record, first bit
  const std::int64_t* codebooks;  // [N - 1, 2, codes]: losses, backoffs
  std::int64_t codes;
  const std::uint64_t* records;
  const std::uint64_t* children;  // orders 2..N-1: a set bit per n-gram, then a clear bit per child
  const std::uint64_t* samples;   // position of every 64th set bit
  const std::int64_t* exceptions;
  std::int64_t exception_count;
  const std::uint32_t* exception_places;
};

/// loss of a symbol = loss of the longest n-gram + backoffs of the contexts at least as long as it.
/// The conventions are those of score_ngrams under the order-N model.
template <class Token>
Status score_compact(const Chunk<Token>& chunk, const Alphabet& alphabet, const CompactTrie& trie,
                     const ScoreOut& out);

}  // namespace icfast
