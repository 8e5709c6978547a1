// Finds the few tokens whose windows a pass keeps.
#pragma once
#include <cstdint>

namespace icfast {

inline constexpr std::int64_t kSieve = 1024;  // tokens searched at a time
inline constexpr std::int64_t kSieveCapacity =
    1040;  // entries of positions, since whole vectors are stored

/// positions[i] = position of the i-th token with low <= id <= low + span, of `size` tokens (at
/// most kSieve). Returns their number.
template <class Token>
std::int64_t sieve(const Token* tokens, std::int64_t size, Token low, Token span,
                   std::uint32_t* positions);

/// Continues from token i with `found` positions. It is always inlined, because units compiled for
/// different machines must not share a copy.
template <class Token>
[[gnu::always_inline]] inline std::int64_t sieve_on(const Token* tokens, std::int64_t i,
                                                    std::int64_t size, Token low, Token span,
                                                    std::uint32_t* positions, std::int64_t found) {
  for (; i < size; ++i) {
    positions[found] = static_cast<std::uint32_t>(i);
    found += static_cast<Token>(tokens[i] - low) <= span;
  }
  return found;
}

#if defined(ICFAST_AVX512)
template <class Token>
std::int64_t sieve_avx512(const Token* tokens, std::int64_t size, Token low, Token span,
                          std::uint32_t* positions);
#endif

}  // namespace icfast
