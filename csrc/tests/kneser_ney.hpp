// Tries and Kneser-Ney losses from maps of n-grams.
#pragma once
#include <cmath>

#include "definitions.hpp"

namespace icfast::tests {

/// A trie's arrays; what no kernel fills (the begin mark's children, the root's row) is filled in.
template <class Word>
struct TrieArrays {
  Array<std::int64_t> levels;
  Array<std::uint32_t> symbols;
  Array<Word> counts;
  Array<Word> child;
  Array<Word> contexts;

  Trie<Word> trie() {
    return {levels.data(),  static_cast<int>(levels.size()) - 1,
            symbols.data(), counts.data(),
            child.data(),   contexts.data()};
  }
};

/// Nodes of each order in suffix order; level 1 is every rank, seen or not.
inline std::vector<Counts> nodes_of(const Ngrams& ngrams, std::uint32_t ranks) {
  std::vector<Counts> nodes = ngrams.counts;
  for (std::uint32_t rank = 0; rank < ranks; ++rank) nodes[1].insert({Symbols{rank}, 0});
  return nodes;
}

template <class Word>
TrieArrays<Word> empty_trie(const std::vector<Counts>& nodes, std::size_t documents) {
  std::vector<std::int64_t> levels{0};
  for (std::size_t n = 1; n < nodes.size(); ++n) {
    levels.push_back(levels.back() + static_cast<std::int64_t>(nodes[n].size()));
  }
  const auto all = static_cast<std::size_t>(levels.back());
  const auto contexts = static_cast<std::size_t>(levels[levels.size() - 2]);
  TrieArrays<Word> made{levels, Array<std::uint32_t>(all), Array<Word>(all),
                        Array<Word>(contexts + 1), Array<Word>((contexts + 1) * kContextFields)};
  if (contexts != 0) {
    made.child[0] = static_cast<Word>(levels[1]);
    made.contexts[kContextFields] = static_cast<Word>(documents);
  }
  made.child[contexts] = static_cast<Word>(levels.back());
  return made;
}

/// a(gram): raw counts of n-grams that start with the begin mark, else distinct left neighbours.
inline std::uint64_t adjusted(const std::vector<Counts>& neighbours, const Counts& raw,
                              const Symbols& gram) {
  return gram.back() == 0 ? at(raw, gram) : at(neighbours[gram.size()], gram);
}

/// What a context knows of its successors, by raw and by adjusted counts.
struct Row {
  std::uint64_t field[kContextFields] = {};
};

struct KneserNey {
  int order;
  Ngrams ngrams;
  std::vector<Counts> neighbours;  // at [n], distinct left neighbours of n-grams, n < N
  std::map<Symbols, Row> rows;     // by context; the empty one too
  std::vector<double> discounts;   // [2, N + 1, 4]: adjusted orders, then raw tops
  double uniform;

  KneserNey(const Documents& documents, int order_, double uniform_)
      : order(order_), ngrams(ngrams_of(documents, order_)), uniform(uniform_) {
    neighbours.resize(static_cast<std::size_t>(order));
    for (std::size_t n = 1; n < neighbours.size(); ++n) {
      neighbours[n] = left_neighbours(ngrams.counts[n + 1]);
    }
    for (std::size_t n = 1; n <= static_cast<std::size_t>(order); ++n) {
      for (const auto& [gram, raw] : ngrams.counts[n]) {
        std::uint64_t* row = rows[Symbols(gram.begin() + 1, gram.end())].field;
        row[kFollowedBy] += raw;
        row[kSuccessors] += 1;
        row[kRawOnes] += raw == 1;
        row[kRawTwos] += raw == 2;
        if (n == static_cast<std::size_t>(order)) continue;
        const std::uint64_t a = adjusted(neighbours, ngrams.counts[n], gram);
        row[kAdjustedTotal] += a;
        row[kAdjustedOnes] += a == 1;
        row[kAdjustedTwos] += a == 2;
      }
    }
    for (int set = 0; set < 2; ++set) {
      for (int n = 0; n <= order; ++n) {
        for (const double d : {0.0, 0.5 + 0.01 * n, 0.9 + 0.02 * set, 1.3}) discounts.push_back(d);
      }
    }
  }

  /// p of one level: max(0, c - D(c)) / total + freed / total * lower.
  double level(bool raw, int n, std::uint64_t count, const Row& row, double lower) const {
    const double* d = discounts.data() + 4 * (raw ? order + 1 + n : n);
    const std::uint64_t* f = row.field + (raw ? 0 : kAdjustedTotal);
    const double total = static_cast<double>(f[0]);
    const std::uint64_t ones = raw ? row.field[kRawOnes] : f[1];
    const std::uint64_t twos = raw ? row.field[kRawTwos] : f[2];
    const std::uint64_t more = row.field[kSuccessors] - ones - twos;
    const double freed = d[1] * static_cast<double>(ones) + d[2] * static_cast<double>(twos) +
                         d[3] * static_cast<double>(more);
    const double kept = static_cast<double>(count) - d[std::min<std::uint64_t>(count, 3)];
    return (std::max(kept, 0.0) + freed * lower) / total;
  }

  /// p(symbol | history) under the order-k model; the history newest first, its begin mark last.
  double probability(std::uint32_t symbol, const Symbols& history, int k) const {
    double p = uniform;
    for (int n = 1; n <= k; ++n) {
      if (n - 1 > static_cast<int>(history.size())) break;
      const Symbols context(history.begin(), history.begin() + (n - 1));
      const auto row = rows.find(context);
      if (row == rows.end()) continue;
      Symbols gram{symbol};
      gram.insert(gram.end(), context.begin(), context.end());
      const Counts& counts = ngrams.counts[static_cast<std::size_t>(n)];
      const std::uint64_t count = n == k ? at(counts, gram) : adjusted(neighbours, counts, gram);
      p = level(n == k, n, count, row->second, p);
    }
    return p;
  }
};

/// The trie of a model, from its maps alone.
template <class Word>
TrieArrays<Word> trie_of(const KneserNey& model, std::uint32_t ranks, std::size_t documents) {
  const std::vector<Counts> nodes = nodes_of(model.ngrams, ranks);
  TrieArrays<Word> made = empty_trie<Word>(nodes, documents);
  std::size_t node = 0;
  for (std::size_t n = 1; n < nodes.size(); ++n) {
    auto below = n + 1 < nodes.size() ? nodes[n + 1].begin() : Counts::const_iterator{};
    auto next = static_cast<Word>(made.levels[n]);
    for (const auto& [gram, times] : nodes[n]) {
      made.symbols[node] = gram.back();
      made.counts[node] = static_cast<Word>(times);
      if (n + 1 < nodes.size()) {
        made.child[node] = next;
        while (below != nodes[n + 1].end() &&
               std::equal(gram.begin(), gram.end(), below->first.begin())) {
          ++below;
          ++next;
        }
        const auto row = model.rows.find(gram);
        if (row != model.rows.end()) {
          std::copy(std::begin(row->second.field), std::end(row->second.field),
                    made.contexts.begin() + (node + 1) * kContextFields);
        }
      }
      ++node;
    }
  }
  const auto root = model.rows.find({});
  std::copy(std::begin(root->second.field), std::end(root->second.field), made.contexts.begin());
  return made;
}

}  // namespace icfast::tests
