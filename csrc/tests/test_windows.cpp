// Windows of chunks: counted by bucket, scattered into buckets, and those that end documents.
#include <set>

#include "definitions.hpp"

namespace icfast::tests {
namespace {

template <int W>
struct Partition {
  Array<std::uint32_t> first;
  Array<Key<W>> low;

  Buckets<W> buckets() const {
    return {first.data(), low.data(), first.rows() - 1, low.rows() == first.rows() - 1};
  }
  /// The bucket of a window: the last one of its lead whose low key is not above it.
  std::size_t of(std::uint32_t lead, const Key<W>& key) const {
    std::size_t bucket = first[lead];
    while (bucket + 1 < first[lead + 1] && low[bucket + 1] <= key) ++bucket;
    return bucket;
  }
};

/// One bucket per lead, or leads of several windows split before their middle window.
template <int W>
Partition<W> partition_of(const std::vector<Symbols>& windows, std::uint32_t leads, int bits,
                          bool cut_leads) {
  std::vector<std::set<Key<W>>> keys(leads);
  for (const Symbols& window : windows) keys[window[0]].insert(key_of<W>(window, bits));
  std::vector<std::uint32_t> first;
  std::vector<Key<W>> low;
  for (const auto& held : keys) {
    first.push_back(static_cast<std::uint32_t>(low.size()));
    low.push_back(Key<W>{});
    if (cut_leads && held.size() > 1) {
      low.push_back(*std::next(held.begin(), static_cast<std::ptrdiff_t>(held.size() / 2)));
    }
  }
  first.push_back(static_cast<std::uint32_t>(low.size()));
  return {first, low};
}

template <int W>
std::vector<std::vector<Key<W>>> by_bucket(const std::vector<Symbols>& windows,
                                           const Partition<W>& partition, int bits) {
  std::vector<std::vector<Key<W>>> held(partition.low.size());
  for (const Symbols& window : windows) {
    const Key<W> key = key_of<W>(window, bits);
    held[partition.of(window[0], key)].push_back(key);
  }
  for (auto& keys : held) std::sort(keys.begin(), keys.end());
  return held;
}

/// Scatters chunks between these edges into buckets [begin, end), with space for `room` keys.
template <class Token, int W>
void check_scatter(const Shard<Token>& shard, Shape shape, const Partition<W>& partition,
                   const std::vector<std::vector<Key<W>>>& expected,
                   const std::vector<std::int64_t>& edges, std::size_t begin, std::size_t end) {
  const Case named("buckets", begin, end, "chunks", edges.size() - 1);
  std::vector<std::int64_t> ends{0};
  for (std::size_t b = begin; b < end; ++b) {
    ends.push_back(ends.back() + static_cast<std::int64_t>(expected[b].size()));
  }
  Array<std::int64_t> offsets(std::vector<std::int64_t>(ends.begin(), ends.end() - 1));
  Array<Key<W>> keys(static_cast<std::size_t>(ends.back()));
  for (std::size_t i = 0; i + 1 < edges.size(); ++i) {
    CHECK_OK(scatter_windows(cut(shard, edges[i], edges[i + 1]).chunk, shard.alphabet(shape),
                             partition.buckets(), static_cast<std::int64_t>(begin),
                             static_cast<std::int64_t>(end), offsets.data(), keys.data(),
                             keys.rows()));
  }
  CHECK_EQUAL(std::vector<std::int64_t>(ends.begin() + 1, ends.end()), offsets.copy());
  for (std::size_t b = begin; b < end; ++b) {
    auto found = keys.copy(static_cast<std::size_t>(ends[b - begin]),
                           static_cast<std::size_t>(ends[b - begin + 1]));
    std::sort(found.begin(), found.end());
    CHECK_EQUAL(expected[b], found);
  }
}

/// Calls call(shard, width, shape, windows, partition) over tokens, shapes, end marks and split
/// leads.
template <class Call>
void for_each_partition(Call call) {
  for_each_token([&](auto token) {
    for_each_shape([&](auto width, Shape shape) {
      for (const bool end_mark : {false, true}) {
        const auto shard = some_shard<decltype(token)>(shape, end_mark, 3);
        const auto windows = windows_of(shard.documents, shape.order);
        for (const bool cut_leads : {false, true}) {
          const Case named("end mark", end_mark, "cut leads", cut_leads);
          call(shard, shape, windows,
               partition_of<width()>(windows, shard.leads(), shape.bits, cut_leads));
        }
      }
    });
  });
}

TEST(windows_are_scattered_into_their_buckets) {
  for_each_partition(
      [](const auto& shard, Shape shape, const auto& windows, const auto& partition) {
        const auto expected = by_bucket(windows, partition, shape.bits);
        const std::int64_t size = shard.tokens.rows();
        const std::size_t all = expected.size();
        check_scatter(shard, shape, partition, expected, {0, size}, 0, all);
        // Edges in the middle of documents and at their ends, and chunks of one token.
        check_scatter(shard, shape, partition, expected, {0, 1, 2, 3, 7, size / 2, size - 1, size},
                      0, all);
        // Ranges of buckets that are sieved: the first, some, the last, and one without windows.
        const std::vector<std::int64_t> edges{0, size / 2, size};
        check_scatter(shard, shape, partition, expected, edges, 1, all);
        check_scatter(shard, shape, partition, expected, edges, 0, 1);
        check_scatter(shard, shape, partition, expected, edges, all - 1, all);
        check_scatter(shard, shape, partition, expected, edges, all / 2, all / 2 + 1);
      });
}

TEST(a_document_longer_than_the_sieve_is_scattered) {
  const auto shard = some_shard<std::uint16_t>({500, 3}, true, 4);  // up to 3 * 500 + 5 tokens
  const Shape read{3, 3};
  const auto windows = windows_of(shard.documents, read.order);
  const auto partition = partition_of<1>(windows, shard.leads(), read.bits, true);
  const auto expected = by_bucket(windows, partition, read.bits);
  const std::int64_t size = shard.tokens.rows();
  for (std::size_t b = 0; b < expected.size(); ++b) {
    check_scatter(shard, read, partition, expected, {0, size / 3, size}, b, b + 1);
  }
}

TEST(what_does_not_fit_is_counted_and_not_written) {
  for_each_partition(
      [](const auto& shard, Shape shape, const auto& windows, const auto& partition) {
        const auto expected = by_bucket(windows, partition, shape.bits);
        auto keys = decltype(partition.low)(windows.size() / 2);
        std::vector<std::int64_t> starts{0};
        for (const auto& held : expected) {
          starts.push_back(starts.back() + static_cast<std::int64_t>(held.size()));
        }
        Array<std::int64_t> offsets(std::vector<std::int64_t>(starts.begin(), starts.end() - 1));
        CHECK_OK(scatter_windows(shard.whole(), shard.alphabet(shape), partition.buckets(), 0,
                                 offsets.rows(), offsets.data(), keys.data(), keys.rows()));
        CHECK_EQUAL(std::vector<std::int64_t>(starts.begin() + 1, starts.end()), offsets.copy());
      });
}

TEST(windows_are_counted_by_bucket_and_symbol) {
  for_each_partition(
      [](const auto& shard, Shape shape, const auto& windows, const auto& partition) {
        const std::size_t buckets = partition.low.size();
        const std::size_t columns = shape.order == 1 ? 1 : shard.leads();
        // Every third bucket is skipped. Depths cycle through all histories and 0 (the bucket
        // alone).
        Array<std::int32_t> slots(buckets);
        std::vector<std::int32_t> depths;
        for (std::size_t b = 0; b < buckets; ++b) {
          const bool left_out = b % 3 == 2;
          slots[b] = left_out ? -1 : static_cast<std::int32_t>(depths.size());
          if (!left_out) depths.push_back(static_cast<std::int32_t>(b) % shape.order);
        }
        const Array<std::int32_t> depth(depths);
        std::vector<std::uint64_t> expected(depths.size() * columns);
        for (const Symbols& window : windows) {
          const auto key = key_of<sizeof(partition.low[0]) / 8>(window, shape.bits);
          const std::int32_t slot = slots[partition.of(window[0], key)];
          if (slot < 0) continue;
          const auto row = static_cast<std::size_t>(slot);
          const auto back = static_cast<std::size_t>(depths[row]);
          ++expected[row * columns + (back == 0 ? 0 : window[back])];
        }
        Array<std::uint64_t> counts(expected.size());
        const std::int64_t size = shard.tokens.rows();
        for (const auto& [begin, end] : {std::pair{std::int64_t{0}, size / 2}, {size / 2, size}}) {
          CHECK_OK(count_windows(cut(shard, begin, end).chunk, shard.alphabet(shape),
                                 partition.buckets(), slots.data(), depth.data(), counts.data(),
                                 static_cast<std::int64_t>(columns)));
        }
        CHECK_EQUAL(expected, counts.copy());
      });
}

TEST(documents_end_with_their_last_windows) {
  for_each_token([](auto token) {
    for_each_shape([](auto width, Shape shape) {
      constexpr int kWords = width();
      for (const bool end_mark : {false, true}) {
        auto shard = some_shard<decltype(token)>(shape, end_mark, 5);
        // Ranks up to the widest symbol, so that every bit of a key is used.
        const auto widest = static_cast<std::uint32_t>((std::uint64_t{1} << shape.bits) - 1);
        const std::uint32_t used = *std::max_element(shard.ranks.begin(), shard.ranks.end());
        const auto spread = [&](std::uint32_t rank) {
          return rank > used ? rank : rank == 0 ? 0 : widest - (used - rank);
        };
        for (auto& rank : shard.ranks) rank = spread(rank);
        for (auto& document : shard.documents) {
          for (auto& rank : document) rank = spread(rank);
        }
        std::vector<std::uint32_t> leads;
        std::vector<Key<kWords>> keys;
        for (const Symbols& window : ends_of(shard.documents, shape.order)) {
          leads.push_back(window[0]);
          keys.push_back(key_of<kWords>(window, shape.bits));
        }
        Array<std::uint32_t> found(leads.size());
        Array<Key<kWords>> found_keys(keys.size());
        CHECK_OK(
            end_windows(shard.whole(), shard.alphabet(shape), found.data(), found_keys.data()));
        CHECK_EQUAL(leads, found.copy());
        CHECK_EQUAL(keys, found_keys.copy());
      }
    });
  });
}

TEST(ids_that_are_not_in_the_alphabet_are_named) {
  for_each_token([](auto token) {
    const Shape shape{3, 8};
    const auto shard = some_shard<decltype(token)>(shape, false, 6);
    const auto partition = partition_of<1>({}, shard.leads(), shape.bits, false);
    // A document that begins one token early has the id between documents.
    Array<std::int64_t> starts(shard.starts.copy());
    starts[2] -= 1;
    const Chunk<decltype(token)> chunk{
        shard.tokens.data(), starts.data(), shard.stops.data(), starts.rows(), 0,
        shard.tokens.rows()};
    const auto found = [&](std::int64_t vocab_size) {
      Array<std::int64_t> offsets(partition.low.size());
      const Alphabet alphabet{shard.ranks.data(), vocab_size, 0, shape.order, shape.bits};
      return scatter_windows<decltype(token), 1>(chunk, alphabet, partition.buckets(), 0,
                                                 offsets.rows(), offsets.data(), nullptr, 0);
    };
    const Status missing = found(shard.ranks.rows());
    CHECK_EQUAL(Code::id_not_in_dictionary, missing.code);
    CHECK_EQUAL(starts[2], missing.index);
    const Status outside = found(shard.ranks.rows() - 1);
    CHECK_EQUAL(Code::id_outside_vocabulary, outside.code);
    CHECK_EQUAL(starts[2], outside.index);
    CHECK_EQUAL(static_cast<std::uint64_t>(shard.ranks.size() - 1), outside.value);
  });
}

}  // namespace
}  // namespace icfast::tests
