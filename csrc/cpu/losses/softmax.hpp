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
#include "icfast/tokens.hpp"

namespace icfast {

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

}  // namespace icfast
