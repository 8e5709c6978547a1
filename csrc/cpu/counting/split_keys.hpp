// Splits a bucket in place. The instruction set is chosen once.
#pragma once
#include <cstdint>

namespace icfast {

/// Largest number of parts of one split.
inline constexpr int kParts = 256;

#if defined(ICFAST_AVX512)
/// Smallest number of keys that are split by pivots.
inline constexpr std::int64_t kLeastSplit = 256;

/// split_keys for at least kLeastSplit one-word keys.
void split_avx512(std::uint64_t* keys, std::int64_t size, std::int64_t largest,
                  std::int64_t* bounds);
#endif

}  // namespace icfast
