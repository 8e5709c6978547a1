// Losses of logits = hidden weight^T + bias, which exist a tile at a time.
//
// A call takes its rows in blocks as large as the scratch allows and goes through the vocabulary
// once for each: a tile of weights is packed, multiplied with all hidden states of the block,
// a few panels of them at a time, and the logits are swept while the second cache has them.
// Tiles begin where they begin for every batch, so a row's bits are its own.
#include <algorithm>
#include <cstddef>

#include "icfast/isa.hpp"
#include "icfast/losses.hpp"
#include "products.hpp"
#include "softmax.hpp"
#include "widen.hpp"

namespace icfast {
namespace {

constexpr int kLargestPanel = 32;
constexpr std::int64_t kRows = 2048;             // more would save little packing
constexpr std::int64_t kSpareRows = 16;          // of single numbers: the largest panel of them
constexpr std::int64_t kHiddenBytes = 16 << 20;  // of packed hidden states
constexpr std::int64_t kLine = 64;

std::int64_t up_to(std::int64_t size, std::int64_t multiple) {
  return (size + multiple - 1) / multiple * multiple;
}

/// How a width is cut.
struct Cuts {
  std::int64_t units;
  std::int64_t size;
  std::int64_t count;

  template <class T>
  Cuts(const Products<T>& products, std::int64_t width)
      : units(products.pairs ? (width + 1) / 2 : width),
        size(products.whole ? up_to(units, kGap) : kCut),
        count(size == 0 ? 0 : (units + size - 1) / size) {}

  std::int64_t stride() const { return size + kGap; }
};

struct Row {
  std::int64_t at;  // in the batch
  std::int64_t target;
  double target_logit;
  Kind kind;
  RowSums sums;
};

/// Bytes for what does not depend on how many rows there are, and for a row more.
template <class T>
struct Need {
  std::int64_t fixed;
  std::int64_t row;

  Need(const Products<T>& products, std::int64_t width)
      : Need(products, Cuts(products, width), width) {}
  Need(const Products<T>& products, const Cuts& cuts, std::int64_t width)
      : fixed((cuts.count * cuts.size + kMostRows) * products.tile_columns(width) *
                  static_cast<std::int64_t>(sizeof(T)) +
              4 * kLine),
        row(cuts.count * cuts.stride() * static_cast<std::int64_t>(sizeof(T)) +
            static_cast<std::int64_t>(sizeof(Row))) {}
};

/// A piece of the scratch, from the next cache line on.
template <class T>
T* carve(std::byte*& next, std::int64_t size) {
  const auto address = reinterpret_cast<std::uintptr_t>(next);
  std::byte* at = next + (up_to(static_cast<std::int64_t>(address % kLine), kLine) -
                          static_cast<std::int64_t>(address % kLine));
  next = at + size * static_cast<std::int64_t>(sizeof(T));
  return reinterpret_cast<T*>(at);
}

struct Problem {
  const Matrix& hidden;
  const Matrix& weight;
  const Matrix& bias;
  std::int64_t columns;
  Sweep sweep;
  bool always;  // rows without a target, too
};

/// Rows whose sums are made together.
template <class T>
class Block {
 public:
  Block(const Products<T>& products, const Problem& problem, const SoftmaxScale& scale,
        std::int64_t rows, std::uint8_t* scratch)
      : products_(products),
        problem_(problem),
        scale_(scale),
        tile_(products.tile_columns(problem.hidden.columns)),
        cuts_(products, problem.hidden.columns),
        room_(rows) {
    auto* next = reinterpret_cast<std::byte*>(scratch);
    packed_weight_ = carve<T>(next, cuts_.count * cuts_.size * tile_);
    logits_ =
        carve<T>(next, std::int64_t{products.panels} * products.panel * (tile_ + products.gap));
    packed_hidden_ = carve<T>(next, cuts_.count * cuts_.stride() * rows);
    rows_ = carve<Row>(next, rows);
  }

  std::int64_t size() const { return size_; }
  void add(const Row& row) { rows_[size_++] = row; }

  /// Sums of all rows, then each written out; empties the block.
  void finish(const TokenOut& out) {
    pack_hidden();
    find_target_logits();
    for (std::int64_t column = 0; column < problem_.columns; column += tile_) {
      add_tile(column, static_cast<int>(std::min<std::int64_t>(tile_, problem_.columns - column)));
    }
    for (Row* row = rows_; row != rows_ + size_; ++row) {
      scale_.target = row->target_logit;
      write_token(scale_, row->sums, row->kind, out, row->at);
    }
    size_ = 0;
  }

 private:
  int units_of(std::int64_t cut) const {
    return static_cast<int>(std::min(cuts_.size, cuts_.units - cut * cuts_.size));
  }

  T* hidden_at(std::int64_t cut, std::int64_t row) const {
    return packed_hidden_ + (cut * room_ + row) * cuts_.stride();
  }

  void pack_hidden() {
    std::int64_t chosen[kLargestPanel];
    for (std::int64_t first = 0; first < size_; first += products_.panel) {
      for (int r = 0; r < products_.panel; ++r) {
        chosen[r] = first + r < size_ ? rows_[first + r].at : -1;
      }
      for (std::int64_t cut = 0; cut < cuts_.count; ++cut) {
        products_.pack_hidden(problem_.hidden, chosen, cut * cuts_.size, units_of(cut),
                              hidden_at(cut, first));
      }
    }
  }

  /// Column `j` of a tile of logits is row chosen(j) of the weights; none where that is negative.
  template <class Chosen>
  void pack_weight(int strips, Chosen chosen) {
    std::int64_t rows[kLargestTile];
    for (int strip = 0; strip < strips; ++strip) {
      const int first = strip * products_.strip;
      for (int j = 0; j < products_.strip; ++j) rows[j] = chosen(first + j);
      for (std::int64_t cut = 0; cut < cuts_.count; ++cut) {
        products_.pack_weight(
            problem_.weight, rows, cut * cuts_.size, units_of(cut),
            packed_weight_ + (cut * strips + strip) * cuts_.size * products_.strip);
      }
    }
  }

  std::int64_t stride_of(int strips) const { return strips * products_.strip + products_.gap; }

  /// logits_[panels, strips] = bias + hidden states from row `first` on times the packed weights.
  void multiply(std::int64_t first, int panels, int strips, const T* bias) {
    const std::int64_t stride = stride_of(strips);
    for (std::int64_t cut = 0; cut < std::max<std::int64_t>(1, cuts_.count); ++cut) {
      products_.multiply(hidden_at(cut, first), panels,
                         packed_weight_ + cut * strips * cuts_.size * products_.strip, strips,
                         units_of(cut), cut == 0 ? bias : logits_, cut == 0 ? 0 : stride, logits_,
                         stride);
    }
  }

  T bias_at(std::int64_t column) const {
    T found{};
    if (problem_.bias.columns != 0 && column >= 0) widen(problem_.bias, column, 1, &found);
    return found;
  }

  /// The sweeps need them first, to count larger ones: as sums of the same products in the same
  /// order as in their tiles, so to the bit the same. A panel's targets are the columns of a strip,
  /// and what is looked for its diagonal.
  void find_target_logits() {
    const int panel = products_.panel;
    for (std::int64_t first = 0; first < size_; first += panel) {
      const auto target = [&](int j) {
        const bool wanted = j < panel && first + j < size_ && rows_[first + j].kind == Kind::scored;
        return wanted ? rows_[first + j].target : -1;
      };
      pack_weight(1, target);
      T bias[kLargestTile];
      for (int j = 0; j < products_.strip; ++j) bias[j] = bias_at(target(j));
      multiply(first, 1, 1, bias);
      for (int r = 0; r < panel && first + r < size_; ++r) {
        rows_[first + r].target_logit = static_cast<double>(logits_[r * stride_of(1) + r]);
      }
    }
  }

  void add_tile(std::int64_t column, int size) {
    const int strips = (size + products_.strip - 1) / products_.strip;
    const std::int64_t stride = stride_of(strips);
    pack_weight(strips, [&](int j) { return j < size ? column + j : -1; });
    T bias[kLargestTile] = {};
    if (problem_.bias.columns != 0) widen(problem_.bias, column, size, bias);
    const std::int64_t most = std::int64_t{products_.panels} * products_.panel;
    for (std::int64_t first = 0; first < size_; first += most) {
      const std::int64_t rows = std::min(most, size_ - first);
      const auto panels = static_cast<int>(up_to(rows, products_.panel) / products_.panel);
      multiply(first, panels, strips, bias);
      for (std::int64_t r = 0; r < rows; ++r) {
        Row& row = rows_[first + r];
        scale_.target = row.target_logit;
        problem_.sweep(logits_ + r * stride, size, scale_, row.sums);
      }
    }
  }

  const Products<T>& products_;
  const Problem& problem_;
  SoftmaxScale scale_;
  const int tile_;
  const Cuts cuts_;
  const std::int64_t room_;
  std::int64_t size_ = 0;
  T* packed_weight_;
  T* logits_;
  T* packed_hidden_;
  Row* rows_;
};

template <class T, class Target>
Status losses(const Products<T>& products, const Problem& problem, const Target* targets,
              const Softmax& softmax, std::uint8_t* scratch, std::int64_t scratch_bytes,
              const TokenOut& out) {
  const SoftmaxScale scale = SoftmaxScale::of(softmax);
  const auto kind_at = [&](std::int64_t r) {
    return kind_of_target(static_cast<std::int64_t>(targets[r]), softmax);
  };
  std::int64_t computed = 0;
  for (std::int64_t r = 0; r < problem.hidden.rows; ++r) {
    if (problem.always || kind_at(r) == Kind::scored) {
      ++computed;
    } else {
      write_token(scale, {}, kind_at(r), out, r);
    }
  }
  if (computed == 0) return {};

  const std::int64_t width = problem.hidden.columns;
  const Need<T> need(products, width);
  const std::int64_t panels = (scratch_bytes - need.fixed) / need.row / products.panel;
  if (panels <= 0) {
    return {Code::output_too_small, 0,
            static_cast<std::uint64_t>(need.fixed + need.row * products.panel)};
  }
  // Blocks of one size, or a short last one would pack all weights for a few rows.
  const std::int64_t most = panels * products.panel;
  const std::int64_t blocks = (computed + most - 1) / most;
  const std::int64_t rows = up_to((computed + blocks - 1) / blocks, products.panel);
  Block<T> block(products, problem, scale, rows, scratch);
  for (std::int64_t r = 0; r < problem.hidden.rows; ++r) {
    const Kind kind = kind_at(r);
    if (!problem.always && kind != Kind::scored) continue;
    block.add({r, static_cast<std::int64_t>(targets[r]), 0, kind, {}});
    if (block.size() == rows) block.finish(out);
  }
  if (block.size() != 0) block.finish(out);
  return {};
}

const Products<float>& products_of([[maybe_unused]] const Matrix& hidden,
                                   [[maybe_unused]] const Matrix& weight) {
  switch (isa()) {
#if defined(ICFAST_AMX)
    case Isa::amx:
      if (hidden.format == Format::bf16 && weight.format == Format::bf16) return kProductsAmx;
      return kProductsAvx512;
#endif
#if defined(ICFAST_AVX512)
    case Isa::avx512:
#if defined(ICFAST_AVX512BF16)
      if (hidden.format == Format::bf16 && weight.format == Format::bf16 &&
          __builtin_cpu_supports("avx512bf16")) {
        return kProductsAvx512Bf16;
      }
#endif
      return kProductsAvx512;
#endif
#if defined(ICFAST_AVX2)
    case Isa::avx2:
      return kProductsAvx2;
#endif
#if defined(ICFAST_NEON)
    case Isa::neon:
      return kProductsNeon;
#endif
    default:
      return kProductsPortable;
  }
}

}  // namespace

std::int64_t linear_scratch_bytes(std::int64_t width) {
  const Need<float> need(kProductsPortable, width);  // none needs more
  const Need<double> twice(kProductsDouble, width);
  const std::int64_t rows = std::clamp(kHiddenBytes / need.row, std::int64_t{kSpareRows}, kRows);
  return std::max(need.fixed + (rows + kSpareRows) * need.row,
                  twice.fixed + kSpareRows * twice.row);
}

template <class Target>
Status linear_cross_entropy(const Matrix& hidden, const Matrix& weight, const Matrix& bias,
                            const Target* targets, const Softmax& softmax, std::uint8_t* scratch,
                            std::int64_t scratch_bytes, const TokenOut& out) {
  const bool wide = hidden.format == Format::fp64 || weight.format == Format::fp64 ||
                    (bias.columns != 0 && bias.format == Format::fp64);
  const SweepKind kind{wide ? Format::fp64 : Format::fp32, softmax.softcap != 0,
                       out.entropy_nats != nullptr, out.ranks != nullptr};
  const Problem problem{
      hidden,         weight,
      bias,           softmax.columns,
      sweep_of(kind), out.logsumexp_nats != nullptr || out.entropy_nats != nullptr};
  const auto run = [&](const auto& products) {
    return losses(products, problem, targets, softmax, scratch, scratch_bytes, out);
  };
  return wide ? run(kProductsDouble) : run(products_of(hidden, weight));
}

#define ICFAST_TARGET(T)                                                                         \
  template Status linear_cross_entropy<T>(const Matrix&, const Matrix&, const Matrix&, const T*, \
                                          const Softmax&, std::uint8_t*, std::int64_t,           \
                                          const TokenOut&);
ICFAST_TARGET(std::int32_t)
ICFAST_TARGET(std::int64_t)
ICFAST_TARGET(std::uint16_t)
ICFAST_TARGET(std::uint32_t)
#undef ICFAST_TARGET

}  // namespace icfast
