// Work of device threads on a tile of logits: stage operands, sweep rows and write losses.
#pragma once
#include <type_traits>

#include "linear_tiles.hpp"
#include "row_block.cuh"
#include "targets.cuh"

namespace icfast::cuda {

constexpr int kStageThreads = 256;

/// Stages one row with all threads of a block.
template <class From, class To>
__device__ void stage_row(const Staging& staging, std::int64_t row) {
  static_assert(std::is_same_v<From, To> || std::is_same_v<To, Fp32>);
  constexpr int kIn = To::kPer / kVectorWords;
  const auto* from =
      static_cast<const typename From::Stored*>(staging.from.data) + row * staging.from.stride;
  const std::int64_t columns = row < staging.from.rows ? staging.from.columns : 0;
  const std::int64_t vectors = staging.width / To::kPer;
  auto* to = static_cast<uint4*>(staging.to) + row * vectors;
  for (std::int64_t v = threadIdx.x; v < vectors; v += blockDim.x) {
    std::uint32_t words[kVectorWords] = {};
    ICFAST_UNROLL
    for (int e = 0; e < To::kPer; ++e) {
      const std::int64_t column = v * To::kPer + e;
      if (column >= columns) continue;
      std::uint32_t bits = from[column];
      if constexpr (!std::is_same_v<From, To>) bits = bits_of(From::number(bits));
      words[e / kIn] |= bits << (e % kIn * 16);
    }
    to[v] = uint4{words[0], words[1], words[2], words[3]};
  }
}

/// Sweeps one row with all threads of a block. sums(row, scale) is the function that sweeps it.
template <class Sums>
__device__ void sweep_tile_row(const TileSweep& sweep, std::int64_t r, Sums sums) {
  const TileRows& rows = sweep.rows;
  const std::int64_t target = target_at(rows.targets, rows.first + r);
  const Kind kind = kind_of_target(target, rows.softmax);
  if (kind != Kind::scored && !rows.always) return;
  LinearRow* known = rows.known + r;
  const float* logits = sweep.logits + r * sweep.stride;
  SoftmaxScale scale = rows.scale;
  if (sweep.counts) scale.target = known->target;
  const RowSums found = sums(logits, scale);
  if (threadIdx.x != 0) return;
  if (sweep.counts) {
    known->sums.larger += found.larger;
    return;
  }
  LinearRow row{{}, kNotANumber};
  if (!sweep.begins) row = *known;
  row.sums.merge(found, scale.temperature);
  const std::int64_t column = target - sweep.first;
  if (kind == Kind::scored && column >= 0 && column < sweep.columns) {
    row.target = static_cast<double>(logits[column]);
  }
  *known = row;
}

/// Writes the results of one row with one thread.
__device__ inline void write_tile_row(const TileRows& rows, const TokenOut& out, std::int64_t r) {
  const std::int64_t row = rows.first + r;
  const Kind kind = kind_of_target(target_at(rows.targets, row), rows.softmax);
  LinearRow known{{}, kNotANumber};
  if (kind == Kind::scored || rows.always) known = rows.known[r];
  SoftmaxScale scale = rows.scale;
  scale.target = known.target;
  write_token(scale, known.sums, kind, out, row);
}

}  // namespace icfast::cuda
