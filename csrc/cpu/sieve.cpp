// The sieve on any machine, and the choice of something faster.
#include "sieve.hpp"

#include "instantiate.hpp"
#include "isa.hpp"

namespace icfast {

template <class Token>
std::int64_t sieve(const Token* tokens, std::int64_t size, Token low, Token span,
                   std::uint32_t* positions) {
#if defined(ICFAST_AVX512)
  if (use_avx512()) return sieve_avx512(tokens, size, low, span, positions);
#endif
  std::int64_t found = 0;
  for (std::int64_t i = 0; i < size; ++i) {
    positions[found] = static_cast<std::uint32_t>(i);
    found += static_cast<Token>(tokens[i] - low) <= span;
  }
  return found;
}

#define ICFAST_TOKEN(T) \
  template std::int64_t sieve<T>(const T*, std::int64_t, T, T, std::uint32_t*);
ICFAST_FOR_EACH_TOKEN(ICFAST_TOKEN)
#undef ICFAST_TOKEN

}  // namespace icfast
