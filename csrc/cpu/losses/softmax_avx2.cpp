// The sweep with AVX2, FMA and F16C: 8 logits a vector.
#include <immintrin.h>

#include "softmax_loop.hpp"

namespace icfast {
namespace {

struct Simd {
  using Vec = __m256;
  using Half = __m256d;
  using Count = std::int64_t;
  static constexpr std::int64_t kLanes = 8;

  static Vec all(float x) { return _mm256_set1_ps(x); }
  static Half all_wide(double x) { return _mm256_set1_pd(x); }

  static void load(const Fp32* from, Vec& a, Vec& b) {
    a = _mm256_loadu_ps(reinterpret_cast<const float*>(from));
    b = _mm256_loadu_ps(reinterpret_cast<const float*>(from + kLanes));
  }

  static void load(const Bf16* from, Vec& a, Vec& b) {
    const __m256i both = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    a = _mm256_castsi256_ps(_mm256_slli_epi32(both, 16));
    b = _mm256_castsi256_ps(_mm256_and_si256(both, _mm256_set1_epi32(-65536)));
  }

  static void load(const Fp16* from, Vec& a, Vec& b) {
    a = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    b = _mm256_cvtph_ps(_mm_loadu_si128(reinterpret_cast<const __m128i*>(from + kLanes)));
  }

  static Vec scaled(Vec x, Vec c, Vec k) { return _mm256_fmsub_ps(x, c, k); }
  static Vec fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
  static Half fma_wide(Half a, Half b, Half c) { return _mm256_fmadd_pd(a, b, c); }
  static Vec max(Vec a, Vec b) { return _mm256_max_ps(a, b); }

  static Vec exp2(Vec t) {
    // Exponents of 0 and of infinity at the ends; NaN stays.
    const Vec bounded = _mm256_min_ps(all(128), _mm256_max_ps(all(-127), t));
    const Vec whole = _mm256_floor_ps(bounded);
    const Vec f = bounded - whole;
    Vec p = all(kExp2Fp32[5]);
    for (int i = 4; i >= 0; --i) p = fma(p, f, all(kExp2Fp32[i]));
    const __m256i exponent =
        _mm256_slli_epi32(_mm256_add_epi32(_mm256_cvtps_epi32(whole), _mm256_set1_epi32(127)), 23);
    return p * _mm256_castsi256_ps(exponent);
  }

  static bool any_above(Vec x, float bound) {
    return _mm256_movemask_ps(_mm256_cmp_ps(x, all(bound), _CMP_GT_OQ)) != 0;
  }
  static void count_above(Count& count, Vec x, Vec bound) {
    count += __builtin_popcount(
        static_cast<unsigned>(_mm256_movemask_ps(_mm256_cmp_ps(x, bound, _CMP_GT_OQ))));
  }
  static std::int64_t total(Count count) { return count; }
  static double total(Half x) { return (x[0] + x[2]) + (x[1] + x[3]); }
  static float largest(Vec x) {
    const __m128 four = _mm_max_ps(_mm256_castps256_ps128(x), _mm256_extractf128_ps(x, 1));
    const __m128 two = _mm_max_ps(four, _mm_movehl_ps(four, four));
    return _mm_cvtss_f32(_mm_max_ps(two, _mm_movehdup_ps(two)));
  }

  static Half low(Vec x) { return _mm256_cvtps_pd(_mm256_castps256_ps128(x)); }
  static Half high(Vec x) { return _mm256_cvtps_pd(_mm256_extractf128_ps(x, 1)); }
  static Vec join(Half low, Half high) {
    return _mm256_insertf128_ps(_mm256_castps128_ps256(_mm256_cvtpd_ps(low)), _mm256_cvtpd_ps(high),
                                1);
  }
  /// t, but x where that is infinite.
  static Vec unless_infinite(Vec x, Vec t) {
    const Vec size = _mm256_andnot_ps(all(-0.0F), x);
    return _mm256_blendv_ps(t, x, _mm256_cmp_ps(size, all(kInf), _CMP_EQ_OQ));
  }
  static Half floor(Half x) { return _mm256_floor_pd(x); }
  static Half clamp(Half x, Half low, Half high) {
    return _mm256_min_pd(high, _mm256_max_pd(low, x));
  }
  static Half scale(Half p, Half n) {
    // Adding 1.5 2^52 leaves n in the low bits.
    const __m256i bits = _mm256_castpd_si256(n + all_wide(0x1.8p52 + 1023));
    return p * _mm256_castsi256_pd(_mm256_slli_epi64(bits, 52));
  }
};

}  // namespace

Sweep sweep_avx2(const SweepKind& kind) { return table<Simd>(kind); }

}  // namespace icfast
