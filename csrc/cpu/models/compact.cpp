// Losses of documents under a compressed model, token by token.
//
// The search for the previous token has found every context and its position among its siblings.
// Records store that position, so it identifies the n-gram.
#include <algorithm>
#include <array>

#include "icfast/models.hpp"
#include "icfast/scalars.hpp"
#include "instantiate.hpp"

namespace icfast {
namespace {

constexpr std::uint32_t kUnknown = 0xffffffffU;
constexpr int kSampleShift = 6;  // log2 of SAMPLE in kneser_ney/validate.py

/// Number of set bits of each byte, in that byte.
std::uint64_t bits_by_byte(std::uint64_t word) {
  word -= (word >> 1) & 0x5555555555555555ULL;
  word = (word & 0x3333333333333333ULL) + ((word >> 2) & 0x3333333333333333ULL);
  return (word + (word >> 4)) & 0x0f0f0f0f0f0f0f0fULL;
}

/// Position of the set bit with `skip` set bits below it; the word has one.
int select_in_word(std::uint64_t word, int skip) {
  // Byte k of the product counts the set bits up to the end of byte k.
  const std::uint64_t sums = bits_by_byte(word) * 0x0101010101010101ULL;
  int byte = 0;
  while (static_cast<int>((sums >> (8 * byte)) & 0xff) <= skip) ++byte;
  if (byte > 0) skip -= static_cast<int>((sums >> (8 * byte - 8)) & 0xff);
  std::uint64_t rest = word >> (8 * byte);
  for (; skip > 0; --skip) rest &= rest - 1;
  return 8 * byte + __builtin_ctzll(rest);
}

struct Range {
  std::int64_t begin;
  std::int64_t end;
};

/// N-grams of one text position by order: their numbers, and their positions among siblings.
struct Walk {
  std::array<std::int64_t, kMaxOrder + 1> node;
  std::array<std::int64_t, kMaxOrder + 1> place;
  int depth = 0;
};

class CompactReader {
 public:
  explicit CompactReader(const CompactTrie& trie) : trie_(trie) {}

  void walk(std::uint32_t rank, const Walk& context, Walk& walk) const {
    walk.depth = 0;
    if (rank == kUnknown) return;
    walk.depth = 1;
    walk.node[1] = walk.place[1] = rank;
    while (walk.depth < trie_.order && walk.depth <= context.depth) {
      const Range siblings = children(walk.depth, walk.node[walk.depth]);
      const std::int64_t next = find(walk.depth + 1, siblings, context.place[walk.depth]);
      if (next < 0) return;
      ++walk.depth;
      walk.node[walk.depth] = next;
      walk.place[walk.depth] = next - siblings.begin;
    }
  }

  /// -ln p in units of 2^-32 nat. Values below 0, from rounding, become 0.
  std::uint64_t loss(const Walk& ngram, const Walk& context) const {
    const int longest = std::max(ngram.depth, 1);
    std::int64_t sum = ngram.depth < 2 ? trie_.unigrams[ngram.depth == 0 ? 0 : 3 * ngram.node[1]]
                                       : code(ngram.depth, ngram.node[ngram.depth], 0);
    for (int n = std::min(context.depth, trie_.order - 1); n >= longest; --n) {
      const std::int64_t node = context.node[n];
      sum += n == 1 ? trie_.unigrams[3 * node + 1] : code(n, node, 1);
    }
    return static_cast<std::uint64_t>(std::max<std::int64_t>(sum, 0));
  }

 private:
  std::uint64_t read(std::int64_t at, int width) const {
    const std::uint64_t* word = trie_.records + (at >> 6);
    const int shift = static_cast<int>(at & 63);
    const std::uint64_t low = *word >> shift;
    const std::uint64_t high = shift == 0 ? 0 : word[1] << (64 - shift);
    return (low | high) & ((std::uint64_t{1} << width) - 1);
  }

  const std::int64_t* layout(int n) const { return trie_.layout + 3 * (n - 2); }

  std::int64_t record(int n, std::int64_t node) const {
    return layout(n)[2] + (node - trie_.levels[n - 1]) * layout(n)[1];
  }

  /// The loss (0) or the backoff (1) of an n-gram of order n >= 2.
  std::int64_t code(int n, std::int64_t node, int which) const {
    const int width = __builtin_ctzll(static_cast<std::uint64_t>(trie_.codes));
    const auto offset = static_cast<std::int64_t>(which) * width;
    const std::uint64_t found = read(record(n, node) + layout(n)[0] + offset, width);
    return trie_.codebooks[(2 * (n - 2) + which) * trie_.codes + static_cast<std::int64_t>(found)];
  }

  Range children(int n, std::int64_t node) const {
    if (n == 1) return {trie_.unigrams[3 * node + 2], trie_.unigrams[3 * node + 5]};
    const std::int64_t number = node - trie_.levels[1];
    const auto sample = static_cast<std::int64_t>(trie_.samples[number >> kSampleShift]);
    int skip = static_cast<int>(number & ((1 << kSampleShift) - 1));
    std::int64_t w = sample >> 6;
    std::uint64_t word = trie_.children[w] & (~std::uint64_t{0} << (sample & 63));
    for (;;) {
      const int ones = static_cast<int>((bits_by_byte(word) * 0x0101010101010101ULL) >> 56);
      if (ones > skip) break;
      skip -= ones;
      word = trie_.children[++w];
    }
    const int bit = select_in_word(word, skip);
    const std::int64_t begin = trie_.levels[2] + 64 * w + bit - number;
    std::uint64_t rest = bit == 63 ? 0 : word >> (bit + 1) << (bit + 1);
    std::int64_t stop = w;
    while (rest == 0) rest = trie_.children[++stop];
    return {begin, begin + 64 * (stop - w) + __builtin_ctzll(rest) - bit - 1};
  }

  /// The n-gram of the range with this position, or -1. Positions ascend.
  std::int64_t find(int n, Range range, std::int64_t place) const {
    const int width = static_cast<int>(layout(n)[0]);
    const std::int64_t step = layout(n)[1];
    const std::int64_t first = record(n, range.begin);
    const std::int64_t escape = (std::int64_t{1} << width) - 1;
    const auto wanted = static_cast<std::uint64_t>(std::min(place, escape));
    std::int64_t low = 0;
    std::int64_t high = range.end - range.begin;
    while (low < high) {
      const std::int64_t middle = low + (high - low) / 2;
      if (read(first + middle * step, width) < wanted) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    const std::int64_t found = range.begin + low;
    if (found == range.end || read(first + low * step, width) != wanted) return -1;
    return place < escape ? found : find_exception({found, range.end}, place);
  }

  /// Searches among n-grams that are all exceptions.
  std::int64_t find_exception(Range range, std::int64_t place) const {
    const std::int64_t* last = trie_.exceptions + trie_.exception_count;
    const std::int64_t at =
        std::lower_bound(trie_.exceptions, last, range.begin) - trie_.exceptions;
    const std::uint32_t* begin = trie_.exception_places + at;
    // A forged model may have fewer exceptions than it states.
    const std::uint32_t* end =
        begin + std::min(range.end - range.begin, trie_.exception_count - at);
    const std::uint32_t* found = std::lower_bound(begin, end, static_cast<std::uint32_t>(place));
    return found != end && *found == place ? range.begin + (found - begin) : -1;
  }

  const CompactTrie& trie_;
};

}  // namespace

template <class Token>
Status score_compact(const Chunk<Token>& chunk, const Alphabet& alphabet, const CompactTrie& trie,
                     const ScoreOut& out) {
  const CompactReader reader(trie);
  for (std::int64_t d = 0; d < chunk.documents; ++d) {
    std::array<Walk, 2> walks;
    Walk* context = &walks[0];
    Walk* ngram = &walks[1];
    context->node[1] = context->place[1] = 0;  // the begin mark
    context->depth = trie.order > 1 ? 1 : 0;
    LossAccumulator sum;
    std::uint64_t oov = 0;
    const std::int64_t stop = chunk.stops[d] + (alphabet.end_rank != 0);
    for (std::int64_t t = chunk.starts[d]; t < stop; ++t) {
      std::uint32_t rank = alphabet.end_rank;
      if (t < chunk.stops[d]) {
        const auto id = static_cast<std::int64_t>(chunk.tokens[t]);
        if (id >= alphabet.vocab_size) {
          return {Code::id_outside_vocabulary, t, static_cast<std::uint64_t>(id)};
        }
        rank = alphabet.ranks[id];
        if (rank == 0) {
          rank = kUnknown;
          ++oov;
        }
      }
      reader.walk(rank, *context, *ngram);
      sum.add_quanta(reader.loss(*ngram, *context));
      std::swap(context, ngram);
    }
    out.low[d] = sum.low;
    out.high[d] = sum.high;
    out.infinite[d] = 0;
    out.predicted[d] = static_cast<std::uint64_t>(stop - chunk.starts[d]);
    out.oov[d] = oov;
  }
  return {};
}

#define ICFAST_TOKEN(T)                                                                  \
  template Status score_compact<T>(const Chunk<T>&, const Alphabet&, const CompactTrie&, \
                                   const ScoreOut&);
ICFAST_FOR_EACH_TOKEN(ICFAST_TOKEN)
#undef ICFAST_TOKEN

}  // namespace icfast
