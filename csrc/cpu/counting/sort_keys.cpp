// Portable sort of the keys of one bucket, and the choice of the fastest version.
//
// Buckets of a lead are mostly small and fit the cache: insertion sort below 32 keys, introsort
// below 512, and LSD radix sort on the varying bytes above. A bucket larger than the L2 cache is
// first split by its most significant varying byte.
#include "sort_keys.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include "icfast/isa.hpp"
#include "instantiate.hpp"

namespace icfast {
namespace {

constexpr std::int64_t kInsertion = 32;
constexpr std::int64_t kIntrosort = 512;
constexpr std::int64_t kCacheBytes = 1 << 19;

using Histogram = std::array<std::uint32_t, 256>;

template <int W>
unsigned byte_of(const Key<W>& key, int byte) {
  return (key.word[W - 1 - byte / 8] >> (8 * (byte % 8))) & 0xff;
}

template <int W>
void insertion_sort(Key<W>* keys, std::int64_t size) {
  for (std::int64_t i = 1; i < size; ++i) {
    const Key<W> key = keys[i];
    std::int64_t j = i;
    for (; j > 0 && key < keys[j - 1]; --j) keys[j] = keys[j - 1];
    keys[j] = key;
  }
}

/// One stable pass from keys to scratch by one byte. The offsets become the ends of the buckets.
template <int W>
void scatter_by_byte(const Key<W>* keys, Key<W>* scratch, std::int64_t size, int byte,
                     Histogram& offsets) {
  offsets.fill(0);
  for (std::int64_t i = 0; i < size; ++i) ++offsets[byte_of(keys[i], byte)];
  std::uint32_t sum = 0;
  for (auto& offset : offsets) sum += std::exchange(offset, sum);
  for (std::int64_t i = 0; i < size; ++i) scratch[offsets[byte_of(keys[i], byte)]++] = keys[i];
}

template <int W>
void radix_sort(Key<W>* keys, Key<W>* scratch, std::int64_t size, const Key<W>& varying) {
  Key<W>* from = keys;
  Key<W>* to = scratch;
  Histogram offsets;
  for (int byte = 0; byte < 8 * W; ++byte) {
    if (byte_of(varying, byte) == 0) continue;
    scatter_by_byte(from, to, size, byte, offsets);
    std::swap(from, to);
  }
  if (from != keys) std::memcpy(keys, from, static_cast<std::size_t>(size) * sizeof(Key<W>));
}

template <int W>
void sort_portable(Key<W>* keys, Key<W>* scratch, std::int64_t size);

/// Splits by the most significant varying byte, moves the parts back and sorts them in the cache.
template <int W>
void split_and_sort(Key<W>* keys, Key<W>* scratch, std::int64_t size, const Key<W>& varying) {
  int byte = 8 * W - 1;
  while (byte_of(varying, byte) == 0) --byte;
  Histogram ends;
  scatter_by_byte(keys, scratch, size, byte, ends);
  std::memcpy(keys, scratch, static_cast<std::size_t>(size) * sizeof(Key<W>));
  std::int64_t begin = 0;
  for (const std::uint32_t end : ends) {
    sort_portable(keys + begin, scratch, end - begin);
    begin = end;
  }
}

template <int W>
void sort_portable(Key<W>* keys, Key<W>* scratch, std::int64_t size) {
  if (size < kInsertion) return insertion_sort(keys, size);
  if (size < kIntrosort) return std::sort(keys, keys + size);
  const Key<W> varying = varying_bits(keys, size);
  if (varying == Key<W>{}) return;
  const bool in_cache = size * static_cast<std::int64_t>(sizeof(Key<W>)) <= kCacheBytes;
  in_cache ? radix_sort(keys, scratch, size, varying)
           : split_and_sort(keys, scratch, size, varying);
}

template <int W>
std::int64_t run_lengths_portable(Key<W>* keys, std::int64_t size, std::uint64_t* counts) {
  std::int64_t out = 0;
  for (std::int64_t i = 0; i < size;) {
    const Key<W> key = keys[i];
    std::int64_t j = i + 1;
    while (j < size && keys[j] == key) ++j;
    keys[out] = key;
    counts[out++] = static_cast<std::uint64_t>(j - i);
    i = j;
  }
  return out;
}

}  // namespace

template <int W>
std::int64_t sort_and_count(Key<W>* keys, Key<W>* scratch, std::int64_t size,
                            std::uint64_t* counts) {
#if defined(ICFAST_AVX512)
  if (use_avx512()) {
    if constexpr (W == 1) {
      sort_avx512(keys->word, scratch->word, size);
      return run_lengths_avx512(keys->word, size, counts);
    } else {
      return sort_and_count_avx512(keys, scratch, size, counts);
    }
  }
#endif
  sort_portable(keys, scratch, size);
  return run_lengths_portable(keys, size, counts);
}

void sort_words(std::uint64_t* words, std::uint64_t* scratch, std::int64_t size) {
#if defined(ICFAST_AVX512)
  if (use_avx512()) return sort_avx512(words, scratch, size);
#endif
  static_assert(sizeof(Key<1>) == sizeof(std::uint64_t));
  sort_portable(reinterpret_cast<Key<1>*>(words), reinterpret_cast<Key<1>*>(scratch), size);
}

#define ICFAST_WIDTH(W) \
  template std::int64_t sort_and_count<W>(Key<W>*, Key<W>*, std::int64_t, std::uint64_t*);
ICFAST_FOR_EACH_WIDTH(ICFAST_WIDTH)
#undef ICFAST_WIDTH

}  // namespace icfast
