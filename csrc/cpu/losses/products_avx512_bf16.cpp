// Products of bf16 with AVX-512: each lane adds two products at a time. The instruction takes
// subnormal numbers for zeros.
#include "products_avx512.hpp"

namespace icfast {
namespace {

struct Avx512Bf16 : Avx512 {
  static constexpr bool kPairs = true;

  static __m512bh pairs(Vector v) { return reinterpret_cast<__m512bh>(v); }
  static Vector add_product(Vector sum, Vector a, Vector b) {
    return _mm512_dpbf16_ps(sum, pairs(a), pairs(b));
  }
};

}  // namespace

const Products<float> kProductsAvx512Bf16 = products<Avx512Bf16, 14, 2>();

}  // namespace icfast
