// One thread's part of a row of logits, and the merge of parts into the row's sums. It compiles for
// the device and for the host, where tests run the threads of a row one after another.
//
// Like the CPU's sweep it keeps (k, s) with t = fma(x, c, -k), and raises k if t would exceed 8.
// Each thread has its own k. Consumer devices are slow in fp64, so a sum is two fp32 numbers, the
// second of which collects rounding errors. Numbers outside the range of fp32 (logits of millions,
// +inf) are added separately in fp64.
#pragma once
#include <cmath>
#include <cstdint>

#include "geometry.hpp"
#include "icfast/tokens.hpp"

namespace icfast::cuda {

#if defined(__CUDA_ARCH__)
#define ICFAST_RARE __noinline__
#else
#define ICFAST_RARE
#endif

ICFAST_HOST_DEVICE inline float float_of(std::uint32_t bits) {
  float number;
#if defined(__CUDA_ARCH__)
  number = __uint_as_float(bits);
#else
  __builtin_memcpy(&number, &bits, sizeof number);
#endif
  return number;
}

ICFAST_HOST_DEVICE inline std::uint32_t bits_of(float number) {
  std::uint32_t bits;
#if defined(__CUDA_ARCH__)
  bits = __float_as_uint(number);
#else
  __builtin_memcpy(&bits, &number, sizeof bits);
#endif
  return bits;
}

/// Returns 2^t for t <= 9; 0 for -inf, NaN for NaN. The device's instruction has an error of at
/// most 2 units in the last place, 2.4e-7 of a sum or of a loss in nats: an eighth of the budget.
ICFAST_HOST_DEVICE inline float exp2_of(float t) {
#if defined(__CUDA_ARCH__)
  float power;
  asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(power) : "f"(t));
  return power;
#else
  return std::exp2(t);
#endif
}

/// A storage format: a vector of four words has kPer elements; element(words, e) reads one.
struct Fp32 {
  using Stored = std::uint32_t;
  static constexpr Format kFormat = Format::fp32;
  static constexpr int kPer = 4;
  static constexpr std::uint32_t kLowest = 0xff800000;  // -inf
  ICFAST_HOST_DEVICE static float number(std::uint32_t bits) { return float_of(bits); }
};
struct Bf16 {
  using Stored = std::uint16_t;
  static constexpr Format kFormat = Format::bf16;
  static constexpr int kPer = 8;
  static constexpr std::uint32_t kLowest = 0xff80;
  ICFAST_HOST_DEVICE static float number(std::uint32_t bits) { return float_of(bits << 16); }
};
struct Fp16 {
  using Stored = std::uint16_t;
  static constexpr Format kFormat = Format::fp16;
  static constexpr int kPer = 8;
  static constexpr std::uint32_t kLowest = 0xfc00;
  ICFAST_HOST_DEVICE static float number(std::uint32_t bits) {
#if defined(__CUDA_ARCH__)
    float wide;
    asm("cvt.f32.f16 %0, %1;" : "=f"(wide) : "h"(static_cast<std::uint16_t>(bits)));
    return wide;
#else
    // Move exponent and fraction to their places in fp32, which gives a number 2^112 too small.
    // Infinity and NaN become 2^16 and more.
    const float size = float_of((bits & 0x7fff) << 13) * 0x1p112F;
    const std::uint32_t beyond = size >= 65536.0F ? 0x7f800000 : 0;
    return float_of(bits_of(size) | beyond | (bits & 0x8000) << 16);
#endif
  }
};
struct Fp64 {
  using Stored = std::uint64_t;
  static constexpr Format kFormat = Format::fp64;
};

template <class Source>
ICFAST_HOST_DEVICE float element(const std::uint32_t (&words)[kVectorWords], int e) {
  if constexpr (Source::kPer == kVectorWords) return Source::number(words[e]);
  return Source::number(e % 2 == 0 ? words[e / 2] & 0xffff : words[e / 2] >> 16);
}

/// Returns one stored number exactly.
template <class Source>
ICFAST_HOST_DEVICE double stored_number(const void* row, std::int64_t index) {
  const auto bits = static_cast<const typename Source::Stored*>(row)[index];
  if constexpr (Source::kFormat == Format::fp64) {
#if defined(__CUDA_ARCH__)
    return __longlong_as_double(static_cast<long long>(bits));
#else
    double number;
    __builtin_memcpy(&number, &bits, sizeof number);
    return number;
#endif
  } else {
    return static_cast<double>(Source::number(bits));
  }
}

/// A sum in fp32 with the rounding errors of its additions, exact as long as these fit in fp32.
struct PairSum {
  float high = 0;
  float low = 0;

  ICFAST_HOST_DEVICE void add(float term) {
    const float sum = high + term;
    const float part = sum - high;
    low += (high - (sum - part)) + (term - part);
    high = sum;
  }
  ICFAST_HOST_DEVICE double value() const {
    return static_cast<double>(high) + static_cast<double>(low);
  }
  ICFAST_HOST_DEVICE static PairSum of(double value) {
    const auto high = static_cast<float>(value);
    return {high, static_cast<float>(value - static_cast<double>(high))};
  }
};

/// Returns one capped logit in fp64.
ICFAST_HOST_DEVICE ICFAST_RARE inline void add_wide(double logit, double temperature,
                                                    SoftmaxSum& sums) {
  if (logit == -kInfinite) return;
  if (logit < kInfinite) {
    sums.merge({logit, 1, 0}, temperature);
  } else {
    sums = {0, kNotANumber, kNotANumber};
  }
}

/// Evaluates kExp2Fp64 from power I on; a device reads constant arrays only at constant indices.
template <int I>
ICFAST_HOST_DEVICE double exp2_part(double f) {
  constexpr double kFactor = kExp2Fp64[I];
  if constexpr (I + 1 == sizeof kExp2Fp64 / sizeof(double)) {
    return kFactor;
  } else {
    return std::fma(exp2_part<I + 1>(f), f, kFactor);
  }
}

/// Returns t of a capped logit, c cap tanh(x / cap) - k. It computes in fp64, because fp32 cannot
/// hold the differences of the largest logits; tanh(u) = 1 - 2 / (e^2u + 1).
ICFAST_HOST_DEVICE inline float capped_t(float x, double slope, double cap, double k) {
  double u = static_cast<double>(x) * slope;
  u = u < -64 ? -64 : u > 64 ? 64 : u;  // NaN stays NaN
  const double whole = std::floor(u);
  const double f = u - whole;
  const double p = exp2_part<0>(f) * power_of_two(whole);
  const auto t = static_cast<float>(cap * (1 - 2 / (1 + p)) - k);
  return std::isinf(x) ? x : t;
}

/// Sums of a thread's vectors.
template <class Source, bool kCapped, bool kExtras>
class ThreadSweep {
 public:
  ICFAST_HOST_DEVICE explicit ThreadSweep(const SoftmaxScale& scale) : scale_(scale) {}

  ICFAST_HOST_DEVICE void add(const std::uint32_t (&words)[kVectorWords]) {
    float top = -INFINITY;
    ICFAST_UNROLL
    for (int e = 0; e < Source::kPer; ++e) top = std::fmax(top, element<Source>(words, e));
    if (is_above(top) && !raise(top)) return add_vector_wide(words);
    float sum[2] = {0, 0};
    float weighted[2] = {0, 0};
    ICFAST_UNROLL
    for (int e = 0; e < Source::kPer; ++e) {
      const float x = element<Source>(words, e);
      const float t = t_of(x);
      const float p = exp2_of(t);
      sum[e % 2] += p;
      if constexpr (kExtras) {
        // If p is 0, t may be -inf.
        weighted[e % 2] = std::fma(p, std::fmax(t, -127.0F), weighted[e % 2]);
        larger_ += x > static_cast<float>(scale_.target);
      }
    }
    sum_.add(sum[0] + sum[1]);
    if constexpr (kExtras) weighted_.add(weighted[0] + weighted[1]);
  }

  ICFAST_HOST_DEVICE float k() const { return k_; }
  ICFAST_HOST_DEVICE int larger() const { return larger_; }
  ICFAST_HOST_DEVICE const SoftmaxSum& wide() const { return wide_; }

  /// Returns the sums relative to a reference of at least k().
  ICFAST_HOST_DEVICE PowerSum to(float reference) const {
    const double gap = static_cast<double>(k_) - static_cast<double>(reference);
    const double scale = power_of_two(gap);
    return {static_cast<double>(reference), sum_.value() * scale,
            kExtras ? (weighted_.value() + sum_.value() * gap) * scale : 0};
  }

 private:
  ICFAST_HOST_DEVICE bool is_above(float top) const {
    if (k_ == static_cast<float>(PowerSum::kNone)) return top > -INFINITY;
    const double x = kCapped ? scale_.capped(static_cast<double>(top)) : 0;
    const float t =
        kCapped ? static_cast<float>(static_cast<double>(scale_.c) * x) : top * scale_.c;
    return t > k_ + 8;
  }

  /// Sets k to a logit; returns false if the logit is outside the range of fp32.
  ICFAST_HOST_DEVICE bool raise(float top) {
    const double t = static_cast<double>(scale_.c) * scale_.capped(static_cast<double>(top));
    if (!(t >= -PowerSum::kLargest && t <= PowerSum::kLargest)) return false;
    const auto k = static_cast<float>(std::rint(t));
    const PowerSum moved = to(k);
    sum_ = PairSum::of(moved.sum);
    weighted_ = PairSum::of(moved.weighted);
    k_ = k;
    return true;
  }

  ICFAST_HOST_DEVICE void add_vector_wide(const std::uint32_t (&words)[kVectorWords]) {
    ICFAST_UNROLL
    for (int e = 0; e < Source::kPer; ++e) {
      const auto x = static_cast<double>(element<Source>(words, e));
      if constexpr (kExtras) larger_ += x > scale_.target;
      add_wide(scale_.capped(x), scale_.temperature, wide_);
    }
  }

  ICFAST_HOST_DEVICE float t_of(float x) const {
    if constexpr (kCapped) {
      return capped_t(x, 2 * kLog2E / scale_.softcap,
                      static_cast<double>(scale_.c) * scale_.softcap, static_cast<double>(k_));
    }
    return std::fma(x, scale_.c, -k_);
  }

  const SoftmaxScale& scale_;
  float k_ = static_cast<float>(PowerSum::kNone);
  PairSum sum_;
  PairSum weighted_;
  int larger_ = 0;
  SoftmaxSum wide_;
};

/// Returns a row's sums from those of its threads, which have one reference.
ICFAST_HOST_DEVICE inline RowSums row_sums(const PowerSum& fast, const SoftmaxSum& wide,
                                           std::int64_t larger) {
  RowSums sums{fast, wide, larger};
  if (!(fast.sum == fast.sum)) sums.wide = {0, kNotANumber, kNotANumber};
  return sums;
}

}  // namespace icfast::cuda
