// Kernels that read token ids only.
#include "definitions.hpp"

namespace icfast::tests {
namespace {

/// fmix64 of FNV-1a over the bytes of little-endian u32 ids, byte by byte.
std::uint64_t hash_of(const std::vector<std::uint8_t>& bytes) {
  std::uint64_t state = 14695981039346656037ULL;
  for (const std::uint8_t byte : bytes) state = (state ^ byte) * 1099511628211ULL;
  state = (state ^ (state >> 33)) * 18397679294719823053ULL;
  state = (state ^ (state >> 33)) * 14181476777654086739ULL;
  return state ^ (state >> 33);
}

TEST(ids_are_counted_within_a_chunk) {
  for_each_token([](auto token) {
    using Token = decltype(token);
    const auto shard = some_shard<Token>({3, 8}, false, 1);
    const std::int64_t size = shard.tokens.rows();
    for (std::int64_t begin = 0; begin <= size; ++begin) {
      for (const std::int64_t end : {begin, std::min(begin + 5, size), size}) {
        const Case named("chunk", begin, end);
        std::vector<std::uint64_t> expected(shard.ranks.size());
        for (std::size_t d = 0; d < shard.starts.size(); ++d) {
          for (std::int64_t t = shard.starts[d]; t < shard.stops[d]; ++t) {
            if (t >= begin && t < end) ++expected[shard.tokens[static_cast<std::size_t>(t)]];
          }
        }
        Array<std::uint64_t> counts(shard.ranks.size());
        CHECK_OK(count_ids(cut(shard, begin, end).chunk, counts.data(), counts.rows()));
        CHECK_EQUAL(expected, counts.copy());
      }
    }
  });
}

TEST(an_id_outside_the_vocabulary_is_named) {
  for_each_token([](auto token) {
    const auto shard = some_shard<decltype(token)>({3, 8}, false, 1);
    const std::size_t last = shard.tokens.size() - 1;
    Array<std::uint64_t> counts(shard.tokens[last]);
    const Status status = count_ids(shard.whole(), counts.data(), counts.rows());
    CHECK_EQUAL(Code::id_outside_vocabulary, status.code);
    CHECK(status.value >= counts.size());
    CHECK_EQUAL(status.value, std::uint64_t{shard.tokens[static_cast<std::size_t>(status.index)]});
  });
}

TEST(documents_are_hashed_over_their_ids) {
  for_each_token([](auto token) {
    const auto shard = some_shard<decltype(token)>({3, 8}, true, 2);
    std::vector<std::uint64_t> expected;
    for (std::size_t d = 0; d < shard.starts.size(); ++d) {
      std::vector<std::uint8_t> bytes;
      for (std::int64_t t = shard.starts[d]; t < shard.stops[d]; ++t) {
        const std::uint32_t id = shard.tokens[static_cast<std::size_t>(t)];
        for (int byte = 0; byte < 4; ++byte) bytes.push_back((id >> 8 * byte) & 0xff);
      }
      expected.push_back(hash_of(bytes));
    }
    Array<std::uint64_t> hashes(expected.size());
    CHECK_OK(hash_documents(shard.whole(), hashes.data()));
    CHECK_EQUAL(expected, hashes.copy());
  });
}

}  // namespace
}  // namespace icfast::tests
