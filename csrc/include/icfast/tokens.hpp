// From a row's sums to what is written of its token: the same for every compiled backend.
#pragma once
#include <cmath>
#include <cstdint>
#include <limits>

#include "icfast/losses.hpp"
#include "icfast/scalars.hpp"

namespace icfast {

constexpr double kLog2E = 0x1.71547652b82fep+0;
constexpr double kInfinite = std::numeric_limits<double>::infinity();
constexpr double kNotANumber = std::numeric_limits<double>::quiet_NaN();

/// Softmax, and what follows from it.
struct SoftmaxScale {
  float c;         // log2(e) / temperature
  double softcap;  // 0: none
  double temperature;
  double target;   // the target's logit as it is stored, for ranks
  bool fits_fp32;  // else every block is added in fp64

  ICFAST_INLINE static SoftmaxScale of(const Softmax& softmax) {
    const auto c = static_cast<float>(kLog2E / softmax.temperature);
    return {c, softmax.softcap, softmax.temperature, kNotANumber, c > 0x1p-60F && c < 0x1p60F};
  }

  /// A stored logit under the cap; infinite ones stay as they are.
  ICFAST_INLINE double capped(double logit) const {
    return softcap == 0 || std::isinf(logit) ? logit : softcap * std::tanh(logit / softcap);
  }
};

/// What is known of the logits swept so far; more of the same row may follow.
struct RowSums {
  PowerSum fast;
  SoftmaxSum wide;
  std::int64_t larger = 0;  // logits above SoftmaxScale::target

  /// Those of other logits of the row.
  ICFAST_INLINE void merge(const RowSums& other, double temperature) {
    fast.merge(other.fast);
    wide.merge(other.wide, temperature);
    larger += other.larger;
  }

  ICFAST_INLINE SoftmaxSum total(const SoftmaxScale& scale) const {
    SoftmaxSum sum = wide;
    if (fast.k != PowerSum::kNone) sum.merge(fast.in_nats(scale.c), scale.temperature);
    return sum;
  }
};

/// scored, ignored or out_of_range; write_token() finds out the rest.
ICFAST_INLINE inline Kind kind_of_target(std::int64_t target, const Softmax& softmax) {
  if (target == softmax.ignore_index) return Kind::ignored;
  return target >= 0 && target < softmax.columns ? Kind::scored : Kind::out_of_range;
}

/// Writes one row from its sums; `kind` as above, `scale.target` the logit of a scored one.
ICFAST_INLINE inline void write_token(const SoftmaxScale& scale, const RowSums& sums, Kind kind,
                                      const TokenOut& out, std::int64_t row) {
  const SoftmaxSum total = sums.total(scale);
  const bool defined = total.sum > 0;
  const bool targeted = kind == Kind::scored;
  if (targeted && !defined) kind = Kind::nan;
  if (kind == Kind::scored && scale.target == -kInfinite) kind = Kind::infinite;
  double nll = kNotANumber;
  if (kind == Kind::ignored) nll = 0;
  if (kind == Kind::infinite) nll = kInfinite;
  if (kind == Kind::scored) nll = total.nll_nats(scale.capped(scale.target), scale.temperature);
  out.nll_nats[row] = nll;
  out.kinds[row] = static_cast<std::uint8_t>(kind);
  if (out.logsumexp_nats != nullptr) {
    out.logsumexp_nats[row] = defined ? total.logsumexp_nats(scale.temperature) : kNotANumber;
  }
  if (out.entropy_nats != nullptr) {
    out.entropy_nats[row] = defined ? total.entropy_nats() : kNotANumber;
  }
  if (out.ranks != nullptr) out.ranks[row] = targeted && defined ? sums.larger : -1;
}

}  // namespace icfast
