// How rows are laid over threads: functions of the number of columns and of addresses alone, so
// that a row's bits are its own, whatever batch it stands in. Without CUDA's headers.
#pragma once
#include <cstdint>

#include "icfast/losses.hpp"

#if defined(__CUDA_ARCH__)
#define ICFAST_UNROLL _Pragma("unroll")
#else
#define ICFAST_UNROLL
#endif

namespace icfast::cuda {

constexpr int kVectorBytes = 16;  // of a load
constexpr int kVectorWords = 4;
constexpr int kVectorsAtOnce = 4;  // loads of a thread under way together
constexpr int kWarp = 32;
constexpr int kMostThreads = 256;

ICFAST_HOST_DEVICE constexpr std::int64_t bytes_of(Format format) {
  return format == Format::fp64 ? 8 : format == Format::fp32 ? 4 : 2;
}

/// Threads of a row, one row a block of them: each has a vector or more, as long as one warp does.
ICFAST_HOST_DEVICE constexpr int threads_of(std::int64_t columns, Format format) {
  const std::int64_t vectors = (columns * bytes_of(format) + kVectorBytes - 1) / kVectorBytes;
  int threads = kWarp;
  while (threads < kMostThreads && threads * kVectorsAtOnce < vectors) threads *= 2;
  return threads;
}

/// A row cut into vectors from its first logit on, wherever that lies. What an address leaves over
/// of 16 bytes changes how a vector is loaded, not which logits it has.
struct RowVectors {
  std::int64_t count;  // the last one may be partly filled
  int offset;          // bytes from a multiple of 16 to the row
  std::int64_t first;  // vectors [first, last) can be loaded whole: each byte touched is the row's
  std::int64_t last;

  ICFAST_HOST_DEVICE static RowVectors of(std::uintptr_t address, std::int64_t columns,
                                          Format format) {
    const std::int64_t bytes = columns * bytes_of(format);
    RowVectors row{(bytes + kVectorBytes - 1) / kVectorBytes,
                   static_cast<int>(address % kVectorBytes), 0, bytes / kVectorBytes};
    if (row.offset != 0) {  // a vector lies in two of the loads, i and i + 1
      row.first = 1;
      row.last = (row.offset + bytes) / kVectorBytes - 1;
      if (row.last < row.first) row.last = row.first;
    }
    return row;
  }
};

/// words[0..4) from byte `offset` on of eight of them.
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

/// 2^n of a whole number in fp64; 0 below its normal numbers.
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
