// Products with AVX-512: 28 sums of 16 numbers in registers.
#include "products_avx512.hpp"

namespace icfast {

const Products<float> kProductsAvx512 = products<Avx512, 14, 2>();

}  // namespace icfast
