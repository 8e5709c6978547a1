// Products with NEON: 24 sums of 4 numbers in registers.
#include <arm_neon.h>

#include "products_tile.hpp"

namespace icfast {
namespace {

struct Neon {
  using Number = float;
  using Vector = float32x4_t;
  static constexpr int kLanes = 4;
  static constexpr bool kPairs = false;

  static Vector zero() { return vdupq_n_f32(0); }
  static Vector load(const float* from) { return vld1q_f32(from); }
  static void store(float* to, Vector v) { vst1q_f32(to, v); }
  static Vector all(const float* from) { return vld1q_dup_f32(from); }
  static Vector add(Vector a, Vector b) { return vaddq_f32(a, b); }
  static Vector add_product(Vector sum, Vector a, Vector b) { return vfmaq_f32(sum, a, b); }

  /// 4 x 4: pairs of rows, then both halves.
  static void transpose(const float* from, std::int64_t from_stride, float* to,
                        std::int64_t to_stride) {
    const float32x4x2_t rows01 = vtrnq_f32(load(from), load(from + from_stride));
    const float32x4x2_t rows23 =
        vtrnq_f32(load(from + 2 * from_stride), load(from + 3 * from_stride));
    for (int c = 0; c < 2; ++c) {  // columns c and c + 2
      store(to + c * to_stride,
            vcombine_f32(vget_low_f32(rows01.val[c]), vget_low_f32(rows23.val[c])));
      store(to + (c + 2) * to_stride,
            vcombine_f32(vget_high_f32(rows01.val[c]), vget_high_f32(rows23.val[c])));
    }
  }
};

}  // namespace

const Products<float> kProductsNeon = products<Neon, 6, 4>();

}  // namespace icfast
