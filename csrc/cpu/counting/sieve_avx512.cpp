// AVX-512 version of the sieve: compares a vector of ids at once and compresses the positions kept.
#include <immintrin.h>

#include "instantiate.hpp"
#include "sieve.hpp"

namespace icfast {
namespace {

constexpr std::int64_t kPlaces = 16;  // positions per vector
constexpr std::int64_t kAhead =
    2048;  // tokens to prefetch; the work on kept tokens interrupts the hardware prefetcher

/// Bit i is set if lane i, counted from low, is at most span.
template <class Token>
std::uint64_t kept_lanes(const Token* tokens, Token low, Token span);

template <>
std::uint64_t kept_lanes(const std::uint8_t* tokens, std::uint8_t low, std::uint8_t span) {
  const __m512i ids = _mm512_loadu_si512(tokens);
  const __m512i above = _mm512_sub_epi8(ids, _mm512_set1_epi8(static_cast<char>(low)));
  return _mm512_cmple_epu8_mask(above, _mm512_set1_epi8(static_cast<char>(span)));
}

template <>
std::uint64_t kept_lanes(const std::uint16_t* tokens, std::uint16_t low, std::uint16_t span) {
  const __m512i ids = _mm512_loadu_si512(tokens);
  const __m512i above = _mm512_sub_epi16(ids, _mm512_set1_epi16(static_cast<short>(low)));
  return _mm512_cmple_epu16_mask(above, _mm512_set1_epi16(static_cast<short>(span)));
}

template <>
std::uint64_t kept_lanes(const std::uint32_t* tokens, std::uint32_t low, std::uint32_t span) {
  const __m512i ids = _mm512_loadu_si512(tokens);
  const __m512i above = _mm512_sub_epi32(ids, _mm512_set1_epi32(static_cast<int>(low)));
  return _mm512_cmple_epu32_mask(above, _mm512_set1_epi32(static_cast<int>(span)));
}

}  // namespace

template <class Token>
std::int64_t sieve_avx512(const Token* tokens, std::int64_t size, Token low, Token span,
                          std::uint32_t* positions) {
  constexpr std::int64_t kLanes = 64 / sizeof(Token);
  const __m512i first = _mm512_set_epi32(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  std::int64_t found = 0;
  std::int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) {
    _mm_prefetch(tokens + i + kAhead, _MM_HINT_T0);
    const std::uint64_t kept = kept_lanes(tokens + i, low, span);
    // Compress in registers and store whole vectors, because compressing stores are microcoded on
    // some machines.
    for (std::int64_t at = 0; at < kLanes; at += kPlaces) {
      const auto here = static_cast<__mmask16>(kept >> at);
      const __m512i places = _mm512_add_epi32(first, _mm512_set1_epi32(static_cast<int>(i + at)));
      _mm512_storeu_si512(positions + found, _mm512_maskz_compress_epi32(here, places));
      found += __builtin_popcount(here);
    }
  }
  return sieve_on(tokens, i, size, low, span, positions, found);
}

#define ICFAST_TOKEN(T) \
  template std::int64_t sieve_avx512<T>(const T*, std::int64_t, T, T, std::uint32_t*);
ICFAST_FOR_EACH_TOKEN(ICFAST_TOKEN)
#undef ICFAST_TOKEN

}  // namespace icfast
