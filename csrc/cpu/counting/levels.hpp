// The n-grams of one order in a block of sorted windows, and the step to the next shorter order.
//
// Sums over an n-gram are stored as prefix sums, so the sum of an n-gram is the difference to the
// next one, and a shorter order keeps a subset of the same numbers. No loop here has a branch that
// depends on the data.
#pragma once
#include <cstdint>

#include "icfast/keys.hpp"

namespace icfast {

/// Element 0 is the n-gram that was unfinished when the block began; the others begin in the block.
/// If none was unfinished, its sums are 0 and change nothing.
struct Level {
  static constexpr std::int64_t kBlock = 1024;               // windows per block
  static constexpr std::int64_t kCapacity = kBlock + 1 + 8;  // vectors reach past the last element

  std::int64_t size = 1;
  bool ended = false;  // documents end in the block; otherwise `followed` is not set
  /// Orders shared with the previous window, and from bit 8 on its history length.
  alignas(64) std::uint64_t mark[kCapacity];
  alignas(64) std::uint64_t windows[kCapacity];
  alignas(64) std::uint64_t followed[kCapacity];
  alignas(64) std::uint64_t children[kCapacity];  // (n+1)-grams
};

constexpr std::uint64_t mark_of(int shared_orders, int history_length) {
  return static_cast<std::uint64_t>(shared_orders) | static_cast<std::uint64_t>(history_length)
                                                         << 8;
}

/// Sums of the completed n-grams. Most complete ones are 1 or 2.
struct Closed {
  std::uint64_t ones;
  std::uint64_t twos;
  std::int64_t others;
  std::int64_t incomplete;
  std::uint64_t other[Level::kCapacity];  // sums of complete n-grams other than 1 and 2
  std::uint64_t at[Level::kCapacity];  // positions of the incomplete ones, which have a begin mark
};

/// closed = sums[i + 1] - sums[i] over a level of order n.
void sums_portable(const Level& level, const std::uint64_t* sums, int n, Closed& closed);

/// Keeps the elements of a level of order n + 1 that begin an n-gram of order n.
void shorten_portable(Level& level, int n);

#if defined(ICFAST_AVX512)
void sums_avx512(const Level& level, const std::uint64_t* sums, int n, Closed& closed);
void shorten_avx512(Level& level, int n);

/// Appends windows of one lead after another window of it: keys[i] follows keys[i - 1]. `total`
/// counts the windows so far. Returns the number of windows before the first that does not ascend.
/// Keys have one or two words.
template <int W>
std::int64_t append_avx512(Level& level, const Key<W>* keys, const std::uint64_t* counts,
                           std::int64_t size, int order, int bits, std::uint64_t& total);
#endif

}  // namespace icfast
