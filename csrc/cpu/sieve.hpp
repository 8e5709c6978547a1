// Looking through tokens for the few whose windows a pass keeps.
#pragma once
#include <cstdint>

namespace icfast {

inline constexpr std::int64_t kSieve = 1024;      // tokens looked through at a time
inline constexpr std::int64_t kSieveRoom = 1040;  // positions; whole vectors are stored

/// positions[i] = place of the i-th of `size` tokens (at most kSieve) with low <= id <= low + span;
/// returns how many there are.
template <class Token>
std::int64_t sieve(const Token* tokens, std::int64_t size, Token low, Token span,
                   std::uint32_t* positions);

#if defined(ICFAST_AVX512)
template <class Token>
std::int64_t sieve_avx512(const Token* tokens, std::int64_t size, Token low, Token span,
                          std::uint32_t* positions);
#endif

}  // namespace icfast
