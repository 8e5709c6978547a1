// What sweeps have in common: the choice of one, single numbers, and blocks added in fp64.
#include "softmax.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace icfast {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr std::int64_t kBlock = 1024;

template <class To, class From>
To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From));
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

double of_fp16(std::uint32_t bits) {
  const std::uint32_t exponent = bits >> 10 & 31;
  const std::uint32_t fraction = bits & 0x3ff;
  double size = std::ldexp(exponent == 0 ? fraction : fraction | 0x400,
                           exponent == 0 ? -24 : static_cast<int>(exponent) - 25);
  if (exponent == 31) size = fraction == 0 ? kInf : kNaN;
  return bits >> 15 ? -size : size;
}

template <Format kFormat>
double number(const void* numbers, std::int64_t index) {
  if constexpr (kFormat == Format::fp64) return static_cast<const double*>(numbers)[index];
  if constexpr (kFormat == Format::fp32) return double{static_cast<const float*>(numbers)[index]};
  const std::uint32_t bits = static_cast<const std::uint16_t*>(numbers)[index];
  if constexpr (kFormat == Format::fp16) return of_fp16(bits);
  return double{bits_as<float>(bits << 16)};
}

/// At most kBlock logits in fp64. The comparisons leave NaN out; the sum does not.
SoftmaxSum wide_block(double* x, std::int64_t size, const SoftmaxScale& scale) {
  double top = -kInf;
  bool defined = true;
  for (std::int64_t i = 0; i < size; ++i) {
    x[i] = scale.capped(x[i]);
    top = x[i] > top ? x[i] : top;
    defined &= x[i] < kInf;
  }
  if (!defined) return {0, kNaN, kNaN};
  SoftmaxSum sums{top == -kInf ? 0 : top, 0, 0};
  for (std::int64_t i = 0; i < size; ++i) {
    const double z = (x[i] - sums.reference) / scale.temperature;
    const double p = std::exp(z);
    sums.sum += p;
    if (p != 0) sums.weighted += p * z;
  }
  return sums;
}

template <Format kFormat>
void sweep_wide(const void* logits, std::int64_t size, const SoftmaxScale& scale, RowSums& sums) {
  double block[kBlock];
  for (std::int64_t at = 0; at < size; at += kBlock) {
    const std::int64_t part = std::min(kBlock, size - at);
    for (std::int64_t i = 0; i < part; ++i) {
      block[i] = number<kFormat>(logits, at + i);
      sums.larger += block[i] > scale.target;
    }
    sums.wide.merge(wide_block(block, part, scale), scale.temperature);
  }
}

}  // namespace

double decoded(const void* numbers, Format format, std::int64_t index) {
  switch (format) {
    case Format::fp32:
      return number<Format::fp32>(numbers, index);
    case Format::bf16:
      return number<Format::bf16>(numbers, index);
    case Format::fp16:
      return number<Format::fp16>(numbers, index);
    case Format::fp64:
      break;
  }
  return number<Format::fp64>(numbers, index);
}

Sweep wide_sweep(Format format) {
  switch (format) {
    case Format::fp32:
      return &sweep_wide<Format::fp32>;
    case Format::bf16:
      return &sweep_wide<Format::bf16>;
    case Format::fp16:
      return &sweep_wide<Format::fp16>;
    case Format::fp64:
      break;
  }
  return &sweep_wide<Format::fp64>;
}

Sweep sweep_of(const SweepKind& kind, Isa isa) {
  switch (isa) {
#if defined(ICFAST_AVX512)
    case Isa::amx:
    case Isa::avx512:
      return sweep_avx512(kind);
#endif
#if defined(ICFAST_AVX2)
    case Isa::avx2:
      return sweep_avx2(kind);
#endif
#if defined(ICFAST_NEON)
    case Isa::neon:
      return sweep_neon(kind);
#endif
    default:
      return sweep_portable(kind);
  }
}

Sweep sweep_of(const SweepKind& kind) { return sweep_of(kind, isa()); }

}  // namespace icfast
