// Sorting the keys of one bucket, and counting equal ones. The instruction set is chosen once.
#pragma once
#include <cstdint>

#include "icfast/keys.hpp"

namespace icfast {

/// Bits that differ between any two of the keys. Always inlined: units compiled for different
/// machines must not share one copy.
template <int W>
[[gnu::always_inline]] inline Key<W> varying_bits(const Key<W>* keys, std::int64_t size) {
  Key<W> varying{};
  for (std::int64_t i = 1; i < size; ++i) {
    for (int w = 0; w < W; ++w) varying.word[w] |= keys[i].word[w] ^ keys[0].word[w];
  }
  return varying;
}

/// Distinct keys to the front, ascending, counts[i] = how often the i-th was there; returns how
/// many are left. scratch holds as many keys.
template <int W>
std::int64_t sort_and_count(Key<W>* keys, Key<W>* scratch, std::int64_t size,
                            std::uint64_t* counts);

/// Ascending; scratch holds as many words.
void sort_words(std::uint64_t* words, std::uint64_t* scratch, std::int64_t size);

#if defined(ICFAST_AVX512)
void sort_avx512(std::uint64_t* keys, std::uint64_t* scratch, std::int64_t size);
std::int64_t run_lengths_avx512(std::uint64_t* keys, std::int64_t size, std::uint64_t* counts);
/// sort_and_count for two words and more.
template <int W>
std::int64_t sort_and_count_avx512(Key<W>* keys, Key<W>* scratch, std::int64_t size,
                                   std::uint64_t* counts);
#endif

}  // namespace icfast
