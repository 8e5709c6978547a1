// The sweep of softmax.hpp once for all instruction sets. A unit of one of them defines a struct
// Simd in its anonymous namespace and takes table<Simd>(): all of its code stays its own.
//
// Simd has vectors of kLanes fp32 (Vec) and of half as many fp64 (Half), with operators, and
//   load(from, a, b)      2 kLanes numbers of a format as fp32, in any order
//   scaled(x, c, k)       x c - k, rounded once
//   fma, fma_wide(a, b, c)  a b + c, rounded once where that is fast
//   exp2(t)               2^t to 1e-7; 0 below -127; infinite from 128 on; NaN for NaN
//   max(a, b)             b where a is NaN
//   scale(p, n)           p 2^n in fp64, n whole, within +-1022
// and count, total, largest, low, high, join, floor, clamp as their names say.
#pragma once
#include <cstdint>

#include "softmax.hpp"

namespace icfast {
namespace {

/// How 16-bit numbers are stored, as types to load.
struct Bf16 {
  std::uint16_t bits;
  static constexpr std::uint16_t kLowest = 0xff80;  // -inf
};
struct Fp16 {
  std::uint16_t bits;
  static constexpr std::uint16_t kLowest = 0xfc00;
};
struct Fp32 {
  std::uint32_t bits;
  static constexpr std::uint32_t kLowest = 0xff800000;
};

template <class Source>
constexpr Format kFormatOf = Format::fp32;
template <>
inline constexpr Format kFormatOf<Bf16> = Format::bf16;
template <>
inline constexpr Format kFormatOf<Fp16> = Format::fp16;

constexpr float kInf = __builtin_inff();

/// 2^t in fp64 to 2e-14, |t| <= 1000.
template <class Simd>
typename Simd::Half exp2_wide(typename Simd::Half t) {
  const typename Simd::Half whole = Simd::floor(t);
  const typename Simd::Half f = t - whole;
  typename Simd::Half p = Simd::all_wide(kExp2Fp64[9]);
  for (int i = 8; i >= 0; --i) p = Simd::fma_wide(p, f, Simd::all_wide(kExp2Fp64[i]));
  return Simd::scale(p, whole);
}

template <class Simd, class Source, bool kCapped, bool kEntropy, bool kRanks>
class Sweeper {
 public:
  static void sweep(const void* logits, std::int64_t size, const SoftmaxScale& scale,
                    RowSums& sums) {
    Sweeper(scale, sums).run(static_cast<const Source*>(logits), size);
  }

 private:
  using Vec = typename Simd::Vec;
  using Half = typename Simd::Half;

  static constexpr std::int64_t kPair = 2 * Simd::kLanes;
  static constexpr std::int64_t kBlock = 32 * kPair;  // short chains of fp32 sums
  /// A lane's sum that no t above 8 is part of. No maximum is kept beside it: where k is up to date
  /// a lane holds 32 2^0.5 at most. In t 2^t, more is lost by a larger t.
  static constexpr float kMost = kEntropy ? 64 : 256;

  /// What one block adds, fp32; the two vectors of a pair apart.
  struct Block {
    Vec sum[2];
    Vec weighted[2];
    typename Simd::Count larger;
  };

  Sweeper(const SoftmaxScale& scale, RowSums& sums)
      : scale_(scale),
        sums_(sums),
        c_(Simd::all(scale.c)),
        target_(Simd::all(static_cast<float>(scale.target))),
        slope_(Simd::all_wide(kCapped ? 2 * kLog2E / scale.softcap : 0)),
        cap_(Simd::all_wide(static_cast<double>(scale.c) * scale.softcap)) {}

  void run(const Source* logits, std::int64_t size) {
    for (std::int64_t at = 0; at < size; at += kBlock) {
      add_block(logits + at, size - at < kBlock ? size - at : kBlock);
    }
    sums_.fast.sum += Simd::total(sum_[0] + sum_[1]);
    if constexpr (kEntropy) sums_.fast.weighted += Simd::total(weighted_[0] + weighted_[1]);
  }

  void add_block(const Source* x, std::int64_t size) {
    if (sums_.fast.k == PowerSum::kNone && !raise(x, size)) return add_wide(x, size);
    Block block;
    sweep_block(x, size, block);
    if (Simd::any_above(Simd::max(block.sum[0], block.sum[1]), kMost)) {
      if (!raise(x, size)) return add_wide(x, size);
      sweep_block(x, size, block);
    }
    const Vec sum = block.sum[0] + block.sum[1];
    sum_[0] += Simd::low(sum);
    sum_[1] += Simd::high(sum);
    if constexpr (kEntropy) {
      const Vec weighted = block.weighted[0] + block.weighted[1];
      weighted_[0] += Simd::low(weighted);
      weighted_[1] += Simd::high(weighted);
    }
    if constexpr (kRanks) sums_.larger += Simd::total(block.larger);
  }

  /// Sets k to the largest logit of a block; false where fp32 can't take it.
  bool raise(const Source* x, std::int64_t size) {
    const double top = scale_.capped(static_cast<double>(largest(x, size)));
    const double t = static_cast<double>(scale_.c) * top;
    if (!scale_.fits_fp32 || !(t >= -PowerSum::kLargest && t <= PowerSum::kLargest)) return false;
    PowerSum& fast = sums_.fast;
    if (fast.k != PowerSum::kNone) {
      fast.sum += Simd::total(sum_[0] + sum_[1]);
      if constexpr (kEntropy) fast.weighted += Simd::total(weighted_[0] + weighted_[1]);
      sum_[0] = sum_[1] = weighted_[0] = weighted_[1] = Simd::all_wide(0);
    }
    fast.raise(rint(t));
    return true;
  }

  void add_wide(const Source* x, std::int64_t size) {
    wide_sweep(kFormatOf<Source>)(x, size, scale_, sums_);
  }

  /// call(vector, which of a pair) for all of a block; a short end is filled up with -inf.
  template <class Call>
  static void for_each_vector(const Source* x, std::int64_t size, Call call) {
    Vec a;
    Vec b;
    std::int64_t i = 0;
    for (; i + kPair <= size; i += kPair) {
      Simd::load(x + i, a, b);
      call(a, 0);
      call(b, 1);
    }
    if (i == size) return;
    Source end[kPair];
    for (std::int64_t j = 0; j < kPair; ++j) end[j].bits = Source::kLowest;
    __builtin_memcpy(end, x + i, static_cast<std::size_t>(size - i) * sizeof(Source));
    Simd::load(end, a, b);
    call(a, 0);
    call(b, 1);
  }

  static float largest(const Source* x, std::int64_t size) {
    Vec top[2] = {Simd::all(-kInf), Simd::all(-kInf)};
    for_each_vector(x, size, [&](Vec v, int which) { top[which] = Simd::max(v, top[which]); });
    return Simd::largest(Simd::max(top[0], top[1]));
  }

  void sweep_block(const Source* x, std::int64_t size, Block& block) const {
    const Vec zero = Simd::all(0);
    const Vec k = Simd::all(static_cast<float>(sums_.fast.k));
    Vec sum[2] = {zero, zero};
    Vec weighted[2] = {zero, zero};
    typename Simd::Count larger{};
    for_each_vector(x, size, [&](Vec v, int which) {
      if constexpr (kRanks) Simd::count_above(larger, v, target_);
      const Vec t = kCapped ? capped(v) : Simd::scaled(v, c_, k);
      const Vec p = Simd::exp2(t);
      sum[which] += p;
      // Where p is 0, t may be -inf; the order of operands keeps NaN.
      if constexpr (kEntropy) {
        weighted[which] = Simd::fma(p, Simd::max(Simd::all(-127), t), weighted[which]);
      }
    });
    block = {{sum[0], sum[1]}, {weighted[0], weighted[1]}, larger};
  }

  /// t of capped logits: c cap tanh(x / cap) - k in fp64, since fp32 can't hold what the largest
  /// logits differ by; tanh(u) = 1 - 2 / (e^2u + 1).
  Vec capped(Vec x) const {
    const Vec t = Simd::join(capped(Simd::low(x)), capped(Simd::high(x)));
    return Simd::unless_infinite(x, t);
  }

  Half capped(Half x) const {
    const Half one = Simd::all_wide(1);
    const Half power = Simd::clamp(x * slope_, Simd::all_wide(-64), Simd::all_wide(64));
    const Half tanh = one - (one + one) / (one + exp2_wide<Simd>(power));
    return cap_ * tanh - Simd::all_wide(sums_.fast.k);
  }

  const SoftmaxScale& scale_;
  RowSums& sums_;
  const Vec c_;
  const Vec target_;
  const Half slope_;
  const Half cap_;
  Half sum_[2] = {Simd::all_wide(0), Simd::all_wide(0)};
  Half weighted_[2] = {Simd::all_wide(0), Simd::all_wide(0)};
};

/// Logits of fp64 to the reference a first block gave; what does not fit it goes where that did.
template <class Simd, bool kEntropy, bool kRanks>
class WideSweeper {
 public:
  static void sweep(const void* logits, std::int64_t size, const SoftmaxScale& scale,
                    RowSums& sums) {
    const auto* x = static_cast<const double*>(logits);
    for (std::int64_t at = 0; at < size; at += kBlock) {
      const std::int64_t part = size - at < kBlock ? size - at : kBlock;
      const bool whole = part == kBlock && sums.wide.sum != 0;
      if (!whole || !add_block(x + at, scale, sums)) {
        wide_sweep(Format::fp64)(x + at, part, scale, sums);
      }
    }
  }

 private:
  using Half = typename Simd::Half;

  static constexpr std::int64_t kLanes = Simd::kLanes / 2;
  static constexpr std::int64_t kBlock = 256;

  /// False where something is NaN, infinite or beyond 2^500 of the reference.
  static bool add_block(const double* x, const SoftmaxScale& scale, RowSums& sums) {
    const Half reference = Simd::all_wide(sums.wide.reference);
    const Half slope = Simd::all_wide(kLog2E / scale.temperature);
    const Half zero = Simd::all_wide(0);
    Half sum[4] = {zero, zero, zero, zero};
    Half weighted[4] = {zero, zero, zero, zero};
    for (std::int64_t i = 0; i < kBlock; i += 4 * kLanes) {
      for (int which = 0; which < 4; ++which) {
        Half v;
        __builtin_memcpy(&v, x + i + which * kLanes, sizeof v);
        const Half t =
            Simd::clamp((v - reference) * slope, Simd::all_wide(-1000), Simd::all_wide(1000));
        const Half p = exp2_wide<Simd>(t);
        sum[which] += p;
        if constexpr (kEntropy) weighted[which] = Simd::fma_wide(p, t, weighted[which]);
      }
    }
    const double total = Simd::total((sum[0] + sum[1]) + (sum[2] + sum[3]));
    if (!(total < 0x1p500)) return false;
    sums.wide.sum += total;
    if constexpr (kEntropy) {
      sums.wide.weighted +=
          Simd::total((weighted[0] + weighted[1]) + (weighted[2] + weighted[3])) / kLog2E;
    }
    if constexpr (kRanks) {
      for (std::int64_t i = 0; i < kBlock; ++i) sums.larger += x[i] > scale.target;
    }
    return true;
  }
};

template <class Simd>
Sweep wide_sweep_for(const SweepKind& kind) {
  if (kind.capped) return wide_sweep(Format::fp64);
  constexpr Sweep kTable[2][2] = {
      {&WideSweeper<Simd, false, false>::sweep, &WideSweeper<Simd, false, true>::sweep},
      {&WideSweeper<Simd, true, false>::sweep, &WideSweeper<Simd, true, true>::sweep},
  };
  return kTable[kind.entropy][kind.ranks];
}

template <class Simd, class Source>
Sweep sweep_for(const SweepKind& kind) {
  constexpr Sweep kTable[2][2][2] = {
      {{&Sweeper<Simd, Source, false, false, false>::sweep,
        &Sweeper<Simd, Source, false, false, true>::sweep},
       {&Sweeper<Simd, Source, false, true, false>::sweep,
        &Sweeper<Simd, Source, false, true, true>::sweep}},
      {{&Sweeper<Simd, Source, true, false, false>::sweep,
        &Sweeper<Simd, Source, true, false, true>::sweep},
       {&Sweeper<Simd, Source, true, true, false>::sweep,
        &Sweeper<Simd, Source, true, true, true>::sweep}},
  };
  return kTable[kind.capped][kind.entropy][kind.ranks];
}

template <class Simd>
Sweep table(const SweepKind& kind) {
  switch (kind.format) {
    case Format::bf16:
      return sweep_for<Simd, Bf16>(kind);
    case Format::fp16:
      return sweep_for<Simd, Fp16>(kind);
    case Format::fp32:
      return sweep_for<Simd, Fp32>(kind);
    case Format::fp64:
      break;
  }
  return wide_sweep_for<Simd>(kind);
}

}  // namespace
}  // namespace icfast
