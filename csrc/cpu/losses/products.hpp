// Tiles of logits = hidden weight^T: each instruction set brings a packer and a multiplier.
//
// Both operands are packed first: hidden states as they are, row by row, weights so that what a
// vector takes lies side by side. What fills a tile up is zero, and no element of a tile has a
// share in another one, so a logit depends on its own row and column alone.
#pragma once
#include <cstdint>

#include "icfast/losses.hpp"

namespace icfast {

/// The width is cut after so many units, and a logit is the sum of the cuts' sums in their order:
/// rounding errors then grow with the square root of the cuts, and a cut of weights stays in the
/// first cache. A unit is one number, or two of bf16.
constexpr int kCut = 256;

/// From one packed hidden state to the next; not a power of 2, or all of them meet in a few lines
/// of the first cache.
constexpr int kGap = 16;
constexpr int kHiddenStride = kCut + kGap;

/// Columns of a tile and rows of logits that are held at a time, at most.
constexpr int kLargestTile = 512;
constexpr int kMostRows = 256;

/// What an instruction set computes with. T is float, also where it only carries pairs of bf16, or
/// double. Tiles have `panel` hidden states and `strip` columns of logits.
template <class T>
struct Products {
  int panel;
  int strip;
  bool pairs;
  bool whole;  // the width is one cut, packed up to a multiple of 16 units; read it for kCut below
  int panels;  // whose logits are held at a time
  int gap;     // logits left unused after each row of a tile

  /// Columns of logits of a tile, fewer where its packed weights would outgrow the second cache.
  int (*tile_columns)(std::int64_t width);
  /// to[units, strip] = weight[chosen[j], first unit ..]; zeros where chosen[j] < 0.
  void (*pack_weight)(const Matrix& weight, const std::int64_t* chosen, std::int64_t first,
                      int units, T* to);
  /// to[panel, kHiddenStride] = hidden[chosen[r], first unit ..]; zeros where chosen[r] < 0.
  void (*pack_hidden)(const Matrix& hidden, const std::int64_t* chosen, std::int64_t first,
                      int units, T* to);
  /// out[panels * panel, stride] = from[.., from_stride] + hidden[.., units] weight[strips, kCut,
  /// strip]^T. `from` is `out` itself, or one row with a stride of 0.
  void (*multiply)(const T* hidden, int panels, const T* weight, int strips, int units,
                   const T* from, std::int64_t from_stride, T* out, std::int64_t stride);
};

extern const Products<float> kProductsPortable;
extern const Products<double> kProductsDouble;
#if defined(ICFAST_AVX512)
extern const Products<float> kProductsAvx512;
#endif
#if defined(ICFAST_AVX512BF16)
extern const Products<float> kProductsAvx512Bf16;
#endif
#if defined(ICFAST_AMX)
extern const Products<float> kProductsAmx;
#endif
#if defined(ICFAST_AVX2)
extern const Products<float> kProductsAvx2;
#endif
#if defined(ICFAST_NEON)
extern const Products<float> kProductsNeon;
#endif

}  // namespace icfast
