// What the tests of hidden states on a device share: includes in the order that they need, and the
// stand-in for cuBLASLt (fake_cublaslt.cpp).
#pragma once
#include <dlfcn.h>

#include <cmath>
#include <limits>
#include <set>

#include "../cuda/tile_product.hpp"
#include "definitions.hpp"
#include "simt.hpp"
// After simt.hpp, which has what nvcc would bring.
#include "../cuda/linear_rows.cuh"

namespace icfast::tests {

using cuda::Linear;
using cuda::LinearPlan;

constexpr std::int64_t kIgnored = -100;

/// The fake one; loaded once, after which a process has it.
inline cuda::Products& fake() {
  static cuda::Products held;
  CHECK_EQUAL(std::string(), held.load({ICFAST_FAKE_CUBLASLT}));
  return held;
}

}  // namespace icfast::tests
