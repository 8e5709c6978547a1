// Suffix arrays of joined documents, and their longest matches.
#include <numeric>

#include "definitions.hpp"

namespace icfast::tests {
namespace {

using Text = std::vector<std::int32_t>;

/// Few and many symbols, runs and periods, with a distinct separator after each document.
Text some_text(std::uint64_t alphabet, std::size_t size, std::size_t documents, Random& random) {
  Text text;
  for (std::size_t d = 0; d < documents; ++d) {
    for (std::size_t i = 0; i < size; ++i) {
      const bool periodic = d % 2 == 1 && i >= 3;
      text.push_back(periodic ? text[text.size() - 3]
                              : static_cast<std::int32_t>(pick(random, alphabet)));
    }
    text.push_back(static_cast<std::int32_t>(alphabet + d));
  }
  return text;
}

std::int32_t common(const Text& text, std::size_t i, std::size_t j) {
  std::int32_t length = 0;
  while (std::max(i, j) < text.size() && text[i++] == text[j++]) ++length;
  return length;
}

TEST(suffixes_are_sorted_and_matched) {
  Random random(81);
  for (const std::uint64_t alphabet : {1, 2, 3, 50}) {
    for (const std::size_t size : {0, 1, 2, 7, 60}) {
      for (const std::size_t documents : {1, 2, 5}) {
        const Case named("alphabet", alphabet, "size", size, "documents", documents);
        const Text text = some_text(alphabet, size, documents, random);
        const auto separator = static_cast<std::int32_t>(alphabet);
        Text expected(text.size());
        std::iota(expected.begin(), expected.end(), 0);
        std::sort(expected.begin(), expected.end(), [&](std::int32_t a, std::int32_t b) {
          return std::lexicographical_compare(text.begin() + a, text.end(), text.begin() + b,
                                              text.end());
        });
        const std::size_t symbols = alphabet + documents;
        Array<std::int32_t> held(text);
        Array<std::int32_t> order(text.size());
        Array<std::int32_t> work(2 * std::max(text.size(), symbols));
        CHECK_OK(sort_suffixes(held.data(), held.rows(), static_cast<std::int64_t>(symbols),
                               order.data(), work.data()));
        CHECK_EQUAL(expected, order.copy());
        CHECK_EQUAL(text, held.copy());

        Text before(text.size());
        Text anywhere(text.size());
        for (std::size_t i = 0; i < text.size(); ++i) {
          if (text[i] >= separator) continue;
          before[i] = anywhere[i] = 1;
          for (std::size_t j = 0; j < text.size(); ++j) {
            if (j == i) continue;
            const std::int32_t length = 1 + common(text, i, j);
            anywhere[i] = std::max(anywhere[i], length);
            if (j < i) before[i] = std::max(before[i], length);
          }
        }
        Array<std::int32_t> links(2 * text.size());
        CHECK_OK(match_lengths(held.data(), held.rows(), separator, order.data(), links.data()));
        CHECK_EQUAL(before, order.copy());
        CHECK_EQUAL(anywhere, held.copy());
      }
    }
  }
}

TEST(documents_are_joined) {
  for_each_token([](auto token) {
    const auto shard = some_shard<decltype(token)>({3, 8}, false, 82);
    Text expected;
    std::int32_t separator = 40;
    for (const Symbols& document : shard.documents) {
      for (const std::uint32_t rank : document) {
        expected.push_back(static_cast<std::int32_t>(rank) - 1);
      }
      expected.push_back(separator++);
    }
    Array<std::int32_t> symbols(expected.size());
    CHECK_OK(join_documents(shard.whole(), shard.alphabet({3, 8}), 40, symbols.data()));
    CHECK_EQUAL(expected, symbols.copy());
  });
}

}  // namespace
}  // namespace icfast::tests
