// Probability and backoff of every n-gram under the order-N model. Bulk scoring then reads one
// number where scoring token by token reads counts and context rows.
#include "by_context.hpp"
#include "contexts.hpp"
#include "instantiate.hpp"

namespace icfast {
template <class Word>
Status weigh_ngrams(const Trie<Word>& trie, const Bigrams<Word>& bigrams, const double* discounts,
                    double uniform, std::uint32_t low, std::uint32_t high,
                    const ContextScratch<Word>& scratch, double* probabilities, double* backoffs) {
  const Levels<Word> levels(trie, discounts);
  const auto probability = [&](int n, std::int64_t ngram, const Word* row, double lower) {
    return n == trie.order ? levels.top(n, row, ngram, lower)
                           : levels.below_top(n, row, ngram, lower);
  };
  const auto unigram = [&](std::int64_t word) {
    return probability(1, word == 0 ? -1 : word, trie.contexts, uniform);
  };
  for (std::int64_t word = low; word < high; ++word) probabilities[word] = unigram(word);
  if (trie.order == 1) return {};
  // Contexts with equal last symbols are adjacent at every order.
  std::int64_t begin = low;
  std::int64_t end = high;
  for (int n = 2; n <= trie.order; ++n) {
    for (std::int64_t i = begin; i < end; ++i) {
      const Word* row = context_row(trie, i);
      backoffs[i] =
          n == trie.order ? levels.backoff_at_top(n, row) : levels.backoff_below_top(n, row);
    }
    if (n == trie.order) break;
    begin = static_cast<std::int64_t>(trie.child[begin]);
    end = static_cast<std::int64_t>(trie.child[end]);
  }
  ByContext walk(trie, scratch,
                 [&](int n, std::int64_t ngram, std::int64_t context, std::int64_t shorter) {
                   // A unigram may belong to a range that is not finished yet.
                   const double lower = n == 2 ? unigram(shorter) : probabilities[shorter];
                   probabilities[ngram] = probability(n, ngram, context_row(trie, context), lower);
                 });
  for (std::int64_t symbol = low; symbol < high; ++symbol) {
    const Status status = walk.walk(bigrams, symbol);
    if (status.code != Code::ok) return status;
  }
  return {};
}

#define ICFAST_WORD(T)                                                                             \
  template Status weigh_ngrams<T>(const Trie<T>&, const Bigrams<T>&, const double*, double,        \
                                  std::uint32_t, std::uint32_t, const ContextScratch<T>&, double*, \
                                  double*);
ICFAST_FOR_EACH_WORD(ICFAST_WORD)
#undef ICFAST_WORD

}  // namespace icfast
