// Losses of documents under the order-k Kneser-Ney models of one trie.
//
// One search down the trie per token finds its n-grams of all orders. The search for the previous
// token has found their contexts.
#include <algorithm>
#include <array>
#include <cmath>

#include "contexts.hpp"
#include "instantiate.hpp"

namespace icfast {
namespace {

constexpr std::uint32_t kUnknown = 0xffffffffU;  // a symbol that no trie has

/// Nodes of the n-grams that end at one token: node[n] for n = 1..depth.
struct Walk {
  std::array<std::int64_t, kMaxOrder + 1> node;
  int depth = 0;
};

/// The symbols before the next token, newest first. Initially it is the begin mark.
class History {
 public:
  explicit History(int order) : capacity_(order - 1), size_(order > 1 ? 1 : 0) {}

  void push(std::uint32_t symbol) {
    if (capacity_ == 0) return;
    if (size_ < capacity_) ++size_;
    for (int i = size_ - 1; i > 0; --i) symbols_[i] = symbols_[i - 1];
    symbols_[0] = symbol;
  }

  std::uint32_t operator[](int i) const { return symbols_[i]; }
  int size() const { return size_; }

 private:
  std::array<std::uint32_t, kMaxOrder> symbols_{};
  int capacity_;
  int size_;
};

template <class Word>
class Scorer {
 public:
  Scorer(const Trie<Word>& trie, const double* discounts, double uniform)
      : trie_(trie), levels_(trie, discounts), uniform_(uniform) {}

  Walk walk(std::uint32_t rank, const History& history) const {
    Walk walk;
    if (rank == kUnknown) return walk;
    walk.node[walk.depth = 1] = rank;
    while (walk.depth <= history.size()) {
      const std::int64_t next = find_child(trie_, walk.node[walk.depth], history[walk.depth - 1]);
      if (next < 0) break;
      walk.node[++walk.depth] = next;
    }
    return walk;
  }

  /// below[n] = probability under the adjusted orders up to n, for the orders that the n-gram has.
  /// An unknown symbol has order 1 and count 0.
  void adjusted(const Walk& ngram, const Walk& context, double* below) const {
    below[0] = uniform_;
    for (int n = 1; n <= longest(ngram) && n < trie_.order; ++n) {
      below[n] = levels_.below_top(n, row_of(context, n), node(ngram, n), below[n - 1]);
    }
  }

  /// Probability under the order-k model, with raw counts at order k and adjusted ones below: that
  /// of the longest n-gram times the backoffs of longer contexts, multiplied from the longest
  /// context on.
  double top(const Walk& ngram, const Walk& context, int k, const double* below) const {
    const int longest_ngram = longest(ngram);
    if (k <= longest_ngram) {
      return levels_.top(k, row_of(context, k), node(ngram, k), below[k - 1]);
    }
    double backoffs = 1.0;
    for (int n = std::min(k, context.depth + 1); n > longest_ngram; --n) {
      const Word* row = row_of(context, n);
      backoffs *= n == k ? levels_.backoff_at_top(n, row) : levels_.backoff_below_top(n, row);
    }
    return below[longest_ngram] * backoffs;
  }

 private:
  static int longest(const Walk& ngram) { return std::max(ngram.depth, 1); }

  static std::int64_t node(const Walk& ngram, int n) {
    return n <= ngram.depth ? ngram.node[n] : -1;
  }

  /// The row of the order-n context, which the search has found.
  const Word* row_of(const Walk& context, int n) const {
    return n == 1 ? trie_.contexts : context_row(trie_, context.node[n - 1]);
  }

  const Trie<Word>& trie_;
  Levels<Word> levels_;
  double uniform_;
};

/// Losses of one document, added row by row.
template <class Word>
class DocumentScore {
 public:
  DocumentScore(const Scorer<Word>& scorer, int order, bool ladder)
      : scorer_(scorer), history_(order), order_(order), first_(ladder ? 1 : order) {
    context_.node[1] = 0;  // the begin mark
    context_.depth = order > 1 ? 1 : 0;
  }

  void add(std::uint32_t rank) {
    const Walk ngram = scorer_.walk(rank, history_);
    std::array<double, kMaxOrder + 1> below;
    scorer_.adjusted(ngram, context_, below.data());
    for (int k = first_; k <= order_; ++k) {
      const double probability = scorer_.top(ngram, context_, k, below.data());
      if (probability > 0) {
        sums_[k].add(-std::log(probability));
      } else {
        ++infinite_[k];
      }
    }
    history_.push(rank);
    context_ = ngram;
    ++predicted_;
    oov_ += rank == kUnknown;
  }

  void store(const ScoreOut& out, std::int64_t document) const {
    const int columns = order_ - first_ + 1;
    for (int k = first_; k <= order_; ++k) {
      out.low[document * columns + k - first_] = sums_[k].low;
      out.high[document * columns + k - first_] = sums_[k].high;
      out.infinite[document * columns + k - first_] = infinite_[k];
    }
    out.predicted[document] = predicted_;
    out.oov[document] = oov_;
  }

 private:
  const Scorer<Word>& scorer_;
  History history_;
  Walk context_;
  std::array<LossAccumulator, kMaxOrder + 1> sums_{};
  std::array<std::uint64_t, kMaxOrder + 1> infinite_{};
  std::uint64_t predicted_ = 0;
  std::uint64_t oov_ = 0;
  int order_;
  int first_;
};

}  // namespace

template <class Token, class Word>
Status score_ngrams(const Chunk<Token>& chunk, const Alphabet& alphabet, const Trie<Word>& trie,
                    const double* discounts, double uniform, const ScoreOut& out) {
  const Scorer<Word> scorer(trie, discounts, uniform);
  for (std::int64_t d = 0; d < chunk.documents; ++d) {
    DocumentScore<Word> score(scorer, trie.order, out.ladder);
    for (std::int64_t t = chunk.starts[d]; t < chunk.stops[d]; ++t) {
      const auto id = static_cast<std::int64_t>(chunk.tokens[t]);
      if (id >= alphabet.vocab_size) {
        return {Code::id_outside_vocabulary, t, static_cast<std::uint64_t>(id)};
      }
      const std::uint32_t rank = alphabet.ranks[id];
      score.add(rank == 0 ? kUnknown : rank);
    }
    if (alphabet.end_rank != 0) score.add(alphabet.end_rank);
    score.store(out, d);
  }
  return {};
}

#define ICFAST_TOKEN_WORD(T, U)                                                        \
  template Status score_ngrams<T, U>(const Chunk<T>&, const Alphabet&, const Trie<U>&, \
                                     const double*, double, const ScoreOut&);
#define ICFAST_WORD(U)               \
  ICFAST_TOKEN_WORD(std::uint8_t, U) \
  ICFAST_TOKEN_WORD(std::uint16_t, U) ICFAST_TOKEN_WORD(std::uint32_t, U)
ICFAST_FOR_EACH_WORD(ICFAST_WORD)
#undef ICFAST_WORD
#undef ICFAST_TOKEN_WORD

}  // namespace icfast
