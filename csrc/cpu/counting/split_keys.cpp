// Splits a bucket in place that is too large to be sorted at once.
#include "split_keys.hpp"

#include <algorithm>
#include <bit>

#include "icfast/counting.hpp"
#include "icfast/isa.hpp"
#include "instantiate.hpp"

namespace icfast {
namespace {

/// Eight bits of a key, the lowest of them at bit `position` of the key.
template <int W>
int digit_of(const Key<W>& key, int position) {
  const int word = W - 1 - position / 64;
  const int offset = position % 64;
  std::uint64_t value = key.word[word] >> offset;
  if (offset > 56 && word > 0) value |= key.word[word - 1] << (64 - offset);
  return static_cast<int>(value & 0xff);
}

/// Position of the most significant bit that differs between any two keys; -1 if all keys are
/// equal.
template <int W>
int top_varying_bit(const Key<W>* keys, std::int64_t size) {
  Key<W> varying{};
  for (std::int64_t i = 1; i < size; ++i) {
    for (int w = 0; w < W; ++w) varying.word[w] |= keys[i].word[w] ^ keys[0].word[w];
  }
  for (int w = 0; w < W; ++w) {
    if (varying.word[w] != 0) return 64 * (W - 1 - w) + 63 - std::countl_zero(varying.word[w]);
  }
  return -1;
}

/// Part d has the keys with digit d: the eight bits from the most significant varying one down.
template <int W>
void split_by_digit(Key<W>* keys, std::int64_t size, std::int64_t* bounds) {
  const int top = top_varying_bit(keys, size);
  if (top < 0) return;
  const int position = std::max(0, top - 7);
  std::int64_t next[kParts] = {};
  for (std::int64_t i = 0; i < size; ++i) ++next[digit_of(keys[i], position)];
  for (int d = 0; d < kParts; ++d) {
    bounds[d + 1] = bounds[d] + next[d];
    next[d] = bounds[d];
  }
  // Every exchange moves one key to its final part.
  for (int d = 0; d < kParts; ++d) {
    while (next[d] < bounds[d + 1]) {
      const int home = digit_of(keys[next[d]], position);
      if (home == d) {
        ++next[d];
      } else {
        std::swap(keys[next[d]], keys[next[home]++]);
      }
    }
  }
}

}  // namespace

template <int W>
Status split_keys(Key<W>* keys, std::int64_t size, [[maybe_unused]] std::int64_t largest,
                  std::int64_t* bounds) {
  std::fill(bounds, bounds + kParts + 1, size);
  bounds[0] = 0;
#if defined(ICFAST_AVX512)
  if constexpr (W == 1) {
    if (size > kLeastSplit && use_avx512()) {
      split_avx512(keys->word, size, largest, bounds);
      return {};
    }
  }
#endif
  split_by_digit(keys, size, bounds);
  return {};
}

#define ICFAST_WIDTH(W) \
  template Status split_keys<W>(Key<W>*, std::int64_t, std::int64_t, std::int64_t*);
ICFAST_FOR_EACH_WIDTH(ICFAST_WIDTH)
#undef ICFAST_WIDTH

}  // namespace icfast
