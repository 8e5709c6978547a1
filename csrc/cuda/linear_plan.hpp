// Division of logits = hidden weight^T + bias into tiles, and the layout of the scratch. Both
// depend only on the layer and its formats, so a row has the same bits in every batch.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "device_losses.hpp"
#include "geometry.hpp"
#include "icfast/tokens.hpp"

namespace icfast::cuda {

/// State of a row between two tiles of the vocabulary.
struct LinearRow {
  RowSums sums;
  double target;  // its logit, after its tile was computed
};

constexpr std::int64_t kColumnStep = 64;  // rows of logits start at multiples of 256 bytes
constexpr std::int64_t kOperandBytes =
    64 << 20;  // limit of a tile's hidden states, and of its weights
constexpr std::int64_t kWorkspaceBytes = 32 << 20;  // the size that cuBLAS recommends on sm_90
constexpr std::int64_t kScratchStep = 256;

constexpr std::int64_t up_to(std::int64_t size, std::int64_t multiple) {
  return (size + multiple - 1) / multiple * multiple;
}

/// Format of a product's operands: the stored one, or fp32 if the two differ.
constexpr Format product_format(Format hidden, Format weight) {
  return hidden == weight ? hidden : Format::fp32;
}

struct LinearPlan {
  Format format;         // format of a product's operands
  std::int64_t width;    // their width: the hidden width, zero-padded to 16 bytes
  std::int64_t rows;     // rows of a tile, zero-padded
  std::int64_t columns;  // columns of a tile, equal for all tiles
  std::int64_t stride;   // row stride of a tile's logits
  std::int64_t vocabulary;
  std::int64_t tiles;  // number of tiles of the vocabulary
  bool stages_weight;  // whether products need a copy of the weights
  bool has_bias;

  // Offsets in the scratch, from its first multiple of kScratchStep.
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
    // As few tiles of equal size as possible: a short last tile would need padding.
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
    plan.scratch_bytes = next + kScratchStep;  // the scratch may start at any address
    return plan;
  }

  /// Returns the first column of a tile's product. The last tile overlaps the one before, so that
  /// it has the size of the others and stays within the weights.
  std::int64_t begin_of(std::int64_t tile) const {
    return std::min(tile * columns, vocabulary - columns);
  }
  /// Returns the first column that no earlier tile had; the sweep of the tile starts there.
  std::int64_t first_of(std::int64_t tile) const { return tile * columns; }
};

}  // namespace icfast::cuda
