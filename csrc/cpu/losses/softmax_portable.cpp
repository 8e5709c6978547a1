// The sweep for any machine: 4 logits a vector of the compiler's own.
#include "softmax_loop.hpp"

namespace icfast {
namespace {

struct Simd {
  using Vec = float __attribute__((vector_size(16)));
  using Half = double __attribute__((vector_size(16)));
  using Ints = std::int32_t __attribute__((vector_size(16)));
  using Bits = std::uint32_t __attribute__((vector_size(16)));
  using Longs = std::int64_t __attribute__((vector_size(16)));
  using Count = Ints;
  static constexpr std::int64_t kLanes = 4;

  static Vec all(float x) { return Vec{x, x, x, x}; }
  static Half all_wide(double x) { return Half{x, x}; }
  static Bits all_bits(std::uint32_t x) { return Bits{x, x, x, x}; }

  static void load(const Fp32* from, Vec& a, Vec& b) {
    __builtin_memcpy(&a, from, sizeof a);
    __builtin_memcpy(&b, from + kLanes, sizeof b);
  }

  static void load(const Bf16* from, Vec& a, Vec& b) {
    Bits both;
    __builtin_memcpy(&both, from, sizeof both);
    a = reinterpret_cast<Vec>(both << 16);
    b = reinterpret_cast<Vec>(both & 0xffff0000);
  }

  static void load(const Fp16* from, Vec& a, Vec& b) {
    Bits both;
    __builtin_memcpy(&both, from, sizeof both);
    a = of_fp16(both & 0xffff);
    b = of_fp16(both >> 16);
  }

  /// Exponent and fraction where fp32 has them, 2^112 too small; infinity and NaN come out as 2^16
  /// and more.
  static Vec of_fp16(Bits half) {
    const Vec size = reinterpret_cast<Vec>((half & 0x7fff) << 13) * 0x1p112F;
    const Bits beyond = reinterpret_cast<Bits>(size >= 65536.0F) & 0x7f800000;
    return reinterpret_cast<Vec>(reinterpret_cast<Bits>(size) | beyond | (half & 0x8000) << 16);
  }

  /// The product of two fp32 is exact in fp64.
  static Vec scaled(Vec x, Vec c, Vec k) {
    return join(low(x) * low(c) - low(k), high(x) * high(c) - high(k));
  }
  static Vec fma(Vec a, Vec b, Vec c) { return a * b + c; }
  static Half fma_wide(Half a, Half b, Half c) { return a * b + c; }
  static Vec max(Vec a, Vec b) { return a > b ? a : b; }
  static Vec min(Vec a, Vec b) { return a < b ? a : b; }

  static Vec exp2(Vec t) {
    // Exponents of 0 and of infinity at the ends; NaN stays.
    const Vec bounded = min(all(128), max(all(-127), t));
    const Ints towards_zero = __builtin_convertvector(bounded, Ints);
    const Ints whole = towards_zero + (__builtin_convertvector(towards_zero, Vec) > bounded);
    const Vec f = bounded - __builtin_convertvector(whole, Vec);
    Vec p = all(kExp2Fp32[5]);
    for (int i = 4; i >= 0; --i) p = fma(p, f, all(kExp2Fp32[i]));
    return p * reinterpret_cast<Vec>((whole + 127) << 23);
  }

  static bool any_above(Vec x, float bound) {
    const Ints above = x > bound;
    return (above[0] | above[1] | above[2] | above[3]) != 0;
  }
  static void count_above(Count& count, Vec x, Vec bound) { count -= x > bound; }
  static std::int64_t total(Count count) {
    return std::int64_t{count[0]} + count[1] + count[2] + count[3];
  }
  static double total(Half x) { return x[0] + x[1]; }
  static float largest(Vec x) {
    const Vec two = max(x, Vec{x[2], x[3], x[2], x[3]});
    return two[0] > two[1] ? two[0] : two[1];
  }

  static Half low(Vec x) { return Half{double{x[0]}, double{x[1]}}; }
  static Half high(Vec x) { return Half{double{x[2]}, double{x[3]}}; }
  static Vec join(Half low, Half high) {
    return Vec{static_cast<float>(low[0]), static_cast<float>(low[1]), static_cast<float>(high[0]),
               static_cast<float>(high[1])};
  }
  /// t, but x where that is infinite.
  static Vec unless_infinite(Vec x, Vec t) {
    const Ints infinite = (reinterpret_cast<Ints>(x) & 0x7fffffff) == 0x7f800000;
    return infinite ? x : t;
  }
  static Half floor(Half x) {
    const Longs towards_zero = __builtin_convertvector(x, Longs);
    return __builtin_convertvector(towards_zero + (__builtin_convertvector(towards_zero, Half) > x),
                                   Half);
  }
  static Half clamp(Half x, Half low, Half high) {
    const Half above = x < low ? low : x;  // NaN stays
    return above > high ? high : above;
  }
  static Half scale(Half p, Half n) {
    return p * reinterpret_cast<Half>((__builtin_convertvector(n, Longs) + 1023) << 52);
  }
};

}  // namespace

Sweep sweep_portable(const SweepKind& kind) { return table<Simd>(kind); }

}  // namespace icfast
