// AVX-512 version of the level operations: eight n-grams at a time, compressed in registers.
#include <immintrin.h>

#include <algorithm>

#include "levels.hpp"

namespace icfast {
namespace {

using Vec = __m512i;

constexpr std::int64_t kLanes = 8;

Vec all(std::uint64_t value) { return _mm512_set1_epi64(static_cast<long long>(value)); }
Vec load(const std::uint64_t* from) { return _mm512_loadu_si512(from); }
Vec lanes() { return _mm512_set_epi64(7, 6, 5, 4, 3, 2, 1, 0); }

/// Mask of the lanes that have one of `left` elements.
__mmask8 valid_lanes(std::int64_t left) {
  return left >= kLanes ? 0xff : static_cast<__mmask8>((1 << left) - 1);
}

/// Moves chosen lanes to the front. The other lanes are undefined.
void keep(std::uint64_t* to, __mmask8 chosen, Vec v) {
  _mm512_storeu_si512(to, _mm512_maskz_compress_epi64(chosen, v));
}

}  // namespace

void sums_avx512(const Level& level, const std::uint64_t* sums, int n, Closed& closed) {
  const Vec complete = all(mark_of(0, n - 1));
  std::uint64_t ones = 0;
  std::uint64_t twos = 0;
  std::int64_t others = 0;
  std::int64_t incomplete = 0;
  for (std::int64_t i = 0; i + 1 < level.size; i += kLanes) {
    const __mmask8 valid = valid_lanes(level.size - 1 - i);
    const Vec sum = _mm512_sub_epi64(load(sums + i + 1), load(sums + i));
    const __mmask8 whole = _mm512_mask_cmpge_epu64_mask(valid, load(level.mark + i), complete);
    const __mmask8 other = _mm512_mask_cmpgt_epu64_mask(whole, sum, all(2));
    ones += __builtin_popcount(_mm512_mask_cmpeq_epi64_mask(whole, sum, all(1)));
    twos += __builtin_popcount(_mm512_mask_cmpeq_epi64_mask(whole, sum, all(2)));
    keep(closed.other + others, other, sum);
    others += __builtin_popcount(other);
    if (whole != valid) {
      const auto partial = static_cast<__mmask8>(valid & ~whole);
      keep(closed.at + incomplete, partial, _mm512_add_epi64(lanes(), _mm512_set1_epi64(i)));
      incomplete += __builtin_popcount(partial);
    }
  }
  closed.ones = ones;
  closed.twos = twos;
  closed.others = others;
  closed.incomplete = incomplete;
}

void shorten_avx512(Level& level, int n) {
  std::int64_t kept = 1;
  for (std::int64_t i = 1; i < level.size; i += kLanes) {
    // Writes never overtake reads, so whole vectors can be stored.
    const Vec mark = load(level.mark + i);
    const __mmask8 begins = _mm512_mask_cmplt_epu64_mask(
        valid_lanes(level.size - i), _mm512_and_si512(mark, all(0xff)), _mm512_set1_epi64(n));
    keep(level.mark + kept, begins, mark);
    keep(level.windows + kept, begins, load(level.windows + i));
    if (level.ended) keep(level.followed + kept, begins, load(level.followed + i));
    keep(level.children + kept, begins, _mm512_add_epi64(lanes(), _mm512_set1_epi64(i)));
    kept += __builtin_popcount(begins);
  }
  level.size = kept;
}

namespace {

/// Eight keys, word by word.
template <int W>
struct Keys {
  Vec word[W];
};

/// Loads the first `left` of eight consecutive keys.
Keys<1> load(const Key<1>* keys, std::int64_t left) {
  return {{_mm512_maskz_loadu_epi64(valid_lanes(left), keys)}};
}

Keys<2> load(const Key<2>* keys, std::int64_t left) {
  const Vec low = _mm512_maskz_loadu_epi64(valid_lanes(2 * left), keys);
  const Vec high = _mm512_maskz_loadu_epi64(valid_lanes(std::max<std::int64_t>(2 * left - 8, 0)),
                                            keys + kLanes / 2);
  const Vec even = _mm512_set_epi64(14, 12, 10, 8, 6, 4, 2, 0);
  const Vec odd = _mm512_set_epi64(15, 13, 11, 9, 7, 5, 3, 1);
  return {{_mm512_permutex2var_epi64(low, even, high), _mm512_permutex2var_epi64(low, odd, high)}};
}

/// Mask of the least significant `bits` of a key, or of the others.
template <int W>
Keys<W> low_bits(int bits, bool others) {
  Keys<W> mask;
  for (int w = 0; w < W; ++w) {
    const int here = std::clamp(bits - 64 * (W - 1 - w), 0, 64);
    const std::uint64_t low = here == 0 ? 0 : ~std::uint64_t{0} >> (64 - here);
    mask.word[w] = all(others ? ~low : low);
  }
  return mask;
}

/// Chosen lanes in which no bit of the mask is set.
template <int W>
__mmask8 are_zero(__mmask8 chosen, const Keys<W>& keys, const Keys<W>& mask) {
  for (int w = 0; w < W; ++w) {
    chosen = _mm512_mask_testn_epi64_mask(chosen, keys.word[w], mask.word[w]);
  }
  return chosen;
}

/// Lanes whose key is not above the other key.
template <int W>
__mmask8 not_above(__mmask8 valid, const Keys<W>& keys, const Keys<W>& others) {
  __mmask8 found = _mm512_mask_cmple_epu64_mask(valid, keys.word[W - 1], others.word[W - 1]);
  for (int w = W - 2; w >= 0; --w) {
    found = _mm512_mask_cmpeq_epi64_mask(found, keys.word[w], others.word[w]) |
            _mm512_mask_cmplt_epu64_mask(valid, keys.word[w], others.word[w]);
  }
  return found;
}

}  // namespace

template <int W>
std::int64_t append_avx512(Level& level, const Key<W>* keys, const std::uint64_t* counts,
                           std::int64_t size, int order, int bits, std::uint64_t& total) {
  // Two keys share their newest symbols if only older ones differ.
  Keys<W> newest[64];
  for (int n = 2; n < order; ++n) newest[n] = low_bits<W>(bits * (order - n), true);
  const Vec zero = _mm512_setzero_si512();
  Vec before = all(total);
  for (std::int64_t i = 0; i < size; i += kLanes) {
    const __mmask8 valid = valid_lanes(size - i);
    const Keys<W> key = load(keys + i, size - i);
    const Keys<W> last = load(keys + i - 1, size - i);
    const __mmask8 descends = not_above(valid, key, last);
    if (descends != 0) return i + __builtin_ctz(descends);
    Keys<W> differing;
    for (int w = 0; w < W; ++w) differing.word[w] = _mm512_xor_si512(key.word[w], last.word[w]);
    Vec mark = all(mark_of(1, order - 1));
    for (int n = 2; n < order; ++n) {
      mark = _mm512_mask_add_epi64(mark, are_zero(valid, differing, newest[n]), mark, all(1));
    }
    // A history that reaches the document's start ends in zeros.
    __mmask8 cut = valid;
    for (int n = 1; n < order && cut != 0; ++n) {
      cut = are_zero(cut, key, low_bits<W>(bits * n, false));
      mark = _mm512_mask_sub_epi64(mark, cut, mark, all(mark_of(0, 1)));
    }
    const Vec count = _mm512_maskz_loadu_epi64(valid, counts + i);
    Vec sum = _mm512_add_epi64(count, _mm512_alignr_epi64(count, zero, 7));
    sum = _mm512_add_epi64(sum, _mm512_alignr_epi64(sum, zero, 6));
    sum = _mm512_add_epi64(sum, _mm512_alignr_epi64(sum, zero, 4));
    _mm512_storeu_si512(level.mark + level.size + i, mark);
    _mm512_storeu_si512(level.windows + level.size + i,
                        _mm512_add_epi64(before, _mm512_sub_epi64(sum, count)));
    before = _mm512_add_epi64(before, _mm512_permutexvar_epi64(_mm512_set1_epi64(7), sum));
  }
  total = static_cast<std::uint64_t>(_mm_cvtsi128_si64(_mm512_castsi512_si128(before)));
  level.size += size;
  return size;
}

#define ICFAST_APPENDED(W)                                                            \
  template std::int64_t append_avx512<W>(Level&, const Key<W>*, const std::uint64_t*, \
                                         std::int64_t, int, int, std::uint64_t&);
ICFAST_APPENDED(1)
ICFAST_APPENDED(2)
#undef ICFAST_APPENDED

}  // namespace icfast
