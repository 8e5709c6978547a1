// Products with AVX2 and FMA: 12 sums of 8 numbers in registers.
#include <immintrin.h>

#include "products_tile.hpp"

namespace icfast {
namespace {

struct Avx2 {
  using Number = float;
  using Vector = __m256;
  static constexpr int kLanes = 8;
  static constexpr bool kPairs = false;

  static Vector zero() { return _mm256_setzero_ps(); }
  static Vector load(const float* from) { return _mm256_loadu_ps(from); }
  static void store(float* to, Vector v) { _mm256_storeu_ps(to, v); }
  static Vector all(const float* from) { return _mm256_broadcast_ss(from); }
  static Vector add(Vector a, Vector b) { return _mm256_add_ps(a, b); }
  static Vector add_product(Vector sum, Vector a, Vector b) { return _mm256_fmadd_ps(a, b, sum); }

  /// 8 x 8: fours of rows, then the two halves of each.
  static void transpose(const float* from, std::int64_t from_stride, float* to,
                        std::int64_t to_stride) {
    __m256 four[8];
#pragma GCC unroll 2
    for (int i = 0; i < 8; i += 4) {
      const __m256 row0 = load(from + i * from_stride);
      const __m256 row1 = load(from + (i + 1) * from_stride);
      const __m256 row2 = load(from + (i + 2) * from_stride);
      const __m256 row3 = load(from + (i + 3) * from_stride);
      const __m256d low01 = _mm256_castps_pd(_mm256_unpacklo_ps(row0, row1));
      const __m256d high01 = _mm256_castps_pd(_mm256_unpackhi_ps(row0, row1));
      const __m256d low23 = _mm256_castps_pd(_mm256_unpacklo_ps(row2, row3));
      const __m256d high23 = _mm256_castps_pd(_mm256_unpackhi_ps(row2, row3));
      four[i] = _mm256_castpd_ps(_mm256_unpacklo_pd(low01, low23));
      four[i + 1] = _mm256_castpd_ps(_mm256_unpackhi_pd(low01, low23));
      four[i + 2] = _mm256_castpd_ps(_mm256_unpacklo_pd(high01, high23));
      four[i + 3] = _mm256_castpd_ps(_mm256_unpackhi_pd(high01, high23));
    }
#pragma GCC unroll 4
    for (int c = 0; c < 4; ++c) {  // columns c and c + 4
      store(to + c * to_stride, _mm256_permute2f128_ps(four[c], four[c + 4], 0x20));
      store(to + (c + 4) * to_stride, _mm256_permute2f128_ps(four[c], four[c + 4], 0x31));
    }
  }
};

}  // namespace

const Products<float> kProductsAvx2 = products<Avx2, 6, 2>();

}  // namespace icfast
