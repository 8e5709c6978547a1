// Products on any machine, in float and in double.
#include "products_tile.hpp"

namespace icfast {
namespace {

/// 16 bytes: what every machine that has vectors has; GCC and Clang do without, too.
template <class T>
struct Sixteen {
  using Number = T;
  using Vector __attribute__((vector_size(16))) = T;
  static constexpr int kLanes = 16 / sizeof(T);
  static constexpr bool kPairs = false;

  static Vector zero() { return Vector{}; }
  static Vector load(const T* from) {
    Vector v;
    std::memcpy(&v, from, sizeof v);
    return v;
  }
  static void store(T* to, Vector v) { std::memcpy(to, &v, sizeof v); }
  static Vector all(const T* from) { return *from - Vector{}; }
  static Vector add(Vector a, Vector b) { return a + b; }
  static Vector add_product(Vector sum, Vector a, Vector b) { return sum + a * b; }
  static void transpose(const T* from, std::int64_t from_stride, T* to, std::int64_t to_stride) {
    for (int i = 0; i < kLanes; ++i) {
      for (int c = 0; c < kLanes; ++c) to[c * to_stride + i] = from[i * from_stride + c];
    }
  }
};

}  // namespace

const Products<float> kProductsPortable = products<Sixteen<float>, 4, 2>();
const Products<double> kProductsDouble = products<Sixteen<double>, 4, 2>();

}  // namespace icfast
