// Cutting a bucket in place. The instruction set is chosen once.
#pragma once
#include <cstdint>

namespace icfast {

/// The most parts a bucket is cut into at a time.
inline constexpr int kParts = 256;

#if defined(ICFAST_AVX512)
/// Fewest keys worth cutting by pivots.
inline constexpr std::int64_t kLeastSplit = 256;

/// As split_keys of one-word keys; at least kLeastSplit of them.
void split_avx512(std::uint64_t* keys, std::int64_t size, std::int64_t largest,
                  std::int64_t* bounds);
#endif

}  // namespace icfast
