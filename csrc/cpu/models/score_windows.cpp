// Losses of documents whose windows were matched, in text order.
#include <algorithm>
#include <atomic>

#include "icfast/models.hpp"
#include "icfast/scalars.hpp"
#include "instantiate.hpp"
#include "loss_of.hpp"

namespace icfast {
namespace {

constexpr std::int64_t kBlock = 128;  // losses prefetched before the first of them is read

/// The losses of one document, block by block of windows.
class Chain {
 public:
  /// begin: record of the begin mark as a context.
  Chain(const Matches& matches, int order, const double* begin)
      : matches_(matches), order_(order), context_(begin) {}

  /// Adds the windows with these rows. Whether a loss is known can't be predicted, so windows with
  /// unknown losses wait in a list while their records are prefetched.
  void add(const std::uint32_t* rows, std::int64_t size) {
    for (std::int64_t i = 0; i < size; ++i) {
      const std::uint64_t loss = kept(rows[i]).load(std::memory_order_relaxed);
      const std::uint64_t open = loss >> 63;
      sum_.add_quanta(loss & (open - 1));
      waiting_[waits_] = {rows[i], context_ + (loss & kLongest & -open)};
      waits_ += static_cast<std::int64_t>(open);
      context_ = record(rows[i]);
    }
    for (std::int64_t w = 0; w < waits_; ++w) {
      __builtin_prefetch(record(waiting_[w].row));
      __builtin_prefetch(waiting_[w].backoff);
    }
  }

  /// Adds the waiting windows.
  void add_waiting() {
    for (std::int64_t w = 0; w < waits_; ++w) {
      const auto [row, backoff] = waiting_[w];
      std::uint64_t loss = kept(row).load(std::memory_order_relaxed);
      if (loss > kOpenLoss) {
        loss = loss_of(*record(row) * *backoff);
        kept(row).store(loss, std::memory_order_relaxed);
      }
      if (loss == kImpossible) {
        ++infinite_;
      } else {
        sum_.add_quanta(loss);
      }
    }
    waits_ = 0;
  }

  void store(const ScoreOut& out, std::int64_t document) const {
    out.low[document] = sum_.low;
    out.high[document] = sum_.high;
    out.infinite[document] = infinite_;
  }

 private:
  static constexpr std::uint64_t kLongest = kOpenLoss - 1;

  struct Waiting {
    std::uint32_t row;
    const double* backoff;
  };

  std::atomic_ref<std::uint64_t> kept(std::uint32_t row) const {
    return std::atomic_ref<std::uint64_t>(matches_.losses[row]);
  }

  const double* record(std::uint32_t row) const {
    return matches_.records + static_cast<std::int64_t>(row) * order_;
  }

  const Matches& matches_;
  int order_;
  const double* context_;  // record of the previous window
  LossAccumulator sum_;
  std::uint64_t infinite_ = 0;
  Waiting waiting_[kBlock + 1];
  std::int64_t waits_ = 0;
};

}  // namespace

template <class Token>
Status score_windows(const Chunk<Token>& chunk, const Alphabet& alphabet, std::uint32_t unknown,
                     std::int64_t* offsets, const Matches& matches, double begin_backoff,
                     const ScoreOut& out) {
  // The begin mark as a context: one symbol, and no longer context.
  double begin[kMaxOrder];
  std::fill(begin, begin + alphabet.order, 1.0);
  if (alphabet.order > 1) begin[1] = begin_backoff;
  std::int64_t slots[kBlock];
  std::uint32_t rows[kBlock];
  for (std::int64_t d = 0; d < chunk.documents; ++d) {
    Chain chain(matches, alphabet.order, begin);
    std::uint64_t oov = 0;
    const std::int64_t marks = alphabet.end_rank != 0;
    const std::int64_t stop = chunk.stops[d] + marks;
    for (std::int64_t first = chunk.starts[d]; first < stop; first += kBlock) {
      const std::int64_t size = std::min(kBlock, stop - first);
      for (std::int64_t i = 0; i < size; ++i) {
        std::uint32_t rank = alphabet.end_rank;
        if (first + i < chunk.stops[d]) {
          const auto id = static_cast<std::int64_t>(chunk.tokens[first + i]);
          if (id >= alphabet.vocab_size) {
            return {Code::id_outside_vocabulary, first + i, static_cast<std::uint64_t>(id)};
          }
          rank = alphabet.ranks[id];
          oov += rank >= unknown;
        }
        slots[i] = offsets[rank]++;
        __builtin_prefetch(matches.rows + slots[i]);
      }
      for (std::int64_t i = 0; i < size; ++i) {
        rows[i] = matches.rows[slots[i]];
        __builtin_prefetch(matches.losses + rows[i]);
      }
      chain.add_waiting();
      chain.add(rows, size);
    }
    chain.add_waiting();
    chain.store(out, d);
    out.predicted[d] = static_cast<std::uint64_t>(stop - chunk.starts[d]);
    out.oov[d] = oov;
  }
  return {};
}

#define ICFAST_TOKEN(T)                                                                            \
  template Status score_windows<T>(const Chunk<T>&, const Alphabet&, std::uint32_t, std::int64_t*, \
                                   const Matches&, double, const ScoreOut&);
ICFAST_FOR_EACH_TOKEN(ICFAST_TOKEN)
#undef ICFAST_TOKEN

}  // namespace icfast
