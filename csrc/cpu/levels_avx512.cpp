// Levels with AVX-512: eight n-grams at a time, those kept compressed in registers.
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

/// Lanes that hold one of `left` elements.
__mmask8 valid_lanes(std::int64_t left) {
  return left >= kLanes ? 0xff : static_cast<__mmask8>((1 << left) - 1);
}

/// Chosen lanes to the front; the lanes behind them hold nothing.
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
    // Nothing kept outruns the reading, so whole vectors can be stored.
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

std::int64_t append_avx512(Level& level, const std::uint64_t* keys, const std::uint64_t* counts,
                           std::int64_t size, int order, int bits, std::uint64_t& total) {
  // Two keys share their newest symbols where they differ by less than the older ones hold.
  Vec older[64];
  for (int n = 2; n < order; ++n) older[n] = all(std::uint64_t{1} << bits * (order - n));
  const Vec zero = _mm512_setzero_si512();
  Vec before = all(total);
  for (std::int64_t i = 0; i < size; i += kLanes) {
    const __mmask8 valid = valid_lanes(size - i);
    const Vec key = _mm512_maskz_loadu_epi64(valid, keys + i);
    const Vec last = _mm512_maskz_loadu_epi64(valid, keys + i - 1);
    const __mmask8 descends = _mm512_mask_cmple_epu64_mask(valid, key, last);
    if (descends != 0) return i + __builtin_ctz(descends);
    const Vec differing = _mm512_xor_si512(key, last);
    Vec mark = all(mark_of(1, order - 1));
    for (int n = 2; n < order; ++n) {
      const __mmask8 shared = _mm512_cmplt_epu64_mask(differing, older[n]);
      mark = _mm512_mask_add_epi64(mark, shared, mark, all(1));
    }
    // A history that is cut ends in zeros.
    __mmask8 cut = valid;
    for (int n = 1; n < order && cut != 0; ++n) {
      cut = _mm512_mask_testn_epi64_mask(cut, key, all(~std::uint64_t{0} >> (64 - bits * n)));
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

}  // namespace icfast
