// Portable version of the sieve, and the choice of the fastest version.
#include "sieve.hpp"

#include "icfast/isa.hpp"
#include "instantiate.hpp"

namespace icfast {

template <class Token>
std::int64_t sieve(const Token* tokens, std::int64_t size, Token low, Token span,
                   std::uint32_t* positions) {
#if defined(ICFAST_AVX512)
  if (use_avx512()) return sieve_avx512(tokens, size, low, span, positions);
#endif
  return sieve_on(tokens, 0, size, low, span, positions, 0);
}

#define ICFAST_TOKEN(T) \
  template std::int64_t sieve<T>(const T*, std::int64_t, T, T, std::uint32_t*);
ICFAST_FOR_EACH_TOKEN(ICFAST_TOKEN)
#undef ICFAST_TOKEN

}  // namespace icfast
