// Kernels that read token ids only: count ids, hash documents, join documents to one text.
#include <algorithm>

#include "icfast/counting.hpp"
#include "icfast/scalars.hpp"
#include "instantiate.hpp"

namespace icfast {

template <class Token>
Status count_ids(const Chunk<Token>& chunk, std::uint64_t* counts, std::int64_t vocab_size) {
  for (std::int64_t d = 0; d < chunk.documents; ++d) {
    const std::int64_t last = std::min(chunk.stops[d], chunk.end);
    for (std::int64_t t = std::max(chunk.starts[d], chunk.begin); t < last; ++t) {
      const auto id = static_cast<std::int64_t>(chunk.tokens[t]);
      if (id >= vocab_size) {
        return {Code::id_outside_vocabulary, t, static_cast<std::uint64_t>(id)};
      }
      ++counts[id];
    }
  }
  return {};
}

template <class Token>
Status hash_documents(const Chunk<Token>& chunk, std::uint64_t* hashes) {
  for (std::int64_t d = 0; d < chunk.documents; ++d) {
    DocumentHash hash;
    for (std::int64_t t = chunk.starts[d]; t < chunk.stops[d]; ++t) hash.add(chunk.tokens[t]);
    hashes[d] = hash.finish();
  }
  return {};
}

template <class Token>
Status join_documents(const Chunk<Token>& chunk, const Alphabet& alphabet, std::int32_t separator,
                      std::int32_t* symbols) {
  for (std::int64_t d = 0; d < chunk.documents; ++d) {
    const std::int64_t last = std::min(chunk.stops[d], chunk.end);
    for (std::int64_t t = std::max(chunk.starts[d], chunk.begin); t < last; ++t) {
      const auto id = static_cast<std::int64_t>(chunk.tokens[t]);
      const auto value = static_cast<std::uint64_t>(id);
      if (id >= alphabet.vocab_size) return {Code::id_outside_vocabulary, t, value};
      const std::uint32_t rank = alphabet.ranks[id];
      if (!rank) return {Code::id_not_in_dictionary, t, value};
      *symbols++ = static_cast<std::int32_t>(rank - 1);
    }
    if (chunk.stops[d] <= chunk.end) *symbols++ = separator++;
  }
  return {};
}

#define ICFAST_TOKEN(T)                                                        \
  template Status count_ids<T>(const Chunk<T>&, std::uint64_t*, std::int64_t); \
  template Status hash_documents<T>(const Chunk<T>&, std::uint64_t*);          \
  template Status join_documents<T>(const Chunk<T>&, const Alphabet&, std::int32_t, std::int32_t*);
ICFAST_FOR_EACH_TOKEN(ICFAST_TOKEN)
#undef ICFAST_TOKEN

}  // namespace icfast
