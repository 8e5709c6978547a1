// Distribution of a row over threads. It depends only on the number of columns and on addresses, so
// a row has the same bits in every batch. This file needs no CUDA headers.
#pragma once
#include <cstdint>

#include "icfast/losses.hpp"

#if defined(__CUDA_ARCH__)
#define ICFAST_UNROLL _Pragma("unroll")
#else
#define ICFAST_UNROLL
#endif

namespace icfast::cuda {

constexpr int kVectorBytes = 16;  // size of a load
constexpr int kVectorWords = 4;
constexpr int kVectorsAtOnce = 4;  // loads of a thread that are in flight together
constexpr int kWarp = 32;
constexpr int kMostThreads = 256;

ICFAST_HOST_DEVICE constexpr std::int64_t bytes_of(Format format) {
  return format == Format::fp64 ? 8 : format == Format::fp32 ? 4 : 2;
}

/// Number of threads of a block, which computes one row: at least a warp, at most one per vector.
ICFAST_HOST_DEVICE constexpr int threads_of(std::int64_t columns, Format format) {
  const std::int64_t vectors = (columns * bytes_of(format) + kVectorBytes - 1) / kVectorBytes;
  int threads = kWarp;
  while (threads < kMostThreads && threads * kVectorsAtOnce < vectors) threads *= 2;
  return threads;
}

/// Division of a row into vectors from its first logit on, at any address. The alignment of the
/// address changes how a vector is loaded, not the logits that it holds.
struct RowVectors {
  std::int64_t count;  // number of vectors; the last may be partly filled
  int offset;          // bytes from a multiple of 16 to the row's start
  std::int64_t first;  // vectors [first, last) load without touching bytes outside the row
  std::int64_t last;

  ICFAST_HOST_DEVICE static RowVectors of(std::uintptr_t address, std::int64_t columns,
                                          Format format) {
    const std::int64_t bytes = columns * bytes_of(format);
    RowVectors row{(bytes + kVectorBytes - 1) / kVectorBytes,
                   static_cast<int>(address % kVectorBytes), 0, bytes / kVectorBytes};
    if (row.offset != 0) {  // a vector spans loads i and i + 1
      row.first = 1;
      row.last = (row.offset + bytes) / kVectorBytes - 1;
      if (row.last < row.first) row.last = row.first;
    }
    return row;
  }
};

/// Returns four words that start at byte `offset` of eight words.
ICFAST_HOST_DEVICE inline void align_words(const std::uint32_t (&from)[2 * kVectorWords],
                                           int offset, std::uint32_t (&words)[kVectorWords]) {
  std::uint32_t moved[kVectorWords + 2];
  const bool two = (offset & 8) != 0;
  ICFAST_UNROLL
  for (int i = 0; i < kVectorWords + 2; ++i) moved[i] = two ? from[i + 2] : from[i];
  const bool one = (offset & 4) != 0;
  ICFAST_UNROLL
  for (int i = 0; i < kVectorWords + 1; ++i) moved[i] = one ? moved[i + 1] : moved[i];
  const int bits = 8 * (offset & 3);
  ICFAST_UNROLL
  for (int i = 0; i < kVectorWords; ++i) {
#if defined(__CUDA_ARCH__)
    words[i] = __funnelshift_r(moved[i], moved[i + 1], bits);
#else
    const std::uint64_t both = moved[i] | std::uint64_t{moved[i + 1]} << 32;
    words[i] = static_cast<std::uint32_t>(both >> bits);
#endif
  }
}

/// Returns 2^n in fp64 for an integer n; 0 below the normal numbers.
ICFAST_HOST_DEVICE inline double power_of_two(double n) {
  if (!(n >= -1022)) return 0;
  const std::uint64_t bits = static_cast<std::uint64_t>(static_cast<std::int64_t>(n) + 1023) << 52;
  double power;
#if defined(__CUDA_ARCH__)
  power = __longlong_as_double(static_cast<long long>(bits));
#else
  __builtin_memcpy(&power, &bits, sizeof power);
#endif
  return power;
}

}  // namespace icfast::cuda
