// Probabilities from context rows, below the highest order or at it.
#pragma once
#include "icfast/models.hpp"
#include "icfast/scalars.hpp"
#include "siblings.hpp"

namespace icfast {

/// Orders of the order-k models: continuation counts below the highest order, raw counts at it.
template <class Word>
class Levels {
 public:
  Levels(const Trie<Word>& trie, const double* discounts) : trie_(trie), discounts_(discounts) {}

  /// p of the order-n n-gram `node` (-1: it does not exist) from context `row` and the lower order.
  double below_top(int n, const Word* row, std::int64_t node, double lower) const {
    const Discounted level{discounts_ + 4 * n};
    return level(adjusted_count(n, node), row[kAdjustedTotal], row[kAdjustedOnes],
                 row[kAdjustedTwos], row[kSuccessors], lower);
  }

  double top(int n, const Word* row, std::int64_t node, double lower) const {
    const Discounted level{discounts_ + 4 * (trie_.order + 1 + n)};
    const Word count = node < 0 ? 0 : trie_.counts[node];
    return level(count, row[kFollowedBy], row[kRawOnes], row[kRawTwos], row[kSuccessors], lower);
  }

  /// Backoff weight of a context of n - 1 symbols.
  double backoff_below_top(int n, const Word* row) const {
    if (row[kFollowedBy] == 0) return 1.0;
    return Discounted{discounts_ + 4 * n}.backoff(row[kAdjustedTotal], row[kAdjustedOnes],
                                                  row[kAdjustedTwos], row[kSuccessors]);
  }

  double backoff_at_top(int n, const Word* row) const {
    if (row[kFollowedBy] == 0) return 1.0;
    return Discounted{discounts_ + 4 * (trie_.order + 1 + n)}.backoff(
        row[kFollowedBy], row[kRawOnes], row[kRawTwos], row[kSuccessors]);
  }

 private:
  Word adjusted_count(int n, std::int64_t node) const {
    if (node < 0) return 0;
    if (n > 1 && trie_.symbols[node] == 0) return trie_.counts[node];
    return static_cast<Word>(trie_.child[node + 1] - trie_.child[node]);
  }

  const Trie<Word>& trie_;
  const double* discounts_;  // [2, N + 1, 4]: lower orders, then highest orders
};

}  // namespace icfast
