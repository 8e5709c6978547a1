// Sorts the keys of one bucket and counts equal ones. The instruction set is chosen once.
#pragma once
#include <cstdint>

#include "icfast/keys.hpp"

namespace icfast {

/// Bits that differ between any two keys. It is always inlined, because units compiled for
/// different machines must not share a copy.
template <int W>
[[gnu::always_inline]] inline Key<W> varying_bits(const Key<W>* keys, std::int64_t size) {
  Key<W> varying{};
  for (std::int64_t i = 1; i < size; ++i) {
    for (int w = 0; w < W; ++w) varying.word[w] |= keys[i].word[w] ^ keys[0].word[w];
  }
  return varying;
}

/// Moves distinct keys to the front, ascending; counts[i] is the number of occurrences of the i-th.
/// Returns their number. scratch has as many entries as keys.
template <int W>
std::int64_t sort_and_count(Key<W>* keys, Key<W>* scratch, std::int64_t size,
                            std::uint64_t* counts);

/// Sorts words in ascending order. scratch has as many entries.
void sort_words(std::uint64_t* words, std::uint64_t* scratch, std::int64_t size);

#if defined(ICFAST_AVX512)
void sort_avx512(std::uint64_t* keys, std::uint64_t* scratch, std::int64_t size);
std::int64_t run_lengths_avx512(std::uint64_t* keys, std::int64_t size, std::uint64_t* counts);
/// sort_and_count for keys of two or more words.
template <int W>
std::int64_t sort_and_count_avx512(Key<W>* keys, Key<W>* scratch, std::int64_t size,
                                   std::uint64_t* counts);
#endif

}  // namespace icfast
