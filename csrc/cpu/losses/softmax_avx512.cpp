// The sweep with AVX-512: 16 logits a vector.
#include <immintrin.h>

#include "softmax_loop.hpp"

namespace icfast {
namespace {

struct Simd {
  using Vec = __m512;
  using Half = __m512d;
  using Count = std::int64_t;
  static constexpr std::int64_t kLanes = 16;

  static Vec all(float x) { return _mm512_set1_ps(x); }
  static Half all_wide(double x) { return _mm512_set1_pd(x); }

  static void load(const Fp32* from, Vec& a, Vec& b) {
    a = _mm512_loadu_ps(from);
    b = _mm512_loadu_ps(from + kLanes);
  }

  static void load(const Bf16* from, Vec& a, Vec& b) {
    const __m512i both = _mm512_loadu_si512(from);
    a = _mm512_castsi512_ps(_mm512_slli_epi32(both, 16));
    b = _mm512_castsi512_ps(_mm512_and_si512(both, _mm512_set1_epi32(-65536)));
  }

  static void load(const Fp16* from, Vec& a, Vec& b) {
    a = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from)));
    b = _mm512_cvtph_ps(_mm256_loadu_si256(reinterpret_cast<const __m256i*>(from + kLanes)));
  }

  static Vec scaled(Vec x, Vec c, Vec k) { return _mm512_fmsub_ps(x, c, k); }
  static Vec fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
  static Half fma_wide(Half a, Half b, Half c) { return _mm512_fmadd_pd(a, b, c); }
  static Vec max(Vec a, Vec b) { return _mm512_max_ps(a, b); }

  /// p(t - floor(t)) 2^floor(t): VREDUCE takes the fraction, also of -inf; VSCALEF floors itself.
  static Vec exp2(Vec t) {
    const Vec f = _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    Vec p = all(kExp2Fp32[5]);
    for (int i = 4; i >= 0; --i) p = fma(p, f, all(kExp2Fp32[i]));
    return _mm512_scalef_ps(p, t);
  }

  static bool any_above(Vec x, float bound) {
    return _mm512_cmp_ps_mask(x, all(bound), _CMP_GT_OQ) != 0;
  }
  static void count_above(Count& count, Vec x, Vec bound) {
    count += __builtin_popcount(_mm512_cmp_ps_mask(x, bound, _CMP_GT_OQ));
  }
  static std::int64_t total(Count count) { return count; }
  static double total(Half x) { return _mm512_reduce_add_pd(x); }
  static float largest(Vec x) { return _mm512_reduce_max_ps(x); }

  static Half low(Vec x) { return _mm512_cvtps_pd(_mm512_castps512_ps256(x)); }
  static Half high(Vec x) { return _mm512_cvtps_pd(_mm512_extractf32x8_ps(x, 1)); }
  static Vec join(Half low, Half high) {
    return _mm512_insertf32x8(_mm512_castps256_ps512(_mm512_cvtpd_ps(low)), _mm512_cvtpd_ps(high),
                              1);
  }
  /// t, but x where that is infinite.
  static Vec unless_infinite(Vec x, Vec t) {
    return _mm512_mask_mov_ps(t, _mm512_fpclass_ps_mask(x, 0x18), x);
  }
  static Half floor(Half x) { return _mm512_floor_pd(x); }
  static Half clamp(Half x, Half low, Half high) {
    return _mm512_min_pd(high, _mm512_max_pd(low, x));
  }
  static Half scale(Half p, Half n) { return _mm512_scalef_pd(p, n); }
};

}  // namespace

Sweep sweep_avx512(const SweepKind& kind) { return table<Simd>(kind); }

}  // namespace icfast
