// How logits = hidden weight^T + bias are cut into tiles, and where scratch holds what: functions
// of the layer and its formats alone, so that a row's bits are its own whatever batch it stands in.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "device_losses.hpp"
#include "geometry.hpp"
#include "icfast/tokens.hpp"

namespace icfast::cuda {

/// What is known of a row of a tile between two tiles of the vocabulary.
struct LinearRow {
  RowSums sums;
  double target;  // its logit, once its tile was there
};

constexpr std::int64_t kColumnStep = 64;  // a row of logits begins at a multiple of 256 bytes
constexpr std::int64_t kOperandBytes = 64 << 20;    // of a tile's hidden states, and of its weights
constexpr std::int64_t kWorkspaceBytes = 32 << 20;  // as cuBLAS asks for on sm_90
constexpr std::int64_t kScratchStep = 256;

constexpr std::int64_t up_to(std::int64_t size, std::int64_t multiple) {
  return (size + multiple - 1) / multiple * multiple;
}

/// Operands of a product: as they are stored, or fp32 where they differ.
constexpr Format product_format(Format hidden, Format weight) {
  return hidden == weight ? hidden : Format::fp32;
}

struct LinearPlan {
  Format format;         // of a product's operands
  std::int64_t width;    // of them: the hidden width and zeros up to a multiple of 16 bytes
  std::int64_t rows;     // of a tile; those that are none are zeros
  std::int64_t columns;  // of a tile, all of one size
  std::int64_t stride;   // of a tile's rows of logits
  std::int64_t vocabulary;
  std::int64_t tiles;  // of the vocabulary
  bool stages_weight;  // products can't read the weights where they lie
  bool has_bias;

  // Places in the scratch, from its first multiple of kScratchStep on.
  std::int64_t hidden_at;
  std::int64_t weight_at;
  std::int64_t bias_at;
  std::int64_t logits_at;
  std::int64_t rows_at;
  std::int64_t workspace_at;
  std::int64_t scratch_bytes;

  static LinearPlan of(const Linear& linear) {
    const Matrix& hidden = linear.hidden;
    const Matrix& weight = linear.weight;
    const std::int64_t vocabulary = linear.softmax.columns;
    LinearPlan plan{};
    plan.format = product_format(hidden.format, weight.format);
    const std::int64_t size = bytes_of(plan.format);
    plan.width = up_to(hidden.columns, kVectorBytes / size);
    const std::int64_t operand_rows =
        std::max(kColumnStep, kOperandBytes / (plan.width * size) / kColumnStep * kColumnStep);
    plan.rows = std::min(linear.most.rows, operand_rows);
    const std::int64_t widest = std::min(linear.most.columns, operand_rows);
    plan.vocabulary = vocabulary;
    // Tiles of one size, as few as can be: a short last one would be filled with what is not
    // needed.
    const std::int64_t fewest = (vocabulary + widest - 1) / widest;
    const std::int64_t even = (vocabulary + fewest - 1) / fewest;
    plan.columns = std::min(vocabulary, up_to(even, kColumnStep));
    plan.tiles = (vocabulary + plan.columns - 1) / plan.columns;
    plan.stride = up_to(plan.columns, kColumnStep);
    plan.stages_weight = weight.format != plan.format || weight.columns != plan.width ||
                         weight.stride != plan.width ||
                         reinterpret_cast<std::uintptr_t>(weight.data) % kVectorBytes != 0;
    plan.has_bias = linear.bias.columns != 0;

    std::int64_t next = 0;
    const auto carve = [&](std::int64_t bytes) {
      const std::int64_t at = next;
      next = up_to(next + bytes, kScratchStep);
      return at;
    };
    plan.hidden_at = carve(plan.rows * plan.width * size);
    plan.weight_at = carve(plan.stages_weight ? plan.columns * plan.width * size : 0);
    plan.bias_at = carve(plan.has_bias ? plan.tiles * plan.stride * bytes_of(Format::fp32) : 0);
    plan.logits_at = carve(plan.rows * plan.stride * bytes_of(Format::fp32));
    plan.rows_at = carve(plan.rows * static_cast<std::int64_t>(sizeof(LinearRow)));
    plan.workspace_at = carve(kWorkspaceBytes);
    plan.scratch_bytes = next + kScratchStep;  // it may begin anywhere
    return plan;
  }

  /// The first column that a tile's product has. The last tile reaches back, to be as large as the
  /// others and yet within the weights.
  std::int64_t begin_of(std::int64_t tile) const {
    return std::min(tile * columns, vocabulary - columns);
  }
  /// The first that no tile before had; the tile is swept from there to its end.
  std::int64_t first_of(std::int64_t tile) const { return tile * columns; }
};

}  // namespace icfast::cuda
