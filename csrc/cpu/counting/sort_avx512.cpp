// Sorts one-word keys with AVX-512: a quicksort whose partition compresses in registers, down to
// sorting networks of 128 keys.
//
// The partition writes smaller keys to the front of the bucket and larger ones to scratch, where
// they are partitioned next, so nothing is copied back. Keys equal to the pivot, which are frequent
// in text, are only counted. Compressing stores to memory are microcoded on some machines, so
// compression is done in registers. A radix split of large buckets was tried and was slower (103
// against 223 M keys/s on real windows), because history tokens are too skewed for an even split.
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
constexpr int kMostLevels =
    64;  // deepest level; below it the pivots were bad, and introsort takes over

/// Mask of the lanes of vector i that have one of `size` keys.
__mmask8 valid_lanes(std::int64_t size, std::int64_t i) {
  const std::int64_t left = size - kLanes * i;
  return left >= kLanes ? 0xff : static_cast<__mmask8>(left <= 0 ? 0 : (1 << left) - 1);
}

void exchange(Vec& a, Vec& b) {
  const Vec low = _mm512_min_epu64(a, b);
  b = _mm512_max_epu64(a, b);
  a = low;
}

// A network sorts R vectors as a matrix of R rows and eight columns. Key i is at row i % R and
// column i / R. First each column is sorted, then pairs, quarters and halves of columns are merged.
// Only the few exchanges between columns shuffle lanes.

struct Pairs {  // column c with c ^ 1
  static Vec swapped(Vec v) { return _mm512_permutex_epi64(v, 0xb1); }
  static constexpr __mmask8 kRight = 0xaa;
};
struct Quarters {  // column c with c ^ 2
  static Vec swapped(Vec v) { return _mm512_permutex_epi64(v, 0x4e); }
  static constexpr __mmask8 kRight = 0xcc;
};
struct Quads {  // the columns of each half, mirrored
  static Vec swapped(Vec v) { return _mm512_permutex_epi64(v, 0x1b); }
  static constexpr __mmask8 kRight = 0xcc;
};
struct Octets {  // all columns, mirrored
  static Vec swapped(Vec v) {
    return _mm512_permutexvar_epi64(_mm512_set_epi64(0, 1, 2, 3, 4, 5, 6, 7), v);
  }
  static constexpr __mmask8 kRight = 0xf0;
};

/// Exchanges columns within each row; the right column keeps the larger keys.
template <class Columns, int R>
[[gnu::always_inline]] inline void exchange_columns(Vec* v) {
#pragma GCC unroll 16
  for (int r = 0; r < R; ++r) {
    const Vec other = Columns::swapped(v[r]);
    v[r] = _mm512_mask_max_epu64(_mm512_min_epu64(v[r], other), Columns::kRight, v[r], other);
  }
}

/// Exchanges row r with other columns of row R - 1 - r, so that sorted sequences form a bitonic
/// one.
template <class Columns, int R>
[[gnu::always_inline]] inline void mirror_columns(Vec* v) {
  if constexpr (R == 1) {
    exchange_columns<Columns, 1>(v);
  } else {
#pragma GCC unroll 16
    for (int r = 0; r < R / 2; ++r) {
      Vec& mirrored = v[R - 1 - r];
      const Vec other = Columns::swapped(mirrored);
      const Vec low = _mm512_min_epu64(v[r], other);
      const Vec high = _mm512_max_epu64(v[r], other);
      v[r] = _mm512_mask_mov_epi64(low, Columns::kRight, high);
      mirrored = Columns::swapped(_mm512_mask_mov_epi64(high, Columns::kRight, low));
    }
  }
}

/// Sorts bitonic columns.
template <int R>
[[gnu::always_inline]] inline void merge_rows(Vec* v) {
#pragma GCC unroll 16
  for (int distance = R / 2; distance > 0; distance /= 2) {
#pragma GCC unroll 16
    for (int r = 0; r < R; ++r) {
      if ((r & distance) == 0) exchange(v[r], v[r + distance]);
    }
  }
}

/// Batcher's odd-even merge of rows 0, Step, 2 Step, ... below N, whose halves ascend.
template <int N, int Step = 1>
[[gnu::always_inline]] inline void merge_odd_even(Vec* v) {
  if constexpr (2 * Step < N) {
    merge_odd_even<N, 2 * Step>(v);
    merge_odd_even<N, 2 * Step>(v + Step);
#pragma GCC unroll 16
    for (int r = Step; r + Step < N; r += 2 * Step) exchange(v[r], v[r + Step]);
  } else {
    exchange(v[0], v[Step]);
  }
}

template <int N>
[[gnu::always_inline]] inline void sort_columns(Vec* v) {
  if constexpr (N > 1) {
    sort_columns<N / 2>(v);
    sort_columns<N / 2>(v + N / 2);
    merge_odd_even<N>(v);
  }
}

template <int R>
[[gnu::always_inline]] inline void sort_matrix(Vec* v) {
  sort_columns<R>(v);
  mirror_columns<Pairs, R>(v);
  merge_rows<R>(v);
  mirror_columns<Quads, R>(v);
  exchange_columns<Pairs, R>(v);
  merge_rows<R>(v);
  mirror_columns<Octets, R>(v);
  exchange_columns<Quarters, R>(v);
  exchange_columns<Pairs, R>(v);
  merge_rows<R>(v);
}

/// Transposes columns to rows.
[[gnu::always_inline]] inline void transpose(Vec* v) {
  Vec t[8];
  Vec u[8];
#pragma GCC unroll 16
  for (int i = 0; i < 8; i += 2) {
    t[i] = _mm512_unpacklo_epi64(v[i], v[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi64(v[i], v[i + 1]);
  }
#pragma GCC unroll 16
  for (int half = 0; half < 8; half += 4) {
#pragma GCC unroll 16
    for (int i = half; i < half + 2; ++i) {
      u[i] = _mm512_shuffle_i64x2(t[i], t[i + 2], 0x88);
      u[i + 2] = _mm512_shuffle_i64x2(t[i], t[i + 2], 0xdd);
    }
  }
#pragma GCC unroll 16
  for (int i = 0; i < 4; ++i) {
    v[i] = _mm512_shuffle_i64x2(u[i], u[i + 4], 0x88);
    v[i + 4] = _mm512_shuffle_i64x2(u[i], u[i + 4], 0xdd);
  }
}

/// Sorts up to 8 R keys; missing keys count as the largest.
template <int R>
void sort_padded(const std::uint64_t* from, std::uint64_t* keys, std::int64_t size) {
  constexpr int kRows = std::max(R, 8);
  Vec v[kRows];
#pragma GCC unroll 16
  for (int r = 0; r < kRows; ++r) {
    const Vec largest = _mm512_set1_epi64(-1);
    v[r] =
        r < R ? _mm512_mask_loadu_epi64(largest, valid_lanes(size, r), from + kLanes * r) : largest;
  }
  sort_matrix<R>(v);
  if constexpr (R == 1) {
    _mm512_mask_storeu_epi64(keys, valid_lanes(size, 0), v[0]);
  } else {
#pragma GCC unroll 16
    for (int r = 0; r < kRows; r += 8) {
      transpose(v + r);
#pragma GCC unroll 16
      for (int c = 0; c < 8; ++c) {
        const int at = c * R + r;
        const std::int64_t left = std::min<std::int64_t>(size - at, R);
        _mm512_mask_storeu_epi64(keys + at, valid_lanes(left, 0), v[r + c]);
      }
    }
  }
}

void sort_network(const std::uint64_t* from, std::uint64_t* keys, std::int64_t size) {
  if (size <= 8) return sort_padded<1>(from, keys, size);
  if (size <= 16) return sort_padded<2>(from, keys, size);
  if (size <= 32) return sort_padded<4>(from, keys, size);
  if (size <= 64) return sort_padded<8>(from, keys, size);
  sort_padded<16>(from, keys, size);
}

/// Median of evenly spaced keys.
std::uint64_t choose_pivot(const std::uint64_t* keys, std::int64_t size) {
  std::uint64_t sample[kSample];
  const std::int64_t step = size / kSample;
  for (int i = 0; i < kSample; ++i) sample[i] = keys[i * step + step / 2];
  sort_network(sample, sample, kSample);
  return sample[kSample / 2];
}

/// Destinations of the keys below and above a pivot. Neither may overtake the reads of what it
/// overwrites.
class Partition {
 public:
  Partition(std::uint64_t pivot, std::uint64_t* below, std::uint64_t* above)
      : pivot_(_mm512_set1_epi64(static_cast<long long>(pivot))), below_(below), above_(above) {}

  /// Writes eight keys as whole vectors. As many keys as were read fit.
  void put(Vec v) {
    const __mmask8 below = _mm512_cmplt_epu64_mask(v, pivot_);
    const __mmask8 above = _mm512_cmpgt_epu64_mask(v, pivot_);
    _mm512_storeu_si512(below_, _mm512_maskz_compress_epi64(below, v));
    _mm512_storeu_si512(above_, _mm512_maskz_compress_epi64(above, v));
    below_ += __builtin_popcount(below);
    above_ += __builtin_popcount(above);
  }

  /// Writes the last few keys, after which there is no space.
  void put_last(Vec v, __mmask8 valid) {
    put_few(below_, v, _mm512_mask_cmplt_epu64_mask(valid, v, pivot_));
    put_few(above_, v, _mm512_mask_cmpgt_epu64_mask(valid, v, pivot_));
  }

  const std::uint64_t* below_end() const { return below_; }
  const std::uint64_t* above_end() const { return above_; }

 private:
  static void put_few(std::uint64_t*& to, Vec v, __mmask8 chosen) {
    const int size = __builtin_popcount(chosen);
    const auto fits = static_cast<__mmask8>((1 << size) - 1);
    _mm512_mask_storeu_epi64(to, fits, _mm512_maskz_compress_epi64(chosen, v));
    to += size;
  }

  Vec pivot_;
  std::uint64_t* below_;
  std::uint64_t* above_;
};

struct Parts {
  std::int64_t below;
  std::int64_t above;
};

/// Moves keys below the pivot to `below` and keys above it to `above`. Either may be the source.
Parts partition(const std::uint64_t* from, std::uint64_t* below, std::uint64_t* above,
                std::int64_t size, std::uint64_t pivot) {
  constexpr std::int64_t kUnroll = 4;  // vectors read before anything is overwritten
  Partition parts(pivot, below, above);
  std::int64_t i = 0;
  for (; i + kUnroll * kLanes <= size; i += kUnroll * kLanes) {
    Vec v[kUnroll];
    for (int u = 0; u < kUnroll; ++u) v[u] = _mm512_loadu_si512(from + i + kLanes * u);
    for (int u = 0; u < kUnroll; ++u) parts.put(v[u]);
  }
  for (; i < size; i += kLanes) {
    const __mmask8 valid = valid_lanes(size - i, 0);
    parts.put_last(_mm512_maskz_loadu_epi64(valid, from + i), valid);
  }
  return {parts.below_end() - below, parts.above_end() - above};
}

/// Sorts the keys at `from` into `keys`. `from` is `keys` or `scratch`; both are overwritten.
void quicksort(const std::uint64_t* from, std::uint64_t* keys, std::uint64_t* scratch,
               std::int64_t size, int levels) {
  while (size > kNetwork) {
    if (levels-- == 0) {
      if (from != keys) std::copy(from, from + size, keys);
      return std::sort(keys, keys + size);
    }
    const std::uint64_t pivot = choose_pivot(from, size);
    const Parts parts = partition(from, keys, scratch, size, pivot);
    quicksort(keys, keys, scratch + parts.above, parts.below, levels);
    std::uint64_t* above = keys + (size - parts.above);
    std::fill(keys + parts.below, above, pivot);
    keys = above;
    from = scratch;
    size = parts.above;
  }
  if (size > 0) sort_network(from, keys, size);
}

}  // namespace

void sort_avx512(std::uint64_t* keys, std::uint64_t* scratch, std::int64_t size) {
  quicksort(keys, keys, scratch, size, kMostLevels);
}

/// Moves distinct keys to the front; counts[i] is the number of occurrences of the i-th.
std::int64_t run_lengths_avx512(std::uint64_t* keys, std::int64_t size, std::uint64_t* counts) {
  if (size == 0) return 0;
  // Find the first key of each group of equal keys and its position, in place: writes never
  // overtake reads.
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
