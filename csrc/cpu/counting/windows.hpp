// The loop that turns documents into windows.
#pragma once
#include <algorithm>

#include "icfast/counting.hpp"

namespace icfast {

/// Calls visit(lead, key) for every window that ends in the chunk. Stops at the first id outside
/// the alphabet.
template <int W, class Token, class Visit>
Status for_each_window(const Chunk<Token>& chunk, const Alphabet& alphabet,
                       const KeyShape<W>& shape, Visit visit) {
  for (std::int64_t d = 0; d < chunk.documents; ++d) {
    const std::int64_t first = std::max(chunk.starts[d], chunk.begin);
    const std::int64_t last = std::min(chunk.stops[d], chunk.end);
    Key<W> key{};
    // A document that the chunk cuts starts with the history before the cut.
    std::int64_t t = std::max(chunk.starts[d], first - (shape.order() - 1));
    for (; t < last; ++t) {
      const auto id = static_cast<std::int64_t>(chunk.tokens[t]);
      if (id >= alphabet.vocab_size) {
        return {Code::id_outside_vocabulary, t, static_cast<std::uint64_t>(id)};
      }
      const std::uint32_t rank = alphabet.ranks[id];
      if (rank == 0) return {Code::id_not_in_dictionary, t, static_cast<std::uint64_t>(id)};
      if (t >= first) visit(rank, key);
      shape.push(key, rank);
    }
    if (alphabet.end_rank != 0 && chunk.stops[d] <= chunk.end) visit(alphabet.end_rank, key);
  }
  return {};
}

/// The bucket of a window. Most leads have a single bucket.
template <int W>
std::int64_t bucket_of(const Buckets<W>& buckets, std::uint32_t lead, const Key<W>& key) {
  if (buckets.by_lead) return lead;
  std::int64_t low = buckets.first[lead];
  std::int64_t high = buckets.first[lead + 1];
  while (high - low > 1) {
    const std::int64_t middle = low + (high - low) / 2;
    (key < buckets.low[middle] ? high : low) = middle;
  }
  return low;
}

}  // namespace icfast
