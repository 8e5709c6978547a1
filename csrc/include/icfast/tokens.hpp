// Results of a token from the sums of its row, shared by all compiled backends.
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

/// Softmax parameters and constants derived from them.
struct SoftmaxScale {
  float c;         // log2(e) / temperature
  double softcap;  // 0: none
  double temperature;
  double target;   // the target's stored logit, for ranks
  bool fits_fp32;  // otherwise every block is added in fp64

  ICFAST_INLINE static SoftmaxScale of(const Softmax& softmax) {
    const auto c = static_cast<float>(kLog2E / softmax.temperature);
    return {c, softmax.softcap, softmax.temperature, kNotANumber, c > 0x1p-60F && c < 0x1p60F};
  }

  /// A stored logit after the cap, which keeps infinities.
  ICFAST_INLINE double capped(double logit) const {
    return softcap == 0 || std::isinf(logit) ? logit : softcap * std::tanh(logit / softcap);
  }
};

/// Sums of the logits of a row read so far.
struct RowSums {
  PowerSum fast;
  SoftmaxSum wide;
  std::int64_t larger = 0;  // logits above SoftmaxScale::target

  /// Adds the sums of other logits of the row.
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

/// scored, ignored or out_of_range; write_token() determines the other codes.
ICFAST_INLINE inline Kind kind_of_target(std::int64_t target, const Softmax& softmax) {
  if (target == softmax.ignore_index) return Kind::ignored;
  return target >= 0 && target < softmax.columns ? Kind::scored : Kind::out_of_range;
}

/// Writes the results of one row. `kind` is that of kind_of_target; `scale.target` is the target's
/// logit if the row is scored.
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
