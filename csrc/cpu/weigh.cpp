// Every n-gram's probability and backoff under the order-N model, so that bulk scoring reads one
// number where the walk reads counts and context rows.
#include "contexts.hpp"
#include "instantiate.hpp"

namespace icfast {
namespace {

template <class Word>
struct Weigher {
  const Trie<Word>& trie;
  Levels<Word> levels;
  double* probabilities;
  double* backoffs;

  double probability(int n, std::int64_t ngram, const Word* row, double lower) const {
    return n == trie.order ? levels.top(n, row, ngram, lower)
                           : levels.below_top(n, row, ngram, lower);
  }

  /// Backoffs of the contexts of n - 1 symbols at nodes [begin, end).
  void back_off(int n, std::int64_t begin, std::int64_t end) const {
    for (std::int64_t i = begin; i < end; ++i) {
      const Word* row = context_row(trie, i);
      backoffs[i] =
          n == trie.order ? levels.backoff_at_top(n, row) : levels.backoff_below_top(n, row);
    }
  }

  /// N-gram (h w) of order n and all below it; its context h stands at node `context`. The left
  /// neighbours of hw are left neighbours of h, and both lists ascend.
  Status descend(int n, std::int64_t ngram, std::int64_t context, double lower) const {
    const double p = probability(n, ngram, context_row(trie, context), lower);
    probabilities[ngram] = p;
    if (n == trie.order) return {};
    const Siblings longer = children(trie, ngram);
    Siblings contexts = children(trie, context);
    for (std::int64_t i = longer.next; i < longer.end; ++i) {
      contexts.next = seek(trie, contexts, trie.symbols[i]);
      if (contexts.next == contexts.end || trie.symbols[contexts.next] != trie.symbols[i]) {
        return {Code::table_without_context, i, trie.symbols[i]};
      }
      const Status status = descend(n + 1, i, contexts.next, p);
      if (status.code != Code::ok) return status;
    }
    return {};
  }
};

}  // namespace

template <class Word>
Status weigh_ngrams(const Trie<Word>& trie, const double* discounts, double uniform,
                    std::uint32_t low, std::uint32_t high, double* probabilities,
                    double* backoffs) {
  const Weigher<Word> weigher{trie, {trie, discounts}, probabilities, backoffs};
  const auto unigram = [&](std::int64_t word) {
    return weigher.probability(1, word == 0 ? -1 : word, trie.contexts, uniform);
  };
  for (std::int64_t word = low; word < high; ++word) probabilities[word] = unigram(word);
  if (trie.order == 1) return {};
  // Contexts with the same last symbols stand together at every order.
  std::int64_t begin = low;
  std::int64_t end = high;
  for (int n = 2; n <= trie.order; ++n) {
    weigher.back_off(n, begin, end);
    if (n == trie.order) break;
    begin = static_cast<std::int64_t>(trie.child[begin]);
    end = static_cast<std::int64_t>(trie.child[end]);
  }
  // All words over a few contexts, so that these stay in cache.
  for (std::int64_t word = 0; word < trie.levels[1]; ++word) {
    const Siblings bigrams = children(trie, word);
    const std::int64_t first = seek(trie, bigrams, low);
    if (first == bigrams.end || trie.symbols[first] >= high) continue;
    const double p = unigram(word);
    for (std::int64_t i = first; i < bigrams.end && trie.symbols[i] < high; ++i) {
      const Status status = weigher.descend(2, i, static_cast<std::int64_t>(trie.symbols[i]), p);
      if (status.code != Code::ok) return status;
    }
  }
  return {};
}

#define ICFAST_WORD(T)                                                                  \
  template Status weigh_ngrams<T>(const Trie<T>&, const double*, double, std::uint32_t, \
                                  std::uint32_t, double*, double*);
ICFAST_FOR_EACH_WORD(ICFAST_WORD)
#undef ICFAST_WORD

}  // namespace icfast
