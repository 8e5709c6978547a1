// Sums of a row of logits by a block of threads, in one read. The order in which threads' sums are
// merged depends only on the number of columns. nvcc provides the CUDA intrinsics; tests on the
// host replace them by functions on threads.
#pragma once
#include "row_sweep.hpp"

namespace icfast::cuda {

constexpr int kMostWarps = kMostThreads / kWarp;
constexpr unsigned kAllLanes = 0xffffffff;

template <class Source>
class RowLoader {
 public:
  __device__ RowLoader(const void* row, std::int64_t columns)
      : row_(static_cast<const typename Source::Stored*>(row)),
        columns_(columns),
        vectors_(RowVectors::of(reinterpret_cast<std::uintptr_t>(row), columns, Source::kFormat)),
        base_(reinterpret_cast<const uint4*>(static_cast<const char*>(row) - vectors_.offset)) {}

  __device__ std::int64_t count() const { return vectors_.count; }

  /// Loads vectors i, i + step, ...; vectors outside the row keep their contents. All loads are
  /// issued before the first result is used.
  __device__ void load(std::int64_t i, std::int64_t step,
                       std::uint32_t (&words)[kVectorsAtOnce][kVectorWords]) const {
    if (i >= vectors_.first && i + (kVectorsAtOnce - 1) * step < vectors_.last) {
      return vectors_.offset == 0 ? load_aligned(i, step, words) : load_across(i, step, words);
    }
    ICFAST_UNROLL
    for (int j = 0; j < kVectorsAtOnce; ++j) {
      if (i + j * step < vectors_.count) load_one(i + j * step, words[j]);
    }
  }

 private:
  __device__ void load_aligned(std::int64_t i, std::int64_t step,
                               std::uint32_t (&words)[kVectorsAtOnce][kVectorWords]) const {
    ICFAST_UNROLL
    for (int j = 0; j < kVectorsAtOnce; ++j) {
      const uint4 a = __ldcs(base_ + i + j * step);
      words[j][0] = a.x, words[j][1] = a.y, words[j][2] = a.z, words[j][3] = a.w;
    }
  }

  /// Loads a vector as two halves; the second half is a neighbour's first, so it is in the L1
  /// cache.
  __device__ void load_across(std::int64_t i, std::int64_t step,
                              std::uint32_t (&words)[kVectorsAtOnce][kVectorWords]) const {
    uint4 a[kVectorsAtOnce];
    uint4 b[kVectorsAtOnce];
    ICFAST_UNROLL
    for (int j = 0; j < kVectorsAtOnce; ++j) {
      a[j] = __ldcs(base_ + i + j * step);
      b[j] = __ldcs(base_ + i + j * step + 1);
    }
    ICFAST_UNROLL
    for (int j = 0; j < kVectorsAtOnce; ++j) {
      const std::uint32_t both[] = {a[j].x, a[j].y, a[j].z, a[j].w, b[j].x, b[j].y, b[j].z, b[j].w};
      align_words(both, vectors_.offset, words[j]);
    }
  }

  /// Loads vectors at the ends of a row, where some of a thread's vectors are outside it.
  __device__ void load_one(std::int64_t i, std::uint32_t (&words)[kVectorWords]) const {
    if (i < vectors_.first || i >= vectors_.last) return load_edge(i, words);
    const uint4 a = __ldcs(base_ + i);
    const uint4 b = vectors_.offset == 0 ? a : __ldcs(base_ + i + 1);
    const std::uint32_t both[] = {a.x, a.y, a.z, a.w, b.x, b.y, b.z, b.w};
    align_words(both, vectors_.offset, words);
  }

  /// Loads element by element; elements after the end of the row are -inf.
  __device__ void load_edge(std::int64_t i, std::uint32_t (&words)[kVectorWords]) const {
    constexpr int kIn = Source::kPer / kVectorWords;
    ICFAST_UNROLL
    for (int w = 0; w < kVectorWords; ++w) {
      words[w] = 0;
      ICFAST_UNROLL
      for (int e = 0; e < kIn; ++e) {
        const std::int64_t at = i * Source::kPer + w * kIn + e;
        const std::uint32_t bits = at < columns_ ? row_[at] : Source::kLowest;
        words[w] |= bits << (e * 16);
      }
    }
  }

  const typename Source::Stored* row_;
  std::int64_t columns_;
  RowVectors vectors_;
  const uint4* base_;
};

template <class T>
__device__ T sum_of_warp(T x) {
  ICFAST_UNROLL
  for (int step = kWarp / 2; step > 0; step /= 2) x += __shfl_down_sync(kAllLanes, x, step);
  return x;
}

__device__ inline float largest_of_warp(float x) {
  ICFAST_UNROLL
  for (int step = kWarp / 2; step > 0; step /= 2) {
    x = std::fmax(x, __shfl_xor_sync(kAllLanes, x, step));
  }
  return x;
}

/// Shared memory for the exchange between warps.
struct Partial {
  float k[kMostWarps];
  double sum[kMostWarps];
  double weighted[kMostWarps];
  long long larger[kMostWarps];
  double wide[kMostWarps][3];  // one SoftmaxSum per warp; shared memory allows no constructors
};

/// All threads must call; the first thread gets the result.
__device__ inline SoftmaxSum merged_wide(SoftmaxSum wide, double temperature, Partial& shared) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  for (int step = kWarp / 2; step > 0; step /= 2) {
    SoftmaxSum other;
    other.reference = __shfl_down_sync(kAllLanes, wide.reference, step);
    other.sum = __shfl_down_sync(kAllLanes, wide.sum, step);
    other.weighted = __shfl_down_sync(kAllLanes, wide.weighted, step);
    wide.merge(other, temperature);
  }
  if (threadIdx.x % kWarp == 0) {
    shared.wide[warp][0] = wide.reference;
    shared.wide[warp][1] = wide.sum;
    shared.wide[warp][2] = wide.weighted;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int w = 1; w < static_cast<int>(blockDim.x) / kWarp; ++w) {
      wide.merge({shared.wide[w][0], shared.wide[w][1], shared.wide[w][2]}, temperature);
    }
  }
  return wide;
}

__device__ inline long long merged_count(long long count, Partial& shared) {
  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  count = sum_of_warp(count);
  if (threadIdx.x % kWarp == 0) shared.larger[warp] = count;
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int w = 1; w < static_cast<int>(blockDim.x) / kWarp; ++w) count += shared.larger[w];
  }
  return count;
}

/// Returns the sums of `columns` logits. All threads must call; the first thread gets the result.
template <class Source, bool kCapped, bool kExtras>
__device__ RowSums sums_of_row(const void* row, std::int64_t columns, const SoftmaxScale& scale,
                               Partial& shared) {
  const RowLoader<Source> loader(row, columns);
  ThreadSweep<Source, kCapped, kExtras> sweep(scale);
  const std::int64_t threads = blockDim.x;
  for (std::int64_t i = threadIdx.x; i < loader.count(); i += kVectorsAtOnce * threads) {
    std::uint32_t words[kVectorsAtOnce][kVectorWords];
    loader.load(i, threads, words);
    ICFAST_UNROLL
    for (int j = 0; j < kVectorsAtOnce; ++j) {
      if (i + j * threads < loader.count()) sweep.add(words[j]);
    }
  }

  const int warp = static_cast<int>(threadIdx.x) / kWarp;
  const int warps = static_cast<int>(blockDim.x) / kWarp;
  float k = largest_of_warp(sweep.k());
  if (threadIdx.x % kWarp == 0) shared.k[warp] = k;
  const bool any_wide = __syncthreads_or(sweep.wide().sum != 0) != 0;
  for (int w = 0; w < warps; ++w) k = std::fmax(k, shared.k[w]);

  PowerSum fast = sweep.to(k);
  fast.sum = sum_of_warp(fast.sum);
  if constexpr (kExtras) fast.weighted = sum_of_warp(fast.weighted);
  if (threadIdx.x % kWarp == 0) {
    shared.sum[warp] = fast.sum;
    shared.weighted[warp] = fast.weighted;
  }
  __syncthreads();
  if (threadIdx.x == 0) {
    for (int w = 1; w < warps; ++w) {
      fast.sum += shared.sum[w];
      fast.weighted += shared.weighted[w];
    }
  }
  SoftmaxSum wide;
  if (any_wide) wide = merged_wide(sweep.wide(), scale.temperature, shared);
  long long larger = 0;
  if constexpr (kExtras) larger = merged_count(sweep.larger(), shared);
  return row_sums(fast, wide, larger);
}

/// Computes in fp64 only, for fp64 logits and for temperatures outside the range of fp32.
template <class Source>
__device__ RowSums wide_sums_of_row(const void* row, std::int64_t columns,
                                    const SoftmaxScale& scale, Partial& shared) {
  SoftmaxSum wide;
  long long larger = 0;
  for (std::int64_t i = threadIdx.x; i < columns; i += blockDim.x) {
    const double x = stored_number<Source>(row, i);
    larger += x > scale.target;
    add_wide(scale.capped(x), scale.temperature, wide);
  }
  wide = merged_wide(wide, scale.temperature, shared);
  larger = merged_count(larger, shared);
  return row_sums({}, wide, larger);
}

}  // namespace icfast::cuda
