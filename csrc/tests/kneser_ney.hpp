// Tries and Kneser-Ney losses from maps of n-grams.
#pragma once
#include <cmath>

#include "definitions.hpp"

namespace icfast::tests {

/// The arrays of a trie. Entries that no kernel writes (the begin mark's children, the root's row)
/// are filled in.
template <class Word>
struct TrieArrays {
  Array<std::int64_t> levels;
  Array<std::uint32_t> symbols;
  Array<Word> counts;
  Array<Word> child;
  Array<std::uint64_t> marks;
  Array<Word> contexts;

  Trie<Word> trie() {
    return {levels.data(),   static_cast<int>(levels.size()) - 1,
            symbols.data(),  counts.data(),
            child.data(),    marks.data(),
            contexts.data(), contexts.rows() / kContextFields};
  }
};

/// Nodes of each order in suffix order. Level 1 has every rank, seen or not.
inline std::vector<Counts> nodes_of(const Ngrams& ngrams, std::uint32_t ranks) {
  std::vector<Counts> nodes = ngrams.counts;
  for (std::uint32_t rank = 0; rank < ranks; ++rank) nodes[1].insert({Symbols{rank}, 0});
  return nodes;
}

/// a(gram): the raw count of n-grams that start with the begin mark, else distinct left neighbours.
inline std::uint64_t adjusted(const std::vector<Counts>& neighbours, const Counts& raw,
                              const Symbols& gram) {
  return gram.back() == 0 ? at(raw, gram) : at(neighbours[gram.size()], gram);
}

/// Sums over the successors of a context, by raw and by adjusted counts.
struct Row {
  std::uint64_t field[kContextFields] = {};
};

struct KneserNey {
  int order;
  Ngrams ngrams;
  std::vector<Counts> neighbours;  // at [n]: distinct left neighbours of n-grams, n < N
  std::map<Symbols, Row> rows;     // by context, including the empty one
  std::vector<double> discounts;   // [2, N + 1, 4]: adjusted orders, then highest orders
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

  /// p of an n-gram's newest symbol after the others under the order-N model: from raw counts at
  /// order N, else from adjusted counts. A symbol without n-grams has count 0.
  double weight(const Symbols& gram) const {
    double p = uniform;
    for (std::size_t n = 1; n <= gram.size(); ++n) {
      const Symbols shorter(gram.begin(), gram.begin() + static_cast<std::ptrdiff_t>(n));
      const bool top = static_cast<int>(n) == order;
      const std::uint64_t count =
          top ? at(ngrams.counts[n], shorter) : adjusted(neighbours, ngrams.counts[n], shorter);
      p = level(top, static_cast<int>(n), count,
                rows.at(Symbols(shorter.begin() + 1, shorter.end())), p);
    }
    return p;
  }

  /// The backoff weight of a context.
  double backoff(const Symbols& context) const {
    const auto row = rows.find(context);
    if (row == rows.end()) return 1.0;
    const int n = static_cast<int>(context.size()) + 1;
    return level(n == order, n, 0, row->second, 1.0);
  }

  /// p(symbol | history) under the order-k model. The history is newest first and ends in its begin
  /// mark.
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

/// Occurrences of a successor after each node of order < N.
template <class Word>
std::vector<Word> followed_of(const KneserNey& model, std::uint32_t ranks) {
  std::vector<Word> followed;
  const std::vector<Counts> nodes = nodes_of(model.ngrams, ranks);
  for (std::size_t n = 1; n + 1 < nodes.size(); ++n) {
    for (const auto& [gram, times] : nodes[n]) {
      const auto row = model.rows.find(gram);
      followed.push_back(
          static_cast<Word>(row == model.rows.end() ? 0 : row->second.field[kFollowedBy]));
    }
  }
  return followed;
}

/// Space for a trie. Entries that no kernel writes (the begin mark's children) are filled in.
template <class Word>
TrieArrays<Word> empty_trie(const KneserNey& model, std::uint32_t ranks) {
  const std::vector<Counts> nodes = nodes_of(model.ngrams, ranks);
  std::vector<std::int64_t> levels{0};
  for (std::size_t n = 1; n < nodes.size(); ++n) {
    levels.push_back(levels.back() + static_cast<std::int64_t>(nodes[n].size()));
  }
  const auto all = static_cast<std::size_t>(levels.back());
  const std::vector<Word> followed = followed_of<Word>(model, ranks);
  const std::size_t contexts = followed.size();
  const auto once = static_cast<std::size_t>(std::count(followed.begin(), followed.end(), 1));
  TrieArrays<Word> made{levels,
                        Array<std::uint32_t>(all),
                        Array<Word>(all),
                        Array<Word>(contexts + 1),
                        Array<std::uint64_t>((contexts + 63) / 64 * 2),
                        Array<Word>((1 + contexts - once) * kContextFields)};
  if (contexts != 0) made.child[0] = static_cast<Word>(levels[1]);
  made.child[contexts] = static_cast<Word>(levels.back());
  return made;
}

/// The trie of a model, from its maps alone.
template <class Word>
TrieArrays<Word> trie_of(const KneserNey& model, std::uint32_t ranks) {
  const std::vector<Counts> nodes = nodes_of(model.ngrams, ranks);
  auto made = empty_trie<Word>(model, ranks);
  std::size_t node = 0;
  std::size_t rows = 0;
  const auto put_row = [&](const Row& row) {
    std::copy(std::begin(row.field), std::end(row.field),
              made.contexts.begin() + rows++ * kContextFields);
  };
  put_row(model.rows.at({}));
  for (std::size_t n = 1; n < nodes.size(); ++n) {
    const bool top = n + 1 == nodes.size();
    auto below = top ? Counts::const_iterator{} : nodes[n + 1].begin();
    auto next = static_cast<Word>(made.levels[n]);
    for (const auto& [gram, times] : nodes[n]) {
      made.symbols[node] = gram.back();
      made.counts[node] = static_cast<Word>(times);
      if (!top) {
        made.child[node] = next;
        while (below != nodes[n + 1].end() &&
               std::equal(gram.begin(), gram.end(), below->first.begin())) {
          ++below;
          ++next;
        }
        const auto row = model.rows.find(gram);
        const Row known = row == model.rows.end() ? Row{} : row->second;
        if (node % 64 == 0) made.marks[node / 64 * 2 + 1] = rows - 1;
        if (known.field[kFollowedBy] != 1) {
          made.marks[node / 64 * 2] |= std::uint64_t{1} << node % 64;
          put_row(known);
        }
      }
      ++node;
    }
  }
  return made;
}

/// Inputs and scratch space of kernels that visit contexts.
template <class Word>
struct ByContextArrays {
  Array<std::int64_t> starts;
  Array<std::uint32_t> words;
  Array<Word> nodes;
  Array<std::uint32_t> table;
  Array<Word> lists;

  Bigrams<Word> bigrams() const { return {starts.data(), words.data(), nodes.data()}; }
  ContextScratch<Word> scratch() { return {table.data(), lists.data()}; }
};

template <class Word>
ByContextArrays<Word> by_context(const TrieArrays<Word>& trie) {
  const auto ranks = static_cast<std::uint32_t>(trie.levels[1]);
  const std::size_t order = trie.levels.size() - 1;
  std::vector<std::int64_t> starts{0};
  std::vector<std::uint32_t> words;
  std::vector<Word> nodes;
  for (std::uint32_t symbol = 0; symbol < ranks; ++symbol) {
    for (std::uint32_t word = 0; order > 1 && word < ranks; ++word) {
      for (Word node = trie.child[word]; node < trie.child[word + 1]; ++node) {
        if (trie.symbols[node] != symbol) continue;
        words.push_back(word);
        nodes.push_back(node);
      }
    }
    starts.push_back(static_cast<std::int64_t>(words.size()));
  }
  std::int64_t entries = 0;
  for (std::size_t n = 2; n < order; ++n) {
    const std::int64_t size = trie.levels[n] - trie.levels[n - 1];
    entries += (n + 2 <= order ? size : 0) + (n >= 3 ? size : 0);
  }
  return {starts, words, nodes, Array<std::uint32_t>(ranks),
          Array<Word>(static_cast<std::size_t>(entries))};
}

}  // namespace icfast::tests
