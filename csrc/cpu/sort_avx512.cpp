// Sorting one-word keys with AVX-512: quicksort whose partition compresses in registers, down to
// bitonic networks of 128 keys.
//
// Partition writes the left part in place and the right part to scratch: compressing stores to
// memory are microcoded on some machines, compressing in registers is not. A radix split of large
// buckets before it was tried and lost (103 against 223 M keys/s on real windows): history tokens
// are too skewed for an even split.
#include <immintrin.h>

#include <algorithm>
#include <cstring>

#include "sort_keys.hpp"

namespace icfast {
namespace {

using Vec = __m512i;

constexpr std::int64_t kLanes = 8;
constexpr std::int64_t kNetwork = 128;  // largest size sorted in registers
constexpr int kSample = 32;
constexpr int kMostLevels = 64;  // below them pivots were bad throughout: leave it to introsort

/// Lanes of vector i that hold one of `size` keys.
__mmask8 valid_lanes(std::int64_t size, std::int64_t i) {
  const std::int64_t left = size - kLanes * i;
  return left >= kLanes ? 0xff : static_cast<__mmask8>(left <= 0 ? 0 : (1 << left) - 1);
}

void exchange(Vec& a, Vec& b) {
  const Vec low = _mm512_min_epu64(a, b);
  b = _mm512_max_epu64(a, b);
  a = low;
}

Vec reversed(Vec v) {
  return _mm512_permutexvar_epi64(_mm512_set_epi64(0, 1, 2, 3, 4, 5, 6, 7), v);
}

/// One stage inside a vector: lanes in `high` keep the larger of themselves and their partner.
Vec stage(Vec v, Vec partner, __mmask8 high) {
  return _mm512_mask_max_epu64(_mm512_min_epu64(v, partner), high, v, partner);
}

Vec swapped_pairs(Vec v) { return _mm512_permutex_epi64(v, 0xb1); }
Vec swapped_quarters(Vec v) { return _mm512_permutex_epi64(v, 0x4e); }

Vec sort_lanes(Vec v) {
  v = stage(v, swapped_pairs(v), 0xaa);
  v = stage(v, _mm512_permutex_epi64(v, 0x1b), 0xcc);
  v = stage(v, swapped_pairs(v), 0xaa);
  v = stage(v, reversed(v), 0xf0);
  v = stage(v, swapped_quarters(v), 0xcc);
  return stage(v, swapped_pairs(v), 0xaa);
}

/// A bitonic sequence of N vectors becomes ascending.
template <int N>
void merge_bitonic(Vec* v) {
  if constexpr (N == 1) {
    v[0] = stage(v[0], _mm512_shuffle_i64x2(v[0], v[0], 0x4e), 0xf0);
    v[0] = stage(v[0], swapped_quarters(v[0]), 0xcc);
    v[0] = stage(v[0], swapped_pairs(v[0]), 0xaa);
  } else {
    for (int i = 0; i < N / 2; ++i) exchange(v[i], v[i + N / 2]);
    merge_bitonic<N / 2>(v);
    merge_bitonic<N / 2>(v + N / 2);
  }
}

/// Two ascending halves of N / 2 vectors become one.
template <int N>
void merge_halves(Vec* v) {
  std::reverse(v + N / 2, v + N);
  for (int i = N / 2; i < N; ++i) v[i] = reversed(v[i]);
  merge_bitonic<N>(v);
}

/// Sorts eight vectors down their columns, then turns columns into rows: eight ascending vectors.
void sort_rows(Vec* v) {
  constexpr int kExchanges[19][2] = {{0, 2}, {1, 3}, {4, 6}, {5, 7}, {0, 4}, {1, 5}, {2, 6},
                                     {3, 7}, {0, 1}, {2, 3}, {4, 5}, {6, 7}, {2, 4}, {3, 5},
                                     {1, 4}, {3, 6}, {1, 2}, {3, 4}, {5, 6}};
  for (const auto& pair : kExchanges) exchange(v[pair[0]], v[pair[1]]);
  Vec t[8];
  Vec u[8];
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm512_unpacklo_epi64(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi64(v[i], v[i + 1]);
  }
  for (int half = 0; half < 8; half += 4) {
    for (int i = half; i < half + 2; ++i) {
      u[i] = _mm512_shuffle_i64x2(t[i], t[i + 2], 0x88);
      u[i + 2] = _mm512_shuffle_i64x2(t[i], t[i + 2], 0xdd);
    }
  }
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm512_shuffle_i64x2(u[i], u[i + 4], 0x88);
    v[i + 4] = _mm512_shuffle_i64x2(u[i], u[i + 4], 0xdd);
  }
}

template <int N>
void sort_vectors(Vec* v) {
  if constexpr (N == 1) {
    v[0] = sort_lanes(v[0]);
  } else if constexpr (N == 8) {
    sort_rows(v);
    for (int i = 0; i < 8; i += 2) merge_halves<2>(v + i);
    for (int i = 0; i < 8; i += 4) merge_halves<4>(v + i);
    merge_halves<8>(v);
  } else {
    sort_vectors<N / 2>(v);
    sort_vectors<N / 2>(v + N / 2);
    merge_halves<N>(v);
  }
}

/// Up to 8 N keys, the missing ones taken as the largest.
template <int N>
void sort_padded(std::uint64_t* keys, std::int64_t size) {
  Vec v[N];
  const Vec largest = _mm512_set1_epi64(-1);
  for (int i = 0; i < N; ++i) {
    v[i] = _mm512_mask_loadu_epi64(largest, valid_lanes(size, i), keys + kLanes * i);
  }
  sort_vectors<N>(v);
  for (int i = 0; i < N; ++i) {
    _mm512_mask_storeu_epi64(keys + kLanes * i, valid_lanes(size, i), v[i]);
  }
}

void sort_network(std::uint64_t* keys, std::int64_t size) {
  if (size <= 8) return sort_padded<1>(keys, size);
  if (size <= 16) return sort_padded<2>(keys, size);
  if (size <= 32) return sort_padded<4>(keys, size);
  if (size <= 64) return sort_padded<8>(keys, size);
  sort_padded<16>(keys, size);
}

/// The median of evenly spaced keys.
std::uint64_t choose_pivot(const std::uint64_t* keys, std::int64_t size) {
  std::uint64_t sample[kSample];
  const std::int64_t step = size / kSample;
  for (int i = 0; i < kSample; ++i) sample[i] = keys[i * step + step / 2];
  sort_network(sample, kSample);
  return sample[kSample / 2];
}

struct Parts {
  std::int64_t left;  // keys that went left
  bool right_equal;   // all others equal the pivot
};

/// Keys below the pivot to the front (kOrEqual: the pivot too), the others behind them.
template <bool kOrEqual>
Parts partition(std::uint64_t* keys, std::uint64_t* scratch, std::int64_t size,
                std::uint64_t pivot_key) {
  const Vec pivot = _mm512_set1_epi64(static_cast<long long>(pivot_key));
  Vec differing = _mm512_setzero_si512();
  std::int64_t left = 0;
  std::int64_t right = 0;
  for (std::int64_t i = 0; kLanes * i < size; ++i) {
    const __mmask8 valid = valid_lanes(size, i);
    const Vec v = _mm512_maskz_loadu_epi64(valid, keys + kLanes * i);
    const __mmask8 below = kOrEqual ? _mm512_mask_cmple_epu64_mask(valid, v, pivot)
                                    : _mm512_mask_cmplt_epu64_mask(valid, v, pivot);
    const auto above = static_cast<__mmask8>(valid & ~below);
    differing = _mm512_mask_or_epi64(differing, above, differing, _mm512_xor_si512(v, pivot));
    const int lefts = __builtin_popcount(below);
    const int rights = __builtin_popcount(above);
    // Neither part has outrun the reading, so whole vectors can be stored; the last one has room
    // only for what it holds.
    const Vec low = _mm512_maskz_compress_epi64(below, v);
    const Vec high = _mm512_maskz_compress_epi64(above, v);
    if (valid == 0xff) {
      _mm512_storeu_si512(keys + left, low);
      _mm512_storeu_si512(scratch + right, high);
    } else {
      _mm512_mask_storeu_epi64(keys + left, static_cast<__mmask8>((1 << lefts) - 1), low);
      _mm512_mask_storeu_epi64(scratch + right, static_cast<__mmask8>((1 << rights) - 1), high);
    }
    left += lefts;
    right += rights;
  }
  std::memcpy(keys + left, scratch, static_cast<std::size_t>(right) * sizeof(std::uint64_t));
  return {left, _mm512_test_epi64_mask(differing, differing) == 0};
}

void quicksort(std::uint64_t* keys, std::uint64_t* scratch, std::int64_t size, int levels) {
  while (size > kNetwork) {
    if (levels-- == 0) return std::sort(keys, keys + size);
    const std::uint64_t pivot = choose_pivot(keys, size);
    Parts parts = partition<false>(keys, scratch, size, pivot);
    if (parts.right_equal) {
      size = parts.left;
      continue;
    }
    // The pivot is the least key: put its equals, which are done, to the front.
    if (parts.left == 0) {
      parts = partition<true>(keys, scratch, size, pivot);
      keys += parts.left;
      size -= parts.left;
      continue;
    }
    quicksort(keys, scratch, parts.left, levels);
    keys += parts.left;
    size -= parts.left;
  }
  if (size > 1) sort_network(keys, size);
}

}  // namespace

void sort_avx512(std::uint64_t* keys, std::uint64_t* scratch, std::int64_t size) {
  quicksort(keys, scratch, size, kMostLevels);
}

/// Distinct keys to the front; counts[i] = how often the i-th stood there.
std::int64_t run_lengths_avx512(std::uint64_t* keys, std::int64_t size, std::uint64_t* counts) {
  if (size == 0) return 0;
  // The first key of each run, and where it begins; in place, since neither outruns the reading.
  std::int64_t runs = 0;
  std::uint64_t before = ~keys[0];
  const Vec lanes = _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0);
  for (std::int64_t i = 0; kLanes * i < size; ++i) {
    const __mmask8 valid = valid_lanes(size, i);
    const Vec v = _mm512_maskz_loadu_epi64(valid, keys + kLanes * i);
    const Vec previous = _mm512_mask_blend_epi64(
        0xfe, _mm512_set1_epi64(static_cast<long long>(before)),
        _mm512_permutexvar_epi64(_mm512_set_epi64(6, 5, 4, 3, 2, 1, 0, 0), v));
    const __mmask8 first = _mm512_mask_cmpneq_epu64_mask(valid, v, previous);
    const int found = __builtin_popcount(first);
    const auto fits = static_cast<__mmask8>((1 << found) - 1);
    before = keys[std::min(kLanes * i + kLanes, size) - 1];
    const Vec at = _mm512_add_epi64(lanes, _mm512_set1_epi64(kLanes * i));
    _mm512_mask_storeu_epi64(keys + runs, fits, _mm512_maskz_compress_epi64(first, v));
    _mm512_mask_storeu_epi64(counts + runs, fits, _mm512_maskz_compress_epi64(first, at));
    runs += found;
  }
  for (std::int64_t i = 0; i + 1 < runs; ++i) counts[i] = counts[i + 1] - counts[i];
  counts[runs - 1] = static_cast<std::uint64_t>(size) - counts[runs - 1];
  return runs;
}

}  // namespace icfast
