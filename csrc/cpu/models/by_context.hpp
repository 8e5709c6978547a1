// Visits all n-grams of order 2 and more together with their contexts, the n-grams without their
// newest symbol.
//
// In suffix order the successors of a context are far apart. Instead of searching the context of
// each n-gram, the n-grams of one context distribute their children, by oldest symbol, to that
// context's children. A table from symbol to child replaces the search.
#pragma once
#include <algorithm>
#include <utility>

#include "icfast/models.hpp"
#include "siblings.hpp"

namespace icfast {

// Number of n-grams to prefetch ahead, since the n-grams of one context are far apart.
inline constexpr std::int64_t kFar = 16;
inline constexpr std::int64_t kNear = 8;

/// Calls visit(n, ngram, context, shorter) for each n-gram of order n; shorter is the n-gram
/// without its oldest symbol. The n-grams of one context come before any longer ones.
template <class Word, class Visit>
class ByContext {
 public:
  ByContext(const Trie<Word>& trie, const ContextScratch<Word>& scratch, Visit visit)
      : trie_(trie), scratch_(scratch), visit_(visit) {}

  /// Visits all n-grams whose context ends in this symbol.
  Status walk(const Bigrams<Word>& bigrams, std::int64_t symbol) {
    const std::int64_t first = bigrams.starts[symbol];
    const std::int64_t size = bigrams.starts[symbol + 1] - first;
    for (std::int64_t i = first; i < first + size; ++i) {
      visit_(2, static_cast<std::int64_t>(bigrams.nodes[i]), symbol,
             static_cast<std::int64_t>(bigrams.words[i]));
    }
    if (trie_.order == 2) return {};
    return distribute(2, symbol, bigrams.nodes + first, size, scratch_.lists);
  }

 private:
  /// Distributes the children of order-n n-grams that share a context to that context's children.
  Status distribute(int n, std::int64_t context, const Word* ngrams, std::int64_t size,
                    Word* free_lists) {
    const Siblings contexts = children(trie_, context);
    const std::int64_t number = contexts.end - contexts.next;
    for (std::int64_t k = 0; k < number; ++k) {
      scratch_.table[trie_.symbols[contexts.next + k]] = static_cast<std::uint32_t>(k);
    }
    const bool last = n + 1 == trie_.order;
    Word* ends = free_lists;
    Word* distributed = free_lists + number;
    if (!last) std::fill(ends, ends + number, Word{0});
    for (std::int64_t j = 0; j < size; ++j) {
      if (j + kFar < size) __builtin_prefetch(trie_.child + ngrams[j + kFar]);
      if (j + kNear < size) {
        const auto soon = static_cast<std::int64_t>(trie_.child[ngrams[j + kNear]]);
        __builtin_prefetch(trie_.symbols + soon);
        __builtin_prefetch(trie_.counts + soon);
      }
      const auto ngram = static_cast<std::int64_t>(ngrams[j]);
      const Siblings longer = children(trie_, ngram);
      for (std::int64_t i = longer.next; i < longer.end; ++i) {
        const std::uint32_t symbol = trie_.symbols[i];
        const std::int64_t k = symbol < trie_.levels[1] ? scratch_.table[symbol] : number;
        if (k >= number || trie_.symbols[contexts.next + k] != symbol) {
          return {Code::table_without_context, i, symbol};
        }
        visit_(n + 1, i, contexts.next + k, ngram);
        if (!last) ++ends[k];
      }
    }
    if (last) return {};
    Word begin = 0;
    for (std::int64_t k = 0; k < number; ++k) begin += std::exchange(ends[k], begin);
    for (std::int64_t j = 0; j < size; ++j) {
      const Siblings longer = children(trie_, static_cast<std::int64_t>(ngrams[j]));
      for (std::int64_t i = longer.next; i < longer.end; ++i) {
        distributed[ends[scratch_.table[trie_.symbols[i]]]++] = static_cast<Word>(i);
      }
    }
    begin = 0;
    for (std::int64_t k = 0; k < number; ++k) {
      const auto here = static_cast<std::int64_t>(ends[k] - begin);
      if (here != 0) {
        const Status status = distribute(n + 1, contexts.next + k, distributed + begin, here,
                                         distributed + ends[number - 1]);
        if (status.code != Code::ok) return status;
      }
      begin = ends[k];
    }
    return {};
  }

  const Trie<Word>& trie_;
  const ContextScratch<Word>& scratch_;
  Visit visit_;
};

}  // namespace icfast
