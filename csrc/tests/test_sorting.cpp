// Sorting buckets, counting equal keys, and splitting buckets.
#include <cstdlib>
#include <string_view>

#include "definitions.hpp"
#include "icfast/isa.hpp"

namespace icfast::tests {
namespace {

enum Kind {
  kRandom,
  kFew,
  kEqual,
  kLargest,
  kAscending,
  kDescending,
  kOneByte,
  kSkewed,
  kKindCount
};

template <int W>
std::vector<Key<W>> some_keys(Kind kind, std::size_t size, Random& random) {
  std::vector<Key<W>> keys(size);
  const int word = static_cast<int>(pick(random, W));
  for (Key<W>& key : keys) {
    for (std::uint64_t& part : key.word) part = random();
    if (kind == kFew) key = Key<W>{{pick(random, 5)}};
    if (kind == kEqual) key = Key<W>{{7}};
    if (kind == kLargest && pick(random, 2) == 0) {
      for (std::uint64_t& part : key.word) part = ~std::uint64_t{0};
    }
    if (kind == kOneByte) {
      key = Key<W>{};
      key.word[word] = pick(random, 256) << 24;
    }
    // Most keys are equal, as for a frequent n-gram.
    if (kind == kSkewed && pick(random, 8) != 0) key = Key<W>{{1}};
  }
  if (kind == kAscending || kind == kDescending) std::sort(keys.begin(), keys.end());
  if (kind == kDescending) std::reverse(keys.begin(), keys.end());
  return keys;
}

/// Sorts buckets of these keys with sort_runs and with std::map. No bucket begins at position 0.
template <int W>
void check_sort(const std::vector<std::vector<Key<W>>>& buckets) {
  std::vector<std::int64_t> bounds{3};
  std::vector<Key<W>> keys(3);
  std::vector<std::int64_t> distinct;
  std::vector<Key<W>> left;
  std::vector<std::uint64_t> times;
  std::size_t largest = 0;
  for (const auto& bucket : buckets) {
    keys.insert(keys.end(), bucket.begin(), bucket.end());
    bounds.push_back(static_cast<std::int64_t>(keys.size()));
    largest = std::max(largest, bucket.size());
    std::map<Key<W>, std::uint64_t> counted;
    for (const Key<W>& key : bucket) ++counted[key];
    distinct.push_back(static_cast<std::int64_t>(counted.size()));
    for (const auto& [key, count] : counted) {
      left.push_back(key);
      times.push_back(count);
    }
  }
  const Array<std::int64_t> bound(bounds);
  Array<Key<W>> sorted(keys);
  Array<Key<W>> scratch(largest);
  Array<std::uint64_t> counts(keys.size() - 3);
  Array<std::int64_t> found(distinct.size());
  CHECK_OK(sort_runs(bound.data(), found.rows(), sorted.data(), counts.data(), scratch.data(),
                     found.data()));
  CHECK_EQUAL(distinct, found.copy());
  CHECK_EQUAL(left, sorted.copy(3, 3 + left.size()));
  CHECK_EQUAL(times, counts.copy(0, times.size()));
  CHECK_EQUAL(std::vector<Key<W>>(3), sorted.copy(0, 3));
}

TEST(buckets_are_sorted_and_equal_keys_counted) {
  Random random(11);
  for_each_width([&](auto width) {
    // Sizes around one vector, the networks, insertion sort and introsort, and one that exceeds the
    // cache.
    const std::size_t beyond_cache = (1 << 19) / (8 * width()) + 9;
    for (const std::size_t size :
         {std::size_t{0},   std::size_t{1},    std::size_t{2},   std::size_t{7},   std::size_t{8},
          std::size_t{9},   std::size_t{15},   std::size_t{16},  std::size_t{17},  std::size_t{31},
          std::size_t{32},  std::size_t{33},   std::size_t{63},  std::size_t{64},  std::size_t{65},
          std::size_t{127}, std::size_t{128},  std::size_t{129}, std::size_t{511}, std::size_t{512},
          std::size_t{513}, std::size_t{2000}, beyond_cache}) {
      for (int kind = 0; kind < kKindCount; ++kind) {
        const Case named("size", size, "kind", kind);
        check_sort<width()>({some_keys<width()>(static_cast<Kind>(kind), size, random)});
      }
    }
  });
}

TEST(many_buckets_are_packed_from_the_front) {
  Random random(12);
  for_each_width([&](auto width) {
    for (int trial = 0; trial < 8; ++trial) {
      std::vector<std::vector<Key<width()>>> buckets;
      for (int b = 0; b < 40; ++b) {
        const auto kind = static_cast<Kind>(pick(random, kKindCount));
        buckets.push_back(some_keys<width()>(kind, pick(random, 300), random));
      }
      buckets.insert(buckets.begin() + trial, 3, {});  // empty buckets, also at the front
      check_sort<width()>(buckets);
    }
    check_sort<width()>({});
    check_sort<width()>({{}, {}});
  });
}

/// Keys for which every median is a bad pivot. The sort must be correct when it falls back.
TEST(bad_pivots_are_sorted_all_the_same) {
  for_each_width([](auto width) {
    constexpr std::size_t kSize = 5000;
    std::vector<Key<width()>> keys(kSize);
    for (std::size_t i = 0; i < kSize; ++i) {
      // Sampled positions have the largest keys; the others are organ pipes.
      keys[i].word[width() - 1] = i % 156 == 78 ? kSize - i / 156 : std::min(i, kSize - i) / 3;
    }
    check_sort<width()>({keys});
  });
}

TEST(a_bucket_is_cut_in_place) {
  Random random(13);
  for_each_width([&](auto width) {
    for (const std::size_t size : {0, 1, 2, 9, 255, 256, 257, 3000}) {
      for (int kind = 0; kind < kKindCount; ++kind) {
        const Case named("size", size, "kind", kind);
        auto expected = some_keys<width()>(static_cast<Kind>(kind), size, random);
        Array<Key<width()>> keys(expected);
        Array<std::int64_t> bounds(257);
        CHECK_OK(split_keys(keys.data(), keys.rows(), 64, bounds.data()));
        CHECK_EQUAL(std::int64_t{0}, bounds[0]);
        CHECK_EQUAL(keys.rows(), bounds[256]);
        CHECK(std::is_sorted(bounds.begin(), bounds.end()));
        // Sorting the parts sorts the whole.
        for (std::size_t d = 0; d < 256; ++d) {
          std::sort(keys.begin() + bounds[d], keys.begin() + bounds[d + 1]);
        }
        std::sort(expected.begin(), expected.end());
        CHECK_EQUAL(expected, keys.copy());
        // Different keys are in at least two parts, so repeated splitting ends.
        const bool equal = size == 0 || expected.front() == expected.back();
        const std::int64_t most = size == 0 ? 0 : [&] {
          std::int64_t most_of_a_part = 0;
          for (std::size_t d = 0; d < 256; ++d) {
            most_of_a_part = std::max(most_of_a_part, bounds[d + 1] - bounds[d]);
          }
          return most_of_a_part;
        }();
        CHECK_EQUAL(equal, most == keys.rows());
        if (equal) CHECK_EQUAL(keys.rows(), bounds[1]);
      }
    }
  });
}

TEST(the_instruction_set_is_the_one_asked_for) {
  const char* forced = std::getenv("ICFAST_ISA");
  std::cout << "        ICFAST_ISA=" << (forced == nullptr ? "(best)" : forced) << '\n';
  CHECK(std::string_view(isa_error()).empty());
  CHECK(forced == nullptr || name_of(isa()) == std::string_view(forced));
}

}  // namespace
}  // namespace icfast::tests
