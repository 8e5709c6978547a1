// Splits one-word keys in place with AVX-512: the first levels of a quicksort, which sorting the
// parts then saves. A split by eight bits at a time that exchanges single keys took ten times as
// long.
//
// The partition works from both ends. Keys that were read but not yet written leave a gap at each
// end. Reading at the end with the smaller gap keeps space for whole vectors at both.
#include <immintrin.h>

#include <algorithm>

#include "split_keys.hpp"

namespace icfast {
namespace {

using Vec = __m512i;

constexpr std::int64_t kLanes = 8;
constexpr std::int64_t kStride = 4 * kLanes;  // keys read at a time
constexpr int kSample = 33;
constexpr int kLevels = 8;  // 2^8 parts
static_assert(1 << kLevels == kParts);
static_assert(kLeastSplit >= 2 * kStride + kLanes && kLeastSplit >= kSample);

/// State of the two write positions, and what is learnt on the way.
class Ends {
 public:
  Ends(std::uint64_t* keys, std::int64_t size, std::uint64_t pivot, bool or_equal)
      : low_(keys), high_(keys + size), pivot_(_mm512_set1_epi64(static_cast<long long>(pivot))) {
    // Below or equal means below the next larger key. The largest key is never used with or_equal,
    // since no key would be above it.
    bound_ = _mm512_add_epi64(pivot_, _mm512_set1_epi64(or_equal ? 1 : 0));
  }

  /// Writes keys below the bound to the low end and the others to the high end. Either end has
  /// space for 8 keys.
  void write(Vec keys) {
    const __mmask8 below = _mm512_cmplt_epu64_mask(keys, bound_);
    const auto above = static_cast<__mmask8>(~below);
    differing_ =
        _mm512_mask_or_epi64(differing_, above, differing_, _mm512_xor_si512(keys, pivot_));
    const int lows = __builtin_popcount(below);
    // Low keys come first, then high keys. The vector is stored twice, and each store keeps one
    // half.
    const Vec parted = _mm512_mask_expand_epi64(_mm512_maskz_compress_epi64(below, keys),
                                                static_cast<__mmask8>(0xff << lows),
                                                _mm512_maskz_compress_epi64(above, keys));
    _mm512_storeu_si512(low_, parted);
    low_ += lows;
    _mm512_storeu_si512(high_ - kLanes, parted);
    high_ -= kLanes - lows;
  }

  std::uint64_t* low() const { return low_; }
  std::uint64_t* high() const { return high_; }
  /// Whether every key at the high end equals the pivot.
  bool high_equal() const { return _mm512_test_epi64_mask(differing_, differing_) == 0; }

 private:
  std::uint64_t* low_;
  std::uint64_t* high_;
  Vec pivot_;
  Vec bound_;
  Vec differing_ = _mm512_setzero_si512();
};

struct Cut {
  std::int64_t low;  // keys at the low end
  bool high_equal;   // all other keys equal the pivot
};

/// Moves keys below the pivot (or_equal: also equal keys) to the front.
Cut partition(std::uint64_t* keys, std::int64_t size, std::uint64_t pivot, bool or_equal) {
  // Process whole vectors; the remaining keys are inserted at the end.
  const std::int64_t whole = size - size % kLanes;
  Ends ends(keys, whole, pivot, or_equal);
  Vec held[2 * kStride / kLanes];
  for (std::int64_t i = 0; i < kStride; i += kLanes) {
    held[2 * i / kLanes] = _mm512_loadu_si512(keys + i);
    held[2 * i / kLanes + 1] = _mm512_loadu_si512(keys + whole - kLanes - i);
  }
  std::uint64_t* first = keys + kStride;
  std::uint64_t* last = keys + whole - kStride;
  while (last - first >= kStride) {
    const bool from_low = first - ends.low() <= ends.high() - last;
    last -= from_low ? 0 : kStride;
    const std::uint64_t* from = from_low ? first : last;
    first += from_low ? kStride : 0;
    Vec v[kStride / kLanes];
    for (std::int64_t i = 0; i < kStride; i += kLanes) v[i / kLanes] = _mm512_loadu_si512(from + i);
    for (const Vec& keys_read : v) ends.write(keys_read);
  }
  while (first < last) {
    const bool from_low = first - ends.low() <= ends.high() - last;
    last -= from_low ? 0 : kLanes;
    const Vec v = _mm512_loadu_si512(from_low ? first : last);
    first += from_low ? kLanes : 0;
    ends.write(v);
  }
  for (const Vec& v : held) ends.write(v);
  Cut cut{ends.low() - keys, ends.high_equal()};
  for (std::int64_t i = whole; i < size; ++i) {
    const std::uint64_t key = keys[i];
    if (key < pivot || (or_equal && key == pivot)) {
      keys[i] = keys[cut.low];
      keys[cut.low++] = key;
    } else {
      cut.high_equal = cut.high_equal && key == pivot;
    }
  }
  return cut;
}

/// Median of evenly spaced keys.
std::uint64_t choose_pivot(const std::uint64_t* keys, std::int64_t size) {
  std::uint64_t sample[kSample];
  for (int i = 0; i < kSample; ++i) sample[i] = keys[(2 * i + 1) * (size / (2 * kSample))];
  std::nth_element(sample, sample + kSample / 2, sample + kSample);
  return sample[kSample / 2];
}

/// Splits keys [begin, end) until parts are small, equal or 2^levels many; returns the position of
/// the next part's bound.
class Splitter {
 public:
  Splitter(std::uint64_t* keys, std::int64_t largest, std::int64_t* bounds)
      : keys_(keys), largest_(std::max(largest, kLeastSplit)), next_(bounds + 1) {}

  void split(std::int64_t begin, std::int64_t end, int levels) {
    const std::int64_t size = end - begin;
    if (size <= largest_ || levels == 0) return close(end);
    std::uint64_t* keys = keys_ + begin;
    const std::uint64_t pivot = choose_pivot(keys, size);
    Cut cut = partition(keys, size, pivot, false);
    if (cut.low == 0) {
      if (cut.high_equal) return close(end);
      // The pivot is the smallest key: the keys equal to it are a part.
      cut = partition(keys, size, pivot, true);
      close(begin + cut.low);
    } else {
      split(begin, begin + cut.low, levels - 1);
      if (cut.high_equal) return close(end);
    }
    split(begin + cut.low, end, levels - 1);
  }

 private:
  void close(std::int64_t end) { *next_++ = end; }

  std::uint64_t* keys_;
  std::int64_t largest_;
  std::int64_t* next_;
};

}  // namespace

void split_avx512(std::uint64_t* keys, std::int64_t size, std::int64_t largest,
                  std::int64_t* bounds) {
  // All keys are always split: a single part means that they are equal.
  Splitter(keys, std::min(largest, size - 1), bounds).split(0, size, kLevels);
}

}  // namespace icfast
