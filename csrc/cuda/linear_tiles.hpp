// Losses of hidden states, tile by tile. The outer loop runs over rows of the batch, the inner one
// over the vocabulary, so a tile's logits are swept while they are still in the device's cache.
//
// This file defines the order of the operations, and the device implements them. Tests implement
// them on the host.
#pragma once
#include "linear_plan.hpp"

namespace icfast::cuda {

/// Copy of a matrix to to[rows, width] without gaps, zero-padded.
struct Staging {
  Matrix from;
  void* to;
  Format format;
  std::int64_t rows;
  std::int64_t width;
};

/// Rows of a tile without its logits.
struct TileRows {
  Targets targets;
  Softmax softmax;
  SoftmaxScale scale;
  std::int64_t first;  // first row in the batch
  std::int64_t size;   // number of rows; later rows are padding
  LinearRow* known;
  bool always;  // also sweep rows without a target
};

/// Sweep of a tile's logits, which updates the state of its rows.
struct TileSweep {
  TileRows rows;
  const float* logits;  // logits of the first row
  std::int64_t stride;
  std::int64_t first;  // first column in the vocabulary
  std::int64_t columns;
  bool begins;  // first tile: initialise the state, unless counts is set
  bool counts;  // count logits above the target's instead of adding up sums
};

/// Device has stage(Staging), multiply(hidden, weight, bias, logits, workspace) -> Status,
/// sweep(TileSweep), write(TileRows) and status(). Each runs after the one before.
template <class Device>
class LinearTiles {
 public:
  LinearTiles(const Linear& linear, const LinearPlan& plan, Device& device)
      : linear_(linear), plan_(plan), device_(device) {
    const auto address = reinterpret_cast<std::uintptr_t>(linear.scratch);
    scratch_ =
        static_cast<char*>(linear.scratch) + (kScratchStep - address % kScratchStep) % kScratchStep;
  }

  /// Address of the staged biases, also before they are written.
  float* bias() const { return plan_.has_bias ? at<float>(plan_.bias_at) : nullptr; }

  Status run() {
    stage_bias();
    for (std::int64_t row = 0; row < linear_.hidden.rows; row += plan_.rows) {
      const Status status = add_rows(row, std::min(plan_.rows, linear_.hidden.rows - row));
      if (status.code != Code::ok) return status;
    }
    return device_.status();
  }

 private:
  template <class T>
  T* at(std::int64_t place) const {
    return reinterpret_cast<T*>(scratch_ + place);
  }

  /// Returns the rows of a matrix from `first` on.
  static Matrix part(const Matrix& of, std::int64_t first, std::int64_t rows) {
    const char* data = static_cast<const char*>(of.data) + first * of.stride * bytes_of(of.format);
    return {data, of.format, rows, of.columns, of.stride};
  }

  /// Returns a tile's biases, which start at a multiple of 256 bytes.
  void stage_bias() {
    if (!plan_.has_bias) return;
    const std::int64_t last = plan_.tiles - 1;
    const auto stage = [&](std::int64_t tile, std::int64_t tiles) {
      const char* from = static_cast<const char*>(linear_.bias.data) +
                         plan_.begin_of(tile) * bytes_of(linear_.bias.format);
      device_.stage({{from, linear_.bias.format, tiles, plan_.columns, plan_.columns},
                     bias() + tile * plan_.stride,
                     Format::fp32,
                     tiles,
                     plan_.stride});
    };
    if (last != 0) stage(0, last);
    stage(last, 1);
  }

  const void* weight_of(std::int64_t tile) {
    const Matrix rows = part(linear_.weight, plan_.begin_of(tile), plan_.columns);
    if (!plan_.stages_weight) return rows.data;
    void* to = at<void>(plan_.weight_at);
    device_.stage({rows, to, plan_.format, plan_.columns, plan_.width});
    return to;
  }

  Status add_rows(std::int64_t first, std::int64_t size) {
    const TileRows rows{
        linear_.targets,
        linear_.softmax,
        SoftmaxScale::of(linear_.softmax),
        first,
        size,
        at<LinearRow>(plan_.rows_at),
        linear_.out.logsumexp_nats != nullptr || linear_.out.entropy_nats != nullptr};
    device_.stage({part(linear_.hidden, first, size), at<void>(plan_.hidden_at), plan_.format,
                   plan_.rows, plan_.width});
    // Ranks compare with the target's logit, which is known only now: compute all tiles again.
    const int passes = linear_.out.ranks != nullptr ? 2 : 1;
    for (int pass = 0; pass < passes; ++pass) {
      for (std::int64_t tile = 0; tile < plan_.tiles; ++tile) {
        const Status status = add_tile(rows, tile, pass == 1);
        if (status.code != Code::ok) return status;
      }
    }
    device_.write(rows);
    return {};
  }

  Status add_tile(const TileRows& rows, std::int64_t tile, bool counts) {
    auto* logits = at<float>(plan_.logits_at);
    const float* bias_here = plan_.has_bias ? bias() + tile * plan_.stride : nullptr;
    const Status status = device_.multiply(at<void>(plan_.hidden_at), weight_of(tile), bias_here,
                                           logits, at<void>(plan_.workspace_at));
    if (status.code != Code::ok) return status;
    const std::int64_t begin = plan_.begin_of(tile);
    const std::int64_t from = plan_.first_of(tile);
    device_.sweep({rows, logits + (from - begin), plan_.stride, from, begin + plan_.columns - from,
                   tile == 0, counts});
    return {};
  }

  const Linear& linear_;
  const LinearPlan& plan_;
  Device& device_;
  char* scratch_;
};

}  // namespace icfast::cuda
