// The sweep with NEON: 4 logits a vector.
#include <arm_neon.h>

#include "softmax_loop.hpp"

namespace icfast {
namespace {

struct Simd {
  using Vec = float32x4_t;
  using Half = float64x2_t;
  using Count = uint32x4_t;
  static constexpr std::int64_t kLanes = 4;

  static Vec all(float x) { return vdupq_n_f32(x); }
  static Half all_wide(double x) { return vdupq_n_f64(x); }

  static void load(const Fp32* from, Vec& a, Vec& b) {
    __builtin_memcpy(&a, from, sizeof a);
    __builtin_memcpy(&b, from + kLanes, sizeof b);
  }

  static void load(const Bf16* from, Vec& a, Vec& b) {
    uint32x4_t both;
    __builtin_memcpy(&both, from, sizeof both);
    a = vreinterpretq_f32_u32(vshlq_n_u32(both, 16));
    b = vreinterpretq_f32_u32(vandq_u32(both, vdupq_n_u32(0xffff0000)));
  }

  static void load(const Fp16* from, Vec& a, Vec& b) {
    float16x8_t both;
    __builtin_memcpy(&both, from, sizeof both);
    a = vcvt_f32_f16(vget_low_f16(both));
    b = vcvt_high_f32_f16(both);
  }

  static Vec scaled(Vec x, Vec c, Vec k) { return vfmaq_f32(-k, x, c); }
  static Vec fma(Vec a, Vec b, Vec c) { return vfmaq_f32(c, a, b); }
  static Half fma_wide(Half a, Half b, Half c) { return vfmaq_f64(c, a, b); }
  static Vec max(Vec a, Vec b) { return vbslq_f32(vcgtq_f32(a, b), a, b); }
  static Vec min(Vec a, Vec b) { return vbslq_f32(vcltq_f32(a, b), a, b); }

  static Vec exp2(Vec t) {
    // Exponents of 0 and of infinity at the ends; NaN stays.
    const Vec bounded = min(all(128), max(all(-127), t));
    const Vec whole = vrndmq_f32(bounded);
    const Vec f = bounded - whole;
    Vec p = all(kExp2Fp32[5]);
    for (int i = 4; i >= 0; --i) p = fma(p, f, all(kExp2Fp32[i]));
    const int32x4_t exponent = vshlq_n_s32(vcvtq_s32_f32(whole) + vdupq_n_s32(127), 23);
    return p * vreinterpretq_f32_s32(exponent);
  }

  static bool any_above(Vec x, float bound) { return vmaxvq_u32(vcgtq_f32(x, all(bound))) != 0; }
  static void count_above(Count& count, Vec x, Vec bound) { count -= vcgtq_f32(x, bound); }
  static std::int64_t total(Count count) { return vaddvq_u32(count); }
  static double total(Half x) { return vaddvq_f64(x); }
  static float largest(Vec x) { return vmaxvq_f32(x); }

  static Half low(Vec x) { return vcvt_f64_f32(vget_low_f32(x)); }
  static Half high(Vec x) { return vcvt_high_f64_f32(x); }
  static Vec join(Half low, Half high) { return vcvt_high_f32_f64(vcvt_f32_f64(low), high); }
  /// t, but x where that is infinite.
  static Vec unless_infinite(Vec x, Vec t) {
    return vbslq_f32(vceqq_f32(vabsq_f32(x), all(kInf)), x, t);
  }
  static Half floor(Half x) { return vrndmq_f64(x); }
  static Half clamp(Half x, Half low, Half high) { return vminq_f64(high, vmaxq_f64(low, x)); }
  static Half scale(Half p, Half n) {
    const int64x2_t exponent = vshlq_n_s64(vcvtq_s64_f64(n) + vdupq_n_s64(1023), 52);
    return p * vreinterpretq_f64_s64(exponent);
  }
};

}  // namespace

Sweep sweep_neon(const SweepKind& kind) { return table<Simd>(kind); }

}  // namespace icfast
