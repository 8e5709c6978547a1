// Sums of a row's softmax in one sweep over its logits, by instruction set.
//
// A sweep goes through blocks that stay in L1 and keeps (k, s) as scalars.hpp has it: fp32 within a
// block, fp64 between blocks, k raised, and the block swept again, where it lags too far. What fp32
// can't take (logits of millions, a block without a finite one, +inf) is added in fp64 beside it.
#pragma once
#include <cstdint>

#include "icfast/isa.hpp"
#include "icfast/losses.hpp"
#include "icfast/scalars.hpp"

namespace icfast {

constexpr double kLog2E = 0x1.71547652b82fep+0;

/// Softmax, and what follows from it.
struct SoftmaxScale {
  float c;         // log2(e) / temperature
  double softcap;  // 0: none
  double temperature;
  double target;   // the target's logit as it is stored, for ranks
  bool fits_fp32;  // else every block is added in fp64

  static SoftmaxScale of(const Softmax& softmax);
  /// A stored logit under the cap; infinite ones stay as they are.
  double capped(double logit) const;
};

/// What is known of the logits swept so far; more of the same row may follow.
struct RowSums {
  PowerSum fast;
  SoftmaxSum wide;
  std::int64_t larger = 0;  // logits above SoftmaxScale::target

  SoftmaxSum total(const SoftmaxScale& scale) const;
};

/// Adds `size` logits. They need no alignment, and nothing behind them is read.
using Sweep = void (*)(const void* logits, std::int64_t size, const SoftmaxScale& scale,
                       RowSums& sums);

/// Sums that are asked for beside the first one, and how logits are stored and changed.
struct SweepKind {
  Format format;
  bool capped;
  bool entropy;
  bool ranks;
};

/// Of any machine, fp64 throughout: logits of every format, and what sweeps in fp32 leave.
Sweep wide_sweep(Format format);

/// The fastest of this process, and those of one instruction set (which runs() on this machine).
Sweep sweep_of(const SweepKind& kind);
Sweep sweep_of(const SweepKind& kind, Isa isa);

/// One table a unit.
Sweep sweep_portable(const SweepKind& kind);
Sweep sweep_neon(const SweepKind& kind);
Sweep sweep_avx2(const SweepKind& kind);
Sweep sweep_avx512(const SweepKind& kind);

/// One stored number, exact.
double decoded(const void* numbers, Format format, std::int64_t index);

/// scored, ignored or out_of_range; write_token() finds out the rest.
Kind kind_of_target(std::int64_t target, const Softmax& softmax);

/// Writes one row from its sums; `kind` as above, `scale.target` the logit of a scored one.
void write_token(const SoftmaxScale& scale, const RowSums& sums, Kind kind, const TokenOut& out,
                 std::int64_t row);

}  // namespace icfast
