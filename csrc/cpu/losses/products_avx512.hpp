// Vectors of AVX-512 for products; with and without the instruction for pairs of bf16.
#pragma once
#include <immintrin.h>

#include "products_tile.hpp"

namespace icfast {
namespace {

struct Avx512 {
  using Number = float;
  using Vector = __m512;
  static constexpr int kLanes = 16;
  static constexpr bool kPairs = false;

  static Vector zero() { return _mm512_setzero_ps(); }
  static Vector load(const float* from) { return _mm512_loadu_ps(from); }
  static void store(float* to, Vector v) { _mm512_storeu_ps(to, v); }
  static Vector all(const float* from) { return _mm512_set1_ps(*from); }
  static Vector add(Vector a, Vector b) { return _mm512_add_ps(a, b); }
  static Vector add_product(Vector sum, Vector a, Vector b) { return _mm512_fmadd_ps(a, b, sum); }

  /// 16 x 16: pairs of rows, then fours, then the four parts of 128 bits of each.
  static void transpose(const float* from, std::int64_t from_stride, float* to,
                        std::int64_t to_stride) {
    __m512 row[16];
    __m512 four[16];
#pragma GCC unroll 16
    for (int i = 0; i < 16; ++i) row[i] = load(from + i * from_stride);
#pragma GCC unroll 4
    for (int i = 0; i < 16; i += 4) {
      const __m512d low01 = _mm512_castps_pd(_mm512_unpacklo_ps(row[i], row[i + 1]));
      const __m512d high01 = _mm512_castps_pd(_mm512_unpackhi_ps(row[i], row[i + 1]));
      const __m512d low23 = _mm512_castps_pd(_mm512_unpacklo_ps(row[i + 2], row[i + 3]));
      const __m512d high23 = _mm512_castps_pd(_mm512_unpackhi_ps(row[i + 2], row[i + 3]));
      four[i] = _mm512_castpd_ps(_mm512_unpacklo_pd(low01, low23));
      four[i + 1] = _mm512_castpd_ps(_mm512_unpackhi_pd(low01, low23));
      four[i + 2] = _mm512_castpd_ps(_mm512_unpacklo_pd(high01, high23));
      four[i + 3] = _mm512_castpd_ps(_mm512_unpackhi_pd(high01, high23));
    }
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {  // columns c, c + 4, c + 8 and c + 12
      const __m512 even_low = _mm512_shuffle_f32x4(four[c], four[c + 4], 0x88);
      const __m512 odd_low = _mm512_shuffle_f32x4(four[c], four[c + 4], 0xdd);
      const __m512 even_high = _mm512_shuffle_f32x4(four[c + 8], four[c + 12], 0x88);
      const __m512 odd_high = _mm512_shuffle_f32x4(four[c + 8], four[c + 12], 0xdd);
      store(to + c * to_stride, _mm512_shuffle_f32x4(even_low, even_high, 0x88));
      store(to + (c + 8) * to_stride, _mm512_shuffle_f32x4(even_low, even_high, 0xdd));
      store(to + (c + 4) * to_stride, _mm512_shuffle_f32x4(odd_low, odd_high, 0x88));
      store(to + (c + 12) * to_stride, _mm512_shuffle_f32x4(odd_low, odd_high, 0xdd));
    }
  }
};

}  // namespace
}  // namespace icfast
