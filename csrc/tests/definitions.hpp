// Definitions of the kernels' results from std:: containers alone, one position at a time.
//
// A window is (w[t], w[t-1], ..., w[t-N+1]) as ranks, 0 before the document. An n-gram is its first
// n ranks, with at most one begin mark, the last one. The bits of a key are set one by one.
#pragma once
#include <map>
#include <random>
#include <type_traits>
#include <vector>

#include "guarded.hpp"
#include "icfast/models.hpp"

namespace icfast::tests {

using Symbols = std::vector<std::uint32_t>;
using Documents = std::vector<Symbols>;
using Counts = std::map<Symbols, std::uint64_t>;
using Random = std::mt19937_64;

template <int W>
using Width = std::integral_constant<int, W>;

struct Shape {
  int order;
  int bits;
};

/// Calls call(Width<W>, shape) for no history, one symbol, full words, symbols that straddle words,
/// the longest order and the widest symbols.
template <class Call>
void for_each_shape(Call call) {
  const auto each = [&](auto width, Shape shape) {
    const Case named("order", shape.order, "bits", shape.bits, "words", width());
    call(width, shape);
  };
  each(Width<1>{}, Shape{1, 1});
  each(Width<1>{}, Shape{2, 3});
  each(Width<1>{}, Shape{3, 8});
  each(Width<1>{}, Shape{5, 16});
  each(Width<2>{}, Shape{6, 13});
  each(Width<2>{}, Shape{9, 16});
  each(Width<3>{}, Shape{14, 11});
  each(Width<4>{}, Shape{64, 4});
  each(Width<4>{}, Shape{9, 32});
}

template <class Call>
void for_each_width(Call call) {
  const auto each = [&](auto width) {
    const Case named("words", width());
    call(width);
  };
  each(Width<1>{});
  each(Width<2>{});
  each(Width<3>{});
  each(Width<4>{});
}

/// Calls call(Token{}) for each token width.
template <class Call>
void for_each_token(Call call) {
  const auto each = [&](auto token) {
    const Case named("token bytes", sizeof(token));
    call(token);
  };
  each(std::uint8_t{});
  each(std::uint16_t{});
  each(std::uint32_t{});
}

inline std::uint64_t pick(Random& random, std::uint64_t below) { return random() % below; }

// Windows and keys ------------------------------------------------------------------------------

inline std::vector<Symbols> windows_of(const Documents& documents, int order) {
  std::vector<Symbols> windows;
  for (const Symbols& document : documents) {
    for (std::int64_t t = 0; t < static_cast<std::int64_t>(document.size()); ++t) {
      Symbols window;
      for (std::int64_t i = t; i > t - order; --i) {
        window.push_back(i < 0 ? 0 : document[static_cast<std::size_t>(i)]);
      }
      windows.push_back(window);
    }
  }
  return windows;
}

/// The last window of each document that is not empty.
inline std::vector<Symbols> ends_of(const Documents& documents, int order) {
  std::vector<Symbols> ends;
  for (const Symbols& document : documents) {
    if (!document.empty()) ends.push_back(windows_of({document}, order).back());
  }
  return ends;
}

template <int W>
Key<W> key_of(const Symbols& window, int bits) {
  Key<W> key{};
  const int order = static_cast<int>(window.size());
  for (int i = 1; i < order; ++i) {
    for (int bit = 0; bit < bits; ++bit) {
      if ((window[static_cast<std::size_t>(i)] >> bit & 1U) == 0) continue;
      const int position = bits * (order - 1 - i) + bit;
      key.word[W - 1 - position / 64] |= std::uint64_t{1} << (position % 64);
    }
  }
  return key;
}

inline Counts count(const std::vector<Symbols>& windows) {
  Counts counts;
  for (const Symbols& window : windows) ++counts[window];
  return counts;
}

// N-grams ---------------------------------------------------------------------------------------

/// At [n]: the occurrences of each n-gram of order n, and those at the end of a document.
struct Ngrams {
  std::vector<Counts> counts;
  std::vector<Counts> ending;
};

inline void add_ngrams(std::vector<Counts>& into, const std::vector<Symbols>& windows) {
  for (const Symbols& window : windows) {
    for (std::size_t n = 1; n <= window.size(); ++n) {
      ++into[n][Symbols(window.begin(), window.begin() + static_cast<std::ptrdiff_t>(n))];
      if (window[n - 1] == 0) break;
    }
  }
}

inline Ngrams ngrams_of(const Documents& documents, int order) {
  const auto rows = static_cast<std::size_t>(order) + 1;
  Ngrams found{std::vector<Counts>(rows), std::vector<Counts>(rows)};
  add_ngrams(found.counts, windows_of(documents, order));
  add_ngrams(found.ending, ends_of(documents, order));
  return found;
}

inline std::uint64_t at(const Counts& counts, const Symbols& gram) {
  const auto found = counts.find(gram);
  return found == counts.end() ? 0 : found->second;
}

/// Distinct left neighbours of each n-gram, from the counts one order longer.
inline Counts left_neighbours(const Counts& longer) {
  Counts neighbours;
  for (const auto& [gram, times] : longer) ++neighbours[Symbols(gram.begin(), gram.end() - 1)];
  return neighbours;
}

// Arrays as kernels take them -------------------------------------------------------------------

/// Documents of one shard. Before each is an id that no document has; nothing follows the last one.
template <class Token>
struct Shard {
  Documents documents;  // as ranks, followed by the end mark if there is one
  Array<Token> tokens;
  Array<std::int64_t> starts;
  Array<std::int64_t> stops;
  Array<std::uint32_t> ranks;
  std::uint32_t end_rank = 0;

  std::uint32_t leads() const {  // number of ranks that a window may end with, including 0
    return std::max(end_rank, *std::max_element(ranks.begin(), ranks.end())) + 1;
  }
  Alphabet alphabet(Shape shape) const {
    return {ranks.data(), ranks.rows(), end_rank, shape.order, shape.bits};
  }
  Chunk<Token> whole() const {
    return {tokens.data(), starts.data(), stops.data(), starts.rows(), 0, tokens.rows()};
  }
};

/// A chunk of a shard and the documents it points to.
template <class Token>
struct Cut {
  Array<std::int64_t> starts;
  Array<std::int64_t> stops;
  Chunk<Token> chunk;
};

/// The documents that overlap tokens [begin, end). An empty one belongs to the chunk of its
/// position.
template <class Token>
Cut<Token> cut(const Shard<Token>& shard, std::int64_t begin, std::int64_t end) {
  std::vector<std::int64_t> starts;
  std::vector<std::int64_t> stops;
  for (std::size_t d = 0; d < shard.starts.size(); ++d) {
    if (shard.stops[d] <= begin && begin != 0) continue;
    if (shard.starts[d] >= end && shard.stops[d] > end) continue;
    starts.push_back(shard.starts[d]);
    stops.push_back(shard.stops[d]);
  }
  Cut<Token> made{starts, stops, {}};
  made.chunk = {
      shard.tokens.data(), made.starts.data(), made.stops.data(), made.starts.rows(), begin, end};
  return made;
}

/// The ids of a shard of this token width, ascending, including 0 and nearly the widest.
template <class Token>
std::vector<Token> some_ids(int bits) {
  std::vector<Token> ids{0, 1, 3, 100, 101, 250};
  if (sizeof(Token) > 1) ids.push_back(static_cast<Token>(65000));
  if (bits < 3) ids.resize((std::size_t{1} << bits) - 1);
  return ids;
}

/// Documents of every relevant length: 1, N - 1, N, N + 1 and several times N. Two occur twice.
template <class Token>
Shard<Token> some_shard(Shape shape, bool end_mark, std::uint64_t seed, int copies = 1) {
  Random random(seed);
  const std::vector<Token> ids = some_ids<Token>(shape.bits);
  const Token foreign = static_cast<Token>(ids.back() + 1);
  std::vector<Token> tokens;
  std::vector<std::int64_t> starts;
  std::vector<std::int64_t> stops;
  Shard<Token> shard;
  shard.end_rank = end_mark ? static_cast<std::uint32_t>(ids.size()) + 1 : 0;
  std::vector<int> lengths{
      1, 2, std::max(1, shape.order - 1), shape.order, shape.order + 1, 3 * shape.order + 5};
  if (end_mark) lengths.push_back(0);
  const auto put = [&](const Symbols& document) {
    tokens.push_back(foreign);
    starts.push_back(static_cast<std::int64_t>(tokens.size()));
    for (const std::uint32_t rank : document) tokens.push_back(ids[rank - 1]);
    stops.push_back(static_cast<std::int64_t>(tokens.size()));
    shard.documents.push_back(document);
    if (end_mark) shard.documents.back().push_back(shard.end_rank);
  };
  Symbols every;  // each id at least once, since tries are indexed by rank
  for (std::uint32_t rank = 1; rank <= ids.size(); ++rank) every.push_back(rank);
  put(every);
  for (int copy = 0; copy < copies; ++copy) {
    for (const int length : lengths) {
      Symbols document;
      for (int t = 0; t < length; ++t) {
        document.push_back(static_cast<std::uint32_t>(1 + pick(random, ids.size())));
      }
      put(document);
      if (length == 2 || length == shape.order + 1) put(document);
    }
  }
  shard.tokens = tokens;
  shard.starts = starts;
  shard.stops = stops;
  shard.ranks = Array<std::uint32_t>(static_cast<std::size_t>(foreign) + 1);
  for (std::size_t r = 0; r < ids.size(); ++r) {
    shard.ranks[ids[r]] = static_cast<std::uint32_t>(r + 1);
  }
  return shard;
}

/// Sorted distinct windows with counts, one bucket per lead.
template <int W>
struct RunArrays {
  Array<std::uint32_t> leads;
  Array<std::int64_t> bounds;
  Array<Key<W>> keys;
  Array<std::uint64_t> counts;

  SortedRun<W> run() const {
    return {leads.data(), bounds.data(), leads.rows(), keys.data(), counts.data()};
  }
};

template <int W>
RunArrays<W> run_of(const Counts& windows, int bits) {
  std::vector<std::uint32_t> leads;
  std::vector<std::int64_t> bounds;
  std::vector<Key<W>> keys;
  std::vector<std::uint64_t> counts;
  for (const auto& [window, times] : windows) {
    if (leads.empty() || leads.back() != window[0]) {
      leads.push_back(window[0]);
      bounds.push_back(static_cast<std::int64_t>(keys.size()));
    }
    keys.push_back(key_of<W>(window, bits));
    counts.push_back(times);
  }
  bounds.push_back(static_cast<std::int64_t>(keys.size()));
  return {leads, bounds, keys, counts};
}

/// The windows in parts of a few, so that leads continue from part to part.
inline std::vector<Counts> parts_of(const Counts& windows, std::size_t parts) {
  std::vector<Counts> cut(parts);
  std::size_t place = 0;
  for (const auto& entry : windows) cut[place++ * parts / windows.size()].insert(entry);
  return cut;
}

template <int W>
struct EndArrays {
  Array<std::uint32_t> leads;
  Array<Key<W>> keys;
  Array<std::uint64_t> counts;

  Ends<W> ends() const { return {leads.data(), keys.data(), counts.data(), leads.rows()}; }
};

template <int W>
EndArrays<W> ends_of(const Counts& windows, int bits) {
  std::vector<std::uint32_t> leads;
  std::vector<Key<W>> keys;
  std::vector<std::uint64_t> counts;
  for (const auto& [window, times] : windows) {
    leads.push_back(window[0]);
    keys.push_back(key_of<W>(window, bits));
    counts.push_back(times);
  }
  return {leads, keys, counts};
}

inline void check_ok(Status status, const char* file, int line) {
  check_equal(file, line, "status", Code::ok, status.code);
}
#define CHECK_OK(status) check_ok((status), __FILE__, __LINE__)

}  // namespace icfast::tests
