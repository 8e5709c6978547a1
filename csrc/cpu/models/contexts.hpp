// What a context row says of one successor, at an order below the top or as the top.
#pragma once
#include "icfast/models.hpp"
#include "icfast/scalars.hpp"
#include "siblings.hpp"

namespace icfast {

/// The levels of the order-k models: continuation counts below the top, raw ones at the top.
template <class Word>
class Levels {
 public:
  Levels(const Trie<Word>& trie, const double* discounts) : trie_(trie), discounts_(discounts) {}

  /// One level of p: what context `row` says of the order-n n-gram `node` (-1: it has none).
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

  /// What a context of n - 1 symbols multiplies the probability of an unseen successor by.
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
  const double* discounts_;  // [2, N + 1, 4]: adjusted orders, then raw tops
};

}  // namespace icfast
