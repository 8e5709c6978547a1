// Builds a trie in suffix order from sorted windows, and the rows of its contexts.
#include "by_context.hpp"
#include "counting/scan.hpp"
#include "instantiate.hpp"

namespace icfast {
template <int W, class Word>
Status grow_trie(const SortedRun<W>& run, const Ends<W>& ends, int bits, std::uint64_t* path_state,
                 std::int64_t* cursors, const Trie<Word>& trie, Word* followed) {
  const int order = trie.order;
  const KeyShape<W> shape(order, bits);
  Path<W> path(path_state, shape);
  EndCursor<W> cursor(ends);
  for (std::int64_t b = 0; b < run.buckets; ++b) {
    const std::uint32_t lead = run.leads[b];
    for (std::int64_t i = run.bounds[b]; i < run.bounds[b + 1]; ++i) {
      const Key<W>& key = run.keys[i];
      const int shared = path.shared_orders(lead, key);
      if (shared < 0) return {Code::not_sorted, i, lead};
      path.move_to(lead, key);
      const int deepest = path.deepest();
      for (int n = shared + 1; n <= deepest; ++n) {
        const std::int64_t node = cursors[n - 1]++;
        if (node >= trie.levels[n])
          return {Code::output_too_small, i, static_cast<std::uint64_t>(n)};
        trie.symbols[node] = path.oldest(n);
        // Level 1 is indexed by rank, so every rank must have a window.
        if (n == 1 && node != lead) return {Code::rank_without_window, i, lead};
        if (n < order) trie.child[node] = static_cast<Word>(cursors[n]);
      }
      const auto count = static_cast<Word>(run.counts[i]);
      const auto continued = static_cast<Word>(run.counts[i] - cursor.count(lead, key));
      for (int n = 1; n <= deepest; ++n) {
        const std::int64_t node = cursors[n - 1] - 1;
        trie.counts[node] += count;
        if (n < order) followed[node] += continued;
      }
    }
  }
  return {};
}

template <class Word>
Status mark_contexts(const Trie<Word>& trie, const Word* followed) {
  const std::int64_t contexts = trie.levels[trie.order - 1];
  std::int64_t next = 1;
  for (std::int64_t first = 0; first < contexts; first += 64) {
    std::uint64_t* mark = trie.marks + 2 * (first / 64);
    mark[0] = 0;
    mark[1] = static_cast<std::uint64_t>(next - 1);
    for (std::int64_t i = first; i < std::min(first + 64, contexts); ++i) {
      if (followed[i] == 1) continue;
      if (next >= trie.context_rows) return {Code::output_too_small, i, 0};
      mark[0] |= std::uint64_t{1} << (i - first);
      trie.contexts[next++ * kContextFields + kFollowedBy] = followed[i];
    }
  }
  return {};
}

namespace {

/// Adds the n-gram (h w) of this order to the row of its context h.
template <class Word>
void add_successor(const Trie<Word>& trie, int order, std::int64_t ngram, std::int64_t context) {
  Word* row = stored_row(trie, context);
  if (row == nullptr) return;
  const Word count = trie.counts[ngram];
  row[kSuccessors] += 1;
  row[kRawOnes] += count == 1;
  row[kRawTwos] += count == 2;
  if (order == trie.order) return;
  const Word adjusted = trie.symbols[ngram] == 0
                            ? count
                            : static_cast<Word>(trie.child[ngram + 1] - trie.child[ngram]);
  row[kAdjustedTotal] += adjusted;
  row[kAdjustedOnes] += adjusted == 1;
  row[kAdjustedTwos] += adjusted == 2;
}

}  // namespace

template <class Word>
Status link_contexts(const Trie<Word>& trie, const Bigrams<Word>& bigrams, std::uint32_t low,
                     std::uint32_t high, const ContextScratch<Word>& scratch) {
  if (trie.order == 1) return {};
  ByContext walk(trie, scratch, [&](int n, std::int64_t ngram, std::int64_t context, std::int64_t) {
    add_successor(trie, n, ngram, context);
  });
  for (std::int64_t symbol = low; symbol < high; ++symbol) {
    const Status status = walk.walk(bigrams, symbol);
    if (status.code != Code::ok) return status;
  }
  return {};
}

#define ICFAST_WORD(T)                                                               \
  template Status mark_contexts<T>(const Trie<T>&, const T*);                        \
  template Status link_contexts<T>(const Trie<T>&, const Bigrams<T>&, std::uint32_t, \
                                   std::uint32_t, const ContextScratch<T>&);
#define ICFAST_WIDTH(W)                                                                    \
  template Status grow_trie<W, std::uint32_t>(const SortedRun<W>&, const Ends<W>&, int,    \
                                              std::uint64_t*, std::int64_t*,               \
                                              const Trie<std::uint32_t>&, std::uint32_t*); \
  template Status grow_trie<W, std::uint64_t>(const SortedRun<W>&, const Ends<W>&, int,    \
                                              std::uint64_t*, std::int64_t*,               \
                                              const Trie<std::uint64_t>&, std::uint64_t*);
ICFAST_FOR_EACH_WORD(ICFAST_WORD)
ICFAST_FOR_EACH_WIDTH(ICFAST_WIDTH)
#undef ICFAST_WIDTH
#undef ICFAST_WORD

}  // namespace icfast
