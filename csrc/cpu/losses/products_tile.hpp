// The packer and the multiplier over the vectors V of one instruction set. Everything has internal
// linkage: a unit compiled for one machine must not lend its code to another unit's.
#pragma once
#include <algorithm>
#include <cstring>

#include "products.hpp"
#include "widen.hpp"

namespace icfast {
namespace {

/// Units that are packed at a time, from rows of the matrix to rows of a buffer.
constexpr int kPiece = 128;
static_assert(kCut % kPiece == 0);

/// to[units] = row `row` of a matrix, from unit `first` on.
template <class V>
void take_units(const Matrix& from, std::int64_t row, std::int64_t first, int units,
                typename V::Number* to) {
  if constexpr (V::kPairs) {
    const std::int64_t left = std::min<std::int64_t>(2 * units, from.columns - 2 * first);
    const auto* numbers = static_cast<const std::uint16_t*>(from.data);
    std::memset(static_cast<void*>(to + units - 1), 0, sizeof *to);  // half of it may be padding
    std::memcpy(static_cast<void*>(to), numbers + row * from.stride + 2 * first,
                static_cast<std::size_t>(left) * 2);
  } else {
    widen(from, row * from.stride + first, units, to);
  }
}

template <class V, int kPanel>
void pack_hidden(const Matrix& hidden, const std::int64_t* chosen, std::int64_t first, int units,
                 typename V::Number* to) {
  for (int r = 0; r < kPanel; ++r, to += kHiddenStride) {
    if (chosen[r] >= 0) {
      take_units<V>(hidden, chosen[r], first, units, to);
    } else {
      std::fill_n(to, units, typename V::Number{});
    }
  }
}

template <class V, int kStrip>
void pack_weight(const Matrix& weight, const std::int64_t* chosen, std::int64_t first, int units,
                 typename V::Number* to) {
  using T = typename V::Number;
  alignas(64) T rows[kStrip][kPiece];
  for (int begin = 0; begin < units; begin += kPiece) {
    const int size = std::min(kPiece, units - begin);
    for (int j = 0; j < kStrip; ++j) {
      if (chosen[j] >= 0) {
        take_units<V>(weight, chosen[j], first + begin, size, rows[j]);
      } else {
        std::fill_n(rows[j], size, T{});
      }
    }
    for (int j = 0; j < kStrip; j += V::kLanes) {
      for (int k = 0; k < size; k += V::kLanes) {
        V::transpose(rows[j] + k, kPiece, to + (begin + k) * kStrip + j, kStrip);
      }
    }
  }
}

/// out[kPanel, columns of kVectors] = from[the same] + hidden[kPanel, units] weight[units, the
/// same].
template <class V, int kPanel, int kVectors>
void multiply_tile(const typename V::Number* hidden, const typename V::Number* weight, int units,
                   const typename V::Number* from, std::int64_t from_stride,
                   typename V::Number* out, std::int64_t stride) {
  typename V::Vector sums[kPanel][kVectors];
#pragma GCC unroll 16
  for (int r = 0; r < kPanel; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) sums[r][j] = V::zero();
  }
  for (int k = 0; k < units; ++k) {
    typename V::Vector columns[kVectors];
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) columns[j] = V::load(weight + j * V::kLanes);
#pragma GCC unroll 16
    for (int r = 0; r < kPanel; ++r) {
      const typename V::Vector state = V::all(hidden + r * kHiddenStride + k);
#pragma GCC unroll 4
      for (int j = 0; j < kVectors; ++j) {
        sums[r][j] = V::add_product(sums[r][j], state, columns[j]);
      }
    }
    weight += kVectors * V::kLanes;
  }
#pragma GCC unroll 16
  for (int r = 0; r < kPanel; ++r) {
#pragma GCC unroll 4
    for (int j = 0; j < kVectors; ++j) {
      const typename V::Vector before = V::load(from + r * from_stride + j * V::kLanes);
      V::store(out + r * stride + j * V::kLanes, V::add(before, sums[r][j]));
    }
  }
}

template <class V, int kPanel, int kVectors>
void multiply(const typename V::Number* hidden, int panels, const typename V::Number* weight,
              int strips, int units, const typename V::Number* from, std::int64_t from_stride,
              typename V::Number* out, std::int64_t stride) {
  constexpr int kStrip = kVectors * V::kLanes;
  for (int strip = 0; strip < strips; ++strip) {
    for (int panel = 0; panel < panels; ++panel) {
      multiply_tile<V, kPanel, kVectors>(
          hidden + static_cast<std::int64_t>(panel) * kPanel * kHiddenStride,
          weight + static_cast<std::int64_t>(strip) * kCut * kStrip, units,
          from + panel * kPanel * from_stride + strip * kStrip, from_stride,
          out + panel * kPanel * stride + strip * kStrip, stride);
    }
  }
}

inline int tile_columns(std::int64_t width) { return width <= 4096 ? kLargestTile : 128; }

template <class V, int kPanel, int kVectors>
constexpr Products<typename V::Number> products() {
  constexpr int kStrip = kVectors * V::kLanes;
  static_assert(kPanel <= kStrip && kPiece % V::kLanes == 0);
  return {kPanel,
          kStrip,
          V::kPairs,
          false,
          16,
          0,
          tile_columns,
          pack_weight<V, kStrip>,
          pack_hidden<V, kPanel>,
          multiply<V, kPanel, kVectors>};
}

}  // namespace
}  // namespace icfast
