// Matches the windows of a bucket with the model. Its distinct windows are sorted, so a search
// continues from the previous window's n-grams instead of from the root.
#include <algorithm>
#include <array>

#include "counting/sort_keys.hpp"
#include "instantiate.hpp"
#include "loss_of.hpp"
#include "siblings.hpp"

namespace icfast {
namespace {

/// Search for the n-grams of one lead along ascending windows.
template <int W, class Word>
class Matcher {
 public:
  Matcher(const Trie<Word>& trie, const KeyShape<W>& shape, const double* probabilities,
          const double* backoffs)
      : trie_(trie), shape_(shape), probabilities_(probabilities), backoffs_(backoffs) {}

  void begin(std::uint32_t lead) {
    known_ = lead < trie_.levels[1];
    depth_ = 0;
    if (known_) enter(lead);
  }

  /// Moves from the previous window, which shares `shared` newest history symbols, to this one.
  void move_to(const Key<W>& key, int shared) {
    if (!known_ || depth_ <= shared) return;  // a failed search fails again
    depth_ = shared + 1;
    while (depth_ < trie_.order) {
      const std::uint32_t symbol = shape_.symbol(key, depth_);
      Siblings& siblings = open_[depth_];
      siblings.next = seek(trie_, siblings, symbol);
      if (siblings.next == siblings.end || trie_.symbols[siblings.next] != symbol) return;
      enter(siblings.next);
    }
  }

  /// Writes a row; returns its loss, or what is known of it.
  std::uint64_t record(double* to) const {
    to[0] = probabilities_[depth_ == 0 ? 0 : node_[depth_]];
    double product = 1.0;
    for (int k = trie_.order - 1; k > depth_; --k) to[k] = 1.0;
    for (int k = std::min(depth_, trie_.order - 1); k > 0; --k) {
      product = backoffs_[node_[k]] * product;
      to[k] = product;
    }
    const int longest = std::max(depth_, 1);
    return longest == trie_.order ? loss_of(to[0]) : kOpenLoss + static_cast<unsigned>(longest);
  }

 private:
  void enter(std::int64_t node) {
    node_[++depth_] = node;
    if (depth_ < trie_.order) open_[depth_] = children(trie_, node);
  }

  const Trie<Word>& trie_;
  const KeyShape<W>& shape_;
  const double* probabilities_;
  const double* backoffs_;
  std::array<std::int64_t, kMaxOrder + 1> node_{};
  std::array<Siblings, kMaxOrder + 1>
      open_{};  // children of node_, from where the search continues
  int depth_ = 0;
  bool known_ = false;
};

template <int W>
std::uint64_t slot_of(const Key<W>& key, int shift) {
  std::uint64_t hash = key.word[0];
  for (int w = 1; w < W; ++w) hash = (hash * 0x9e3779b97f4a7c15ULL) ^ key.word[w];
  return (hash * 0x9e3779b97f4a7c15ULL) >> shift;
}

/// Finds each key's number among the sorted distinct keys with a hash table of numbers + 1. It has
/// four to eight slots per distinct key if the space suffices, else half as many: probing past a
/// key in another's slot is a branch misprediction, which costs more than memory.
template <int W>
void look_up(const Key<W>* keys, std::int64_t size, const Key<W>* distinct, std::int64_t number,
             std::uint32_t* table, std::uint32_t base, std::uint32_t* index) {
  int slot_bits = 1;
  while ((std::int64_t{1} << slot_bits) < 2 * number) ++slot_bits;
  if ((std::int64_t{1} << slot_bits) <= 2 * size) ++slot_bits;
  const std::uint64_t mask = (std::uint64_t{1} << slot_bits) - 1;
  const int shift = 64 - slot_bits;
  std::fill(table, table + mask + 1, 0U);
  for (std::int64_t i = 0; i < number; ++i) {
    std::uint64_t slot = slot_of(distinct[i], shift);
    while (table[slot] != 0) slot = (slot + 1) & mask;
    table[slot] = static_cast<std::uint32_t>(i + 1);
  }
  for (std::int64_t i = 0; i < size; ++i) {
    std::uint64_t slot = slot_of(keys[i], shift);
    while (distinct[table[slot] - 1] != keys[i]) slot = (slot + 1) & mask;
    index[i] = base + table[slot] - 1;
  }
}

}  // namespace

template <int W, class Word>
Status match_windows(const std::uint32_t* leads, const std::int64_t* bounds, std::int64_t buckets,
                     const Key<W>* keys, int bits, const Trie<Word>& trie,
                     const double* probabilities, const double* backoffs, Key<W>* scratch,
                     std::uint32_t* table, const Matches& matches) {
  const KeyShape<W> shape(trie.order, bits);
  Matcher<W, Word> matcher(trie, shape, probabilities, backoffs);
  std::int64_t row = bounds[0];
  for (std::int64_t b = 0; b < buckets; ++b) {
    const std::int64_t size = bounds[b + 1] - bounds[b];
    if (size > INT32_MAX || row + size > static_cast<std::int64_t>(UINT32_MAX)) {
      return {Code::output_too_small, b, static_cast<std::uint64_t>(size)};
    }
    const Key<W>* bucket = keys + bounds[b];
    Key<W>* distinct = scratch;
    Key<W>* sort_scratch = scratch + size;
    std::copy(bucket, bucket + size, distinct);
    // The counts are not needed; they overwrite the space of the table.
    auto* counts = reinterpret_cast<std::uint64_t*>(table);
    const std::int64_t number = sort_and_count(distinct, sort_scratch, size, counts);
    matcher.begin(leads[b]);
    for (std::int64_t i = 0; i < number; ++i) {
      matcher.move_to(distinct[i], i == 0 ? 0 : shape.shared_symbols(distinct[i - 1], distinct[i]));
      matches.losses[row + i] = matcher.record(matches.records + (row + i) * trie.order);
    }
    look_up(bucket, size, distinct, number, table, static_cast<std::uint32_t>(row),
            matches.rows + bounds[b]);
    row += number;
  }
  return {};
}

#define ICFAST_WIDTH_WORD(W, T)                                                                \
  template Status match_windows<W, T>(const std::uint32_t*, const std::int64_t*, std::int64_t, \
                                      const Key<W>*, int, const Trie<T>&, const double*,       \
                                      const double*, Key<W>*, std::uint32_t*, const Matches&);
#define ICFAST_WIDTH(W) ICFAST_WIDTH_WORD(W, std::uint32_t) ICFAST_WIDTH_WORD(W, std::uint64_t)
ICFAST_FOR_EACH_WIDTH(ICFAST_WIDTH)
#undef ICFAST_WIDTH
#undef ICFAST_WIDTH_WORD

}  // namespace icfast
