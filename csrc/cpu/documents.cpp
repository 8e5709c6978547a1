// Kernels that look at ids alone: how often each occurs, and the hash of each document.
#include <algorithm>

#include "icfast/kernels.hpp"
#include "icfast/scalars.hpp"
#include "instantiate.hpp"

namespace icfast {

template <class Token>
Status count_ids(const Piece<Token>& piece, std::uint64_t* counts, std::int64_t vocab_size) {
  for (std::int64_t d = 0; d < piece.documents; ++d) {
    const std::int64_t last = std::min(piece.stops[d], piece.end);
    for (std::int64_t t = std::max(piece.starts[d], piece.begin); t < last; ++t) {
      const auto id = static_cast<std::int64_t>(piece.tokens[t]);
      if (id >= vocab_size) {
        return {Code::id_outside_vocabulary, t, static_cast<std::uint64_t>(id)};
      }
      ++counts[id];
    }
  }
  return {};
}

template <class Token>
Status hash_documents(const Piece<Token>& piece, std::uint64_t* hashes) {
  for (std::int64_t d = 0; d < piece.documents; ++d) {
    DocumentHash hash;
    for (std::int64_t t = piece.starts[d]; t < piece.stops[d]; ++t) hash.add(piece.tokens[t]);
    hashes[d] = hash.finish();
  }
  return {};
}

#define ICFAST_TOKEN(T)                                                        \
  template Status count_ids<T>(const Piece<T>&, std::uint64_t*, std::int64_t); \
  template Status hash_documents<T>(const Piece<T>&, std::uint64_t*);
ICFAST_FOR_EACH_TOKEN(ICFAST_TOKEN)
#undef ICFAST_TOKEN

}  // namespace icfast
