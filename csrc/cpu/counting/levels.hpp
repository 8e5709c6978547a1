// The n-grams of one order in a block of sorted windows, and the way to the next shorter order.
//
// What is summed over an n-gram stands as what came before it, so that an n-gram's own sum is the
// difference to the next one, and a shorter order keeps fewer of the same numbers. No loop here
// has a branch that depends on the data.
#pragma once
#include <cstdint>

#include "icfast/keys.hpp"

namespace icfast {

/// Element 0 is the n-gram still open when the block began, the others begin in it. Where none was
/// open its sums are 0, which counts for nothing.
struct Level {
  static constexpr std::int64_t kBlock = 1024;           // windows of a block
  static constexpr std::int64_t kRoom = kBlock + 1 + 8;  // vectors reach past the last one

  std::int64_t size = 1;
  bool ended = false;  // documents end here; else followed holds nothing
  /// Orders shared with the window before, and above eight bits its history length.
  alignas(64) std::uint64_t mark[kRoom];
  alignas(64) std::uint64_t windows[kRoom];
  alignas(64) std::uint64_t followed[kRoom];
  alignas(64) std::uint64_t children[kRoom];  // n-grams one longer
};

constexpr std::uint64_t mark_of(int shared_orders, int history_length) {
  return static_cast<std::uint64_t>(shared_orders) | static_cast<std::uint64_t>(history_length)
                                                         << 8;
}

/// The sums of the n-grams that closed. Most complete ones are 1 or 2.
struct Closed {
  std::uint64_t ones;
  std::uint64_t twos;
  std::int64_t others;
  std::int64_t incomplete;
  std::uint64_t other[Level::kRoom];  // the sums of complete ones that are neither
  std::uint64_t at[Level::kRoom];     // where the incomplete ones stand: those that hold a mark
};

/// closed = sums[i + 1] - sums[i] over a level of order n.
void sums_portable(const Level& level, const std::uint64_t* sums, int n, Closed& closed);

/// Keeps what begins an n-gram of order n out of a level of order n + 1.
void shorten_portable(Level& level, int n);

#if defined(ICFAST_AVX512)
void sums_avx512(const Level& level, const std::uint64_t* sums, int n, Closed& closed);
void shorten_avx512(Level& level, int n);

/// Appends windows of one lead behind another one of it: keys[i] follows keys[i - 1]. `total`
/// counts windows before them, then behind them. Returns how many ascend before one does not.
/// Keys of one and of two words.
template <int W>
std::int64_t append_avx512(Level& level, const Key<W>* keys, const std::uint64_t* counts,
                           std::int64_t size, int order, int bits, std::uint64_t& total);
#endif

}  // namespace icfast
