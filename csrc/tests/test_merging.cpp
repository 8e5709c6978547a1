// Sorted runs under another alphabet, and their sums.
#include <algorithm>
#include <numeric>

#include "definitions.hpp"

namespace icfast::tests {
namespace {

TEST(keys_are_rewritten_under_another_alphabet) {
  Random random(21);
  // (order, bits, new bits): within a word, into more words, across words, and narrower ones.
  const auto each = [&](auto from, auto to, int order, int bits, int new_bits) {
    const Case named("order", order, "bits", bits, "to", new_bits);
    const std::uint64_t symbols =
        std::min<std::uint64_t>(std::uint64_t{1} << std::min(bits, new_bits), 50);
    Array<std::uint32_t> ranks(symbols);
    const std::uint64_t top = (std::uint64_t{1} << new_bits) - 1;
    for (std::size_t r = 1; r < symbols; ++r) {
      ranks[r] = static_cast<std::uint32_t>(top - (symbols - 1 - r));
    }
    for (const std::size_t size : {0, 1, 8, 100}) {
      std::vector<Key<from()>> keys;
      std::vector<Key<to()>> expected;
      for (std::size_t e = 0; e < size; ++e) {
        Symbols window(1);
        const std::uint64_t length = pick(random, static_cast<std::uint64_t>(order));
        for (int i = 1; i < order; ++i) {
          const bool marked = static_cast<std::uint64_t>(i) > length;
          window.push_back(marked ? 0 : static_cast<std::uint32_t>(pick(random, symbols)));
        }
        keys.push_back(key_of<from()>(window, bits));
        for (std::uint32_t& symbol : window) symbol = ranks[symbol];
        expected.push_back(key_of<to()>(window, new_bits));
      }
      const Array<Key<from()>> old(keys);
      Array<Key<to()>> found(size);
      CHECK_OK(
          remap_keys(old.data(), old.rows(), ranks.data(), order, bits, found.data(), new_bits));
      CHECK_EQUAL(expected, found.copy());
    }
  };
  each(Width<1>{}, Width<1>{}, 1, 3, 9);
  each(Width<1>{}, Width<1>{}, 5, 13, 16);
  each(Width<1>{}, Width<2>{}, 5, 16, 17);
  each(Width<1>{}, Width<3>{}, 17, 4, 11);
  each(Width<1>{}, Width<4>{}, 9, 8, 32);
  each(Width<2>{}, Width<2>{}, 6, 13, 25);
  each(Width<2>{}, Width<1>{}, 9, 9, 8);
  each(Width<2>{}, Width<3>{}, 9, 16, 17);
  each(Width<2>{}, Width<4>{}, 9, 16, 32);
  each(Width<3>{}, Width<1>{}, 14, 11, 4);
  each(Width<3>{}, Width<2>{}, 14, 11, 9);
  each(Width<3>{}, Width<3>{}, 14, 11, 14);
  each(Width<3>{}, Width<4>{}, 14, 11, 19);
  each(Width<4>{}, Width<1>{}, 9, 32, 8);
  each(Width<4>{}, Width<2>{}, 9, 32, 16);
  each(Width<4>{}, Width<3>{}, 9, 32, 24);
  each(Width<4>{}, Width<4>{}, 64, 4, 4);
}

using Bucket = std::map<std::uint64_t, std::uint64_t>;

template <int W>
Key<W> spread(std::uint64_t value) {
  Key<W> key{};
  key.word[0] = value / 7;
  key.word[W - 1] += value % 7;  // equal in the first words, different in the last
  return key;
}

/// Concatenated buckets of these leads.
template <int W>
RunArrays<W> run_over(const std::vector<std::pair<std::uint32_t, Bucket>>& buckets) {
  std::vector<std::uint32_t> leads;
  std::vector<std::int64_t> bounds{0};
  std::vector<Key<W>> keys;
  std::vector<std::uint64_t> counts;
  for (const auto& [lead, bucket] : buckets) {
    leads.push_back(lead);
    std::map<Key<W>, std::uint64_t> sorted;
    for (const auto& [value, count] : bucket) sorted[spread<W>(value * 7)] = count;
    for (const auto& [key, count] : sorted) {
      keys.push_back(key);
      counts.push_back(count);
    }
    bounds.push_back(static_cast<std::int64_t>(keys.size()));
  }
  return {leads, bounds, keys, counts};
}

TEST(runs_are_added) {
  Random random(22);
  for_each_width([&](auto width) {
    // Leads of one run, of several and of all; keys of one run and of several.
    for (const std::size_t runs : {1, 2, 3, 8}) {
      for (const std::uint64_t most : {1, 2, 8, 100}) {
        std::map<std::uint32_t, Bucket> sums;
        std::vector<std::pair<std::uint32_t, Bucket>> buckets;
        for (std::size_t r = 0; r < runs; ++r) {
          for (std::uint32_t lead = 1; lead < 10; ++lead) {
            if (pick(random, 3) == 0) continue;
            Bucket bucket;
            for (std::uint64_t key = 0; key < most; ++key) {
              if (pick(random, 2) == 0) continue;
              bucket[key] = 1 + pick(random, std::uint64_t{1} << 40);
              sums[lead][key] += bucket[key];
            }
            sums[lead];
            buckets.emplace_back(lead, bucket);
          }
        }
        const auto joined = run_over<width()>(buckets);
        const auto expected = run_over<width()>({sums.begin(), sums.end()});
        Array<std::int64_t> sequence(buckets.size());
        std::iota(sequence.data(), sequence.data() + buckets.size(), 0);
        std::sort(sequence.data(), sequence.data() + buckets.size(),
                  [&](std::int64_t a, std::int64_t b) {
                    return buckets[static_cast<std::size_t>(a)].first <
                           buckets[static_cast<std::size_t>(b)].first;
                  });
        Array<std::int64_t> bounds(sums.size() + 1);
        Array<Key<width()>> keys(joined.keys.size());
        Array<Key<width()>> key_scratch(joined.keys.size());
        Array<std::uint64_t> counts(keys.size());
        Array<std::uint64_t> count_scratch(keys.size());
        CHECK_OK(merge_runs(joined.run(), sequence.data(), expected.leads.data(),
                            expected.leads.rows(), bounds.data(), keys.data(), counts.data(),
                            key_scratch.data(), count_scratch.data()));
        CHECK_EQUAL(expected.bounds.copy(), bounds.copy());
        CHECK_EQUAL(expected.keys.copy(), keys.copy(0, expected.keys.size()));
        CHECK_EQUAL(expected.counts.copy(), counts.copy(0, expected.keys.size()));
      }
    }
  });
}

}  // namespace
}  // namespace icfast::tests
