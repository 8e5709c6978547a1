// Windows stored as positions: scattered, grouped by shared symbols, and their spectra.
#include <array>
#include <map>
#include <set>

#include "definitions.hpp"

namespace icfast::tests {
namespace {

using Document = std::vector<std::uint32_t>;
using Gram = std::vector<std::uint32_t>;

/// Number of n-grams by occurrences r, per kind and order.
using Phi = std::map<std::pair<int, int>, std::map<std::uint64_t, std::uint64_t>>;

/// Codes of one, two and three bytes for symbols 1..U.
std::vector<std::uint64_t> some_codes(std::uint64_t symbols) {
  std::vector<std::uint64_t> codes{0};
  for (std::uint64_t s = 0; s < symbols; ++s) {
    const std::uint64_t last = 128 + s / 3;
    codes.push_back(s % 3 == 0   ? last << 56
                    : s % 3 == 1 ? std::uint64_t{1} << 56 | last << 48
                                 : std::uint64_t{0x0102} << 48 | last << 40);
  }
  return codes;
}

/// Random tokens, repeated tokens, and repetitions of earlier tokens.
std::vector<Document> some_documents(std::uint64_t symbols, std::size_t size, Random& random) {
  std::vector<Document> documents;
  for (const std::size_t part : {size, size / 2, std::size_t{1}, size, size}) {
    Document document;
    for (std::size_t i = 0; i < part; ++i) {
      const bool again = !documents.empty() && pick(random, 8) != 0;
      const Document& before = again ? documents[0] : document;
      const auto fresh = static_cast<std::uint32_t>(1 + pick(random, symbols));
      document.push_back(again || (i > 0 && pick(random, 4) == 0)
                             ? before[std::min(i, before.size() - 1)]
                             : fresh);
    }
    documents.push_back(document);
  }
  documents.push_back(documents[0]);
  return documents;
}

Phi naive(const std::vector<Document>& documents, int order) {
  Phi phi;
  for (int n = 1; n <= order; ++n) {
    std::array<std::map<Gram, std::uint64_t>, 4> counts;
    std::map<Gram, std::set<std::uint32_t>> neighbours;
    for (const Document& document : documents) {
      for (std::size_t t = 0; t < document.size(); ++t) {
        const std::size_t length = static_cast<std::size_t>(n);
        const bool starting = length == t + 2;
        if (length > t + 2) continue;
        const std::size_t tokens = starting ? t + 1 : length;
        const auto last = document.begin() + static_cast<std::ptrdiff_t>(t) + 1;
        const Gram gram(last - static_cast<std::ptrdiff_t>(tokens), last);
        ++counts[starting ? kStarting : kComplete][gram];
        if (n == order) continue;
        if (t + 1 < document.size()) ++counts[starting ? kStartingFollowed : kFollowed][gram];
        if (!starting) neighbours[gram].insert(length == t + 1 ? 0 : document[t - length]);
      }
    }
    for (int kind = 0; kind < 4; ++kind) {
      for (const auto& [gram, count] : counts[static_cast<std::size_t>(kind)]) {
        ++phi[{kind, n}][count];
      }
    }
    for (const auto& [gram, found] : neighbours) ++phi[{kLeftNeighbours, n}][found.size()];
  }
  return phi;
}

template <class Symbol>
struct Laid {
  explicit Laid(const std::vector<Document>& documents) {
    std::vector<Symbol> symbols(kPadding);
    for (const Document& document : documents) {
      for (const std::uint32_t symbol : document) symbols.push_back(static_cast<Symbol>(symbol));
      symbols.insert(symbols.end(), kPadding, 0);
    }
    text = Array<Symbol>(symbols);
  }

  /// The window that ends here, cut after its begin mark and padded with zeros.
  Gram window(std::int64_t p, int order) const {
    Gram gram;
    for (int i = 0; i < order; ++i) {
      const auto symbol = static_cast<std::uint32_t>(text[static_cast<std::size_t>(p - i)]);
      gram.push_back(symbol);
      if (symbol == 0) break;
    }
    gram.resize(static_cast<std::size_t>(order));
    return gram;
  }

  Array<Symbol> text;
};

/// Whether windows that share their first n symbols are contiguous, for every n.
bool grouped(const std::vector<Gram>& windows) {
  for (std::size_t n = 1; n <= windows[0].size(); ++n) {
    std::set<Gram> seen;
    Gram last;
    for (const Gram& window : windows) {
      const Gram head(window.begin(), window.begin() + static_cast<std::ptrdiff_t>(n));
      if (head != last && !seen.insert(head).second) return false;
      last = head;
    }
  }
  return true;
}

template <class Symbol>
void try_positions(std::uint64_t symbols, std::size_t size, int order, int size_bits,
                   Random& random) {
  const Case named("symbols", symbols, "size", size, "order", order, "bits", size_bits);
  const auto documents = some_documents(symbols, size, random);
  const Laid<Symbol> laid(documents);
  const Array<std::uint64_t> codes(some_codes(symbols));
  const std::int64_t last = laid.text.rows() - 1;
  const auto leads = static_cast<std::int64_t>(symbols) + 1;

  Array<std::uint64_t> counts(symbols + 1);
  CHECK_OK(count_symbols(laid.text.data(), kPadding, last, counts.data()));
  Array<std::int64_t> bounds(symbols + 2);
  counts[0] = 0;
  for (std::size_t s = 0; s <= symbols; ++s) {
    bounds[s + 1] = bounds[s] + static_cast<std::int64_t>(counts[s]);
  }
  const auto windows = static_cast<std::size_t>(bounds[symbols + 1]);
  Array<std::uint64_t> words(windows);
  Array<std::int64_t> offsets(bounds.copy(0, symbols + 1));
  const std::int64_t text_size = std::int64_t{1} << size_bits;
  for (const auto& [begin, end] :
       {std::pair<std::int64_t, std::int64_t>{kPadding, last / 3}, {last / 3, last}}) {
    CHECK_OK(scatter_positions(laid.text.data(), text_size, begin, end, order, codes.data(),
                               std::int64_t{0}, leads, offsets.data(), words.data()));
  }
  CHECK_EQUAL(bounds.copy(1, symbols + 2), offsets.copy());

  Array<std::uint32_t> shared(windows);
  const auto largest = *std::max_element(counts.begin(), counts.end());
  Array<std::uint64_t> entries(largest);
  Array<std::uint64_t> scratch(largest);
  CHECK_OK(sort_positions(laid.text.data(), text_size, order, 20, bounds.data(), leads,
                          words.data(), shared.data(), entries.data(), scratch.data()));
  for (std::size_t s = 0; s <= symbols; ++s) {
    std::vector<Gram> found;
    for (auto i = static_cast<std::size_t>(bounds[s]); i < static_cast<std::size_t>(bounds[s + 1]);
         ++i) {
      found.push_back(laid.window(static_cast<std::int64_t>(words[i] / 2), order));
      const Gram& here = found.back();
      std::uint32_t common = 0;
      if (found.size() > 1) {
        const Gram& before = found[found.size() - 2];
        while (common < here.size() && here[common] == before[common]) ++common;
      }
      CHECK_EQUAL(common, shared[i]);
      CHECK_EQUAL(s, here[0] + std::size_t{0});
    }
    if (!found.empty()) CHECK(grouped(found));
  }

  constexpr std::int64_t kRows = 3;
  const auto columns = static_cast<std::size_t>(order) + 2;
  Array<std::uint64_t> small(kKinds * columns * kRows);
  Array<std::uint64_t> large(4 * 8 * windows);
  Array<std::int64_t> length(1);
  Array<std::uint64_t> nodes(4 * (static_cast<std::size_t>(order) + 1), 99);
  const SpectraRanges out{small.data(), kRows, large.data(), length.data(),
                          static_cast<std::int64_t>(large.size() / 4)};
  CHECK_OK(position_spectra(laid.text.data(), order, bounds.data(), leads, words.data(),
                            shared.data(), nodes.data(), out));
  Phi found;
  for (int kind = 0; kind < kKinds; ++kind) {
    for (std::size_t r = 1; r < kRows; ++r) {
      std::uint64_t sum = 0;
      for (int n = 1; n <= order; ++n) {
        sum +=
            small[(static_cast<std::size_t>(kind) * columns + static_cast<std::size_t>(n)) * kRows +
                  r];
        if (sum != 0) found[{kind, n}][r] += sum;
      }
    }
  }
  for (std::size_t i = 0; i < static_cast<std::size_t>(length[0]); ++i) {
    for (std::uint64_t n = large[4 * i + 2]; n <= large[4 * i + 3]; ++n) {
      ++found[{static_cast<int>(large[4 * i]), static_cast<int>(n)}][large[4 * i + 1]];
    }
  }
  CHECK(naive(documents, order) == found);
}

TEST(windows_are_grouped_by_position_and_counted) {
  Random random(82);
  for (const int order : {1, 2, 3, 5, 9, 16, 40}) {
    for (const std::uint64_t symbols : {1, 2, 5, 90}) {
      for (const std::size_t size : {1, 7, 300}) {
        for (const int size_bits : {20, 40, 54}) {
          try_positions<std::uint16_t>(symbols, size, order, size_bits, random);
          try_positions<std::uint32_t>(symbols, size, order, size_bits, random);
        }
      }
    }
  }
}

}  // namespace
}  // namespace icfast::tests
