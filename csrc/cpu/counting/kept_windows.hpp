// Makes windows of the few tokens that a pass keeps.
#pragma once
#include <algorithm>

#include "icfast/counting.hpp"
#include "sieve.hpp"

namespace icfast {

/// Adjacent leads whose windows are kept, and their range of ids, since ranks ascend with ids.
struct Kept {
  std::uint32_t first_lead;
  std::uint32_t last_lead;
  std::int64_t first_id = 0;
  std::int64_t last_id = -1;

  Kept(std::uint32_t first, std::uint32_t last, const Alphabet& alphabet)
      : first_lead(first), last_lead(last) {
    for (std::int64_t id = 0; id < alphabet.vocab_size; ++id) {
      if (alphabet.ranks[id] < std::max(first, 1U) || alphabet.ranks[id] > last) continue;
      if (last_id < 0) first_id = id;
      last_id = id;
    }
  }

  bool holds(std::uint32_t lead) const { return first_lead <= lead && lead <= last_lead; }
};

/// Reads the history of one window. It has copies of what it needs, so that the compiler does not
/// read them again after each store of a key.
template <int W, class Token>
class History {
 public:
  History(const Chunk<Token>& chunk, const Alphabet& alphabet, const KeyShape<W>& shape)
      : tokens_(chunk.tokens),
        ranks_(alphabet.ranks),
        vocab_size_(alphabet.vocab_size),
        bits_(alphabet.bits),
        most_(alphabet.order - 1),
        shape_(shape) {}

  /// The key of the window that ends at t, in a document that begins at start.
  Key<W> read(std::int64_t t, std::int64_t start) {
    const auto length = static_cast<int>(std::min<std::int64_t>(most_, t - start));
    Key<W> key{};
    if constexpr (W == 1) {
      if (length == kUnrolled) {
        for (int i = 1; i <= kUnrolled; ++i) key.word[0] = key.word[0] << bits_ | rank_at(t - i);
        key.word[0] <<= bits_ * (most_ - length);
        return key;
      }
      for (int i = 1; i <= length; ++i) key.word[0] = key.word[0] << bits_ | rank_at(t - i);
      // A shift by 64 bits would need more history symbols than there are.
      if (length > 0) key.word[0] <<= bits_ * (most_ - length);
    } else {
      for (int i = 1; i <= length; ++i) shape_.set_symbol(key, i, rank_at(t - i));
    }
    return key;
  }

  /// The error of the last symbol that could not be counted.
  Status status() const { return status_; }

 private:
  static constexpr int kUnrolled = 4;  // histories of order 5 are read without a loop

  std::uint64_t rank_at(std::int64_t t) {
    const auto id = static_cast<std::int64_t>(tokens_[t]);
    const bool outside = id >= vocab_size_;
    const std::uint32_t rank = outside ? 0 : ranks_[id];
    if (rank == 0) [[unlikely]] {
      status_ = {outside ? Code::id_outside_vocabulary : Code::id_not_in_dictionary, t,
                 static_cast<std::uint64_t>(id)};
    }
    return rank;
  }

  const Token* tokens_;
  const std::uint32_t* ranks_;
  std::int64_t vocab_size_;
  int bits_;
  int most_;
  const KeyShape<W>& shape_;
  Status status_;
};

/// Calls visit(lead, key) for the windows of a chunk whose lead is kept. They are few, so their
/// histories are read when they are found. Ids outside all of them are not checked.
template <int W, class Token, class Asked, class Visit>
Status for_each_kept_window(const Chunk<Token>& chunk, const Alphabet& alphabet,
                            const KeyShape<W>& shape, const Kept& kept, Asked asked, Visit visit) {
  History<W, Token> history(chunk, alphabet, shape);
  const bool end_kept =
      alphabet.end_rank != 0 && kept.holds(alphabet.end_rank) && asked(alphabet.end_rank);
  const std::uint32_t* ranks = alphabet.ranks;
  const auto low = static_cast<Token>(kept.first_id);
  const auto span = static_cast<Token>(kept.last_id - kept.first_id);
  std::uint32_t places[kSieveCapacity];
  for (std::int64_t d = 0; d < chunk.documents && history.status().code == Code::ok; ++d) {
    const std::int64_t start = chunk.starts[d];
    const std::int64_t last = std::min(chunk.stops[d], chunk.end);
    std::int64_t t = std::max(start, chunk.begin);
    for (; t < last && kept.last_id >= 0; t += kSieve) {
      const Token* tokens = chunk.tokens + t;
      const std::int64_t found = sieve(tokens, std::min(kSieve, last - t), low, span, places);
      for (std::int64_t i = 0; i < found; ++i) {
        const std::uint32_t rank = ranks[tokens[places[i]]];
        if (rank != 0 && asked(rank)) visit(rank, history.read(t + places[i], start));
      }
    }
    if (end_kept && chunk.stops[d] <= chunk.end) {
      visit(alphabet.end_rank, history.read(chunk.stops[d], start));
    }
  }
  return history.status();
}

}  // namespace icfast
