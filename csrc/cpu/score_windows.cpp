// Losses of documents whose windows were matched: one record per token, in the order of the text.
#include <algorithm>
#include <cmath>

#include "icfast/kernels.hpp"
#include "icfast/scalars.hpp"
#include "instantiate.hpp"

namespace icfast {
namespace {

constexpr std::int64_t kBlock = 128;  // records asked for before the first of them is read

/// The losses of one document, window after window.
class Chain {
 public:
  Chain(int order, const double* begin) : order_(order), context_(begin) {}

  void add(const double* record) {
    const int longest = static_cast<int>(record[order_]);
    const double backoff = longest < order_ ? context_[longest] : 1.0;
    const double probability = record[0] * backoff;
    if (probability > 0) {
      sum_.add(-std::log(probability));
    } else {
      ++infinite_;
    }
    context_ = record;
  }

  void store(const ScoreOut& out, std::int64_t document) const {
    out.low[document] = sum_.low;
    out.high[document] = sum_.high;
    out.infinite[document] = infinite_;
  }

 private:
  int order_;
  const double* context_;  // record of the window before
  LossAccumulator sum_;
  std::uint64_t infinite_ = 0;
};

}  // namespace

template <class Token>
Status score_windows(const Piece<Token>& piece, const Alphabet& alphabet, std::uint32_t unknown,
                     std::int64_t* offsets, const std::uint32_t* index, const double* records,
                     double begin_backoff, const ScoreOut& out) {
  const std::int64_t stride = alphabet.order + 1;
  // The bare begin mark as a context: of one symbol, none longer.
  double begin[kMaxOrder + 1];
  std::fill(begin, begin + stride, 1.0);
  if (alphabet.order > 1) begin[1] = begin_backoff;
  std::int64_t slots[kBlock];
  const double* block[kBlock];
  for (std::int64_t d = 0; d < piece.documents; ++d) {
    Chain chain(alphabet.order, begin);
    std::uint64_t oov = 0;
    const std::int64_t marks = alphabet.end_rank != 0;
    const std::int64_t stop = piece.stops[d] + marks;
    for (std::int64_t first = piece.starts[d]; first < stop; first += kBlock) {
      const std::int64_t size = std::min(kBlock, stop - first);
      for (std::int64_t i = 0; i < size; ++i) {
        std::uint32_t rank = alphabet.end_rank;
        if (first + i < piece.stops[d]) {
          const auto id = static_cast<std::int64_t>(piece.tokens[first + i]);
          if (id >= alphabet.vocab_size) {
            return {Code::id_outside_vocabulary, first + i, static_cast<std::uint64_t>(id)};
          }
          rank = alphabet.ranks[id];
          oov += rank >= unknown;
        }
        slots[i] = offsets[rank]++;
        __builtin_prefetch(index + slots[i]);
      }
      for (std::int64_t i = 0; i < size; ++i) {
        block[i] = records + static_cast<std::int64_t>(index[slots[i]]) * stride;
        __builtin_prefetch(block[i]);
        __builtin_prefetch(block[i] + stride - 1);
      }
      for (std::int64_t i = 0; i < size; ++i) chain.add(block[i]);
    }
    chain.store(out, d);
    out.predicted[d] = static_cast<std::uint64_t>(stop - piece.starts[d]);
    out.oov[d] = oov;
  }
  return {};
}

#define ICFAST_TOKEN(T)                                                                            \
  template Status score_windows<T>(const Piece<T>&, const Alphabet&, std::uint32_t, std::int64_t*, \
                                   const std::uint32_t*, const double*, double, const ScoreOut&);
ICFAST_FOR_EACH_TOKEN(ICFAST_TOKEN)
#undef ICFAST_TOKEN

}  // namespace icfast
