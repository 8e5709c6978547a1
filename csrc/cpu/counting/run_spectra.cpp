// Spectra of orders 1..N from one scan of sorted windows.
//
// An n-gram is complete when the next window no longer shares its n newest symbols. Only then are
// its count, its document ends and its distinct left neighbours known. Windows are processed in
// blocks: from the windows of a block to its n-grams of order N - 1, from these to order N - 2, and
// so on.
#include <algorithm>

#include "icfast/isa.hpp"
#include "instantiate.hpp"
#include "levels.hpp"
#include "scan.hpp"

namespace icfast {
namespace {

/// Sums of the unfinished n-grams, one row per order. They are in the caller's array between calls.
/// The count and the ends of an n-gram exclude those of the longer unfinished n-gram within it.
class OpenSums {
 public:
  OpenSums(std::uint64_t* sums, int order)
      : count(sums - 1), ends(sums + order - 1), neighbours(sums + 2 * order - 1), order_(order) {
    for (int n = order - 1; n >= 1; --n) {
      count[n] += count[n + 1];
      ends[n] += ends[n + 1];
    }
  }

  ~OpenSums() {
    for (int n = 1; n < order_; ++n) {
      count[n] -= count[n + 1];
      ends[n] -= ends[n + 1];
    }
  }

  OpenSums(const OpenSums&) = delete;
  OpenSums& operator=(const OpenSums&) = delete;

  std::uint64_t* count;
  std::uint64_t* ends;
  std::uint64_t* neighbours;

 private:
  int order_;
};

class Recorder {
 public:
  Recorder(const SpectraOut& out, int order) : out_(out), order_(order) {}

  void record(SpectrumKind kind, int n, std::uint64_t r, std::uint64_t times = 1) {
    const std::int64_t row = static_cast<std::int64_t>(kind) * order_ + n - 1;
    if (r < static_cast<std::uint64_t>(out_.rows)) {
      out_.small[row * out_.rows + static_cast<std::int64_t>(r)] += times;
      return;
    }
    for (; times > 0; --times) {
      if (out_.large_lengths[row] < out_.capacity) {
        out_.large[row * out_.capacity + out_.large_lengths[row]++] = r;
      } else {
        fits_ = false;
      }
    }
  }

  bool fits() const { return fits_; }

 private:
  const SpectraOut& out_;
  int order_;
  bool fits_ = true;
};

void sums_of(const Level& level, const std::uint64_t* sums, int n, Closed& closed) {
#if defined(ICFAST_AVX512)
  if (use_avx512()) return sums_avx512(level, sums, n, closed);
#endif
  sums_portable(level, sums, n, closed);
}

void shorten(Level& level, int n) {
#if defined(ICFAST_AVX512)
  if (use_avx512()) return shorten_avx512(level, n);
#endif
  shorten_portable(level, n);
}

/// Scan of one run: fills blocks with windows and records completed n-grams.
template <int W>
class Scan {
 public:
  Scan(const SortedRun<W>& run, const Ends<W>& ends, int order, int bits, std::uint64_t* path,
       std::uint64_t* sums, const SpectraOut& out)
      : run_(run),
        order_(order),
        bits_(bits),
        shape_(order, bits),
        path_(path, shape_),
        cursor_(ends),
        open_(sums, order),
        recorder_(out, order) {
    begin_block();
  }

  Status read() {
    for (std::int64_t b = 0; b < run_.buckets; ++b) {
      for (std::int64_t i = run_.bounds[b]; i < run_.bounds[b + 1];) {
        const std::int64_t available = Level::kBlock + 1 - level_.size;
        const std::int64_t last = std::min(run_.bounds[b + 1], i + available);
        const Status status = append(run_.leads[b], i, last);
        if (status.code != Code::ok) return status;
        i = last;
        if (level_.size == Level::kBlock + 1) end_block();
      }
    }
    end_block();
    return {};
  }

  /// Completes all unfinished n-grams.
  void flush() {
    if (path_.empty()) return;
    for (int n = order_; n >= 1; --n) {
      const std::uint64_t followed = open_.count[n] - open_.ends[n];
      if (path_.complete(n)) {
        recorder_.record(kComplete, n, open_.count[n]);
        if (n < order_) recorder_.record(kLeftNeighbours, n, open_.neighbours[n]);
        if (n < order_ && followed != 0) recorder_.record(kFollowed, n, followed);
      } else if (path_.starting(n)) {
        recorder_.record(kStarting, n, open_.count[n]);
        if (n < order_ && followed != 0) recorder_.record(kStartingFollowed, n, followed);
      }
      open_.count[n] = open_.ends[n] = open_.neighbours[n] = 0;
    }
    path_.clear();
  }

  bool fits() const { return recorder_.fits(); }

 private:
  void begin_block() {
    level_.size = 1;
    level_.mark[0] = mark_of(0, path_.history());
    // Keep the document ends of n-grams that are still unfinished.
    level_.ended = open_.ends[1] != 0;
    total_ = ended_ = 0;
  }

  /// Adds entries [first, last), all of one lead.
  Status append(std::uint32_t lead, std::int64_t first, std::int64_t last) {
    const std::int64_t size = level_.size;
    Status status = append_one(lead, first);
    if (status.code == Code::ok) status = append_more(lead, first + 1, last);
    if (status.code != Code::ok) return status;
    if (!level_.ended && cursor_.may_end(lead, run_.keys[first], run_.keys[last - 1])) {
      std::copy(level_.windows, level_.windows + size, level_.followed);
      level_.ended = true;
    }
    if (level_.ended) {
      for (std::int64_t i = first; i < last; ++i) {
        const std::int64_t at = size + i - first;
        level_.followed[at] = level_.windows[at] - ended_;
        ended_ += cursor_.count(lead, run_.keys[i]);
      }
    }
    return {};
  }

  Status append_one(std::uint32_t lead, std::int64_t i) {
    const int shared = path_.shared_orders(lead, run_.keys[i]);
    if (shared < 0) return {Code::not_sorted, i, lead};
    path_.move_to(lead, run_.keys[i]);
    level_.mark[level_.size] = mark_of(shared, path_.history());
    level_.windows[level_.size++] = total_;
    total_ += run_.counts[i];
    return {};
  }

  Status append_more(std::uint32_t lead, std::int64_t first, std::int64_t last) {
#if defined(ICFAST_AVX512)
    if constexpr (W <= 2) {
      if (first < last && use_avx512()) {
        const std::int64_t ascending = append_avx512(level_, run_.keys + first, run_.counts + first,
                                                     last - first, order_, bits_, total_);
        if (ascending < last - first) return {Code::not_sorted, first + ascending, lead};
        path_.move_to(lead, run_.keys[last - 1]);
        return {};
      }
    }
#endif
    for (std::int64_t i = first; i < last; ++i) {
      const Status status = append_one(lead, i);
      if (status.code != Code::ok) return status;
    }
    return {};
  }

  void end_block() {
    if (level_.size == 1) return;
    for (int n = order_;; --n) {
      level_.windows[0] = -open_.count[n];
      level_.followed[0] = open_.ends[n] - open_.count[n];
      level_.children[0] = 1 - open_.neighbours[n];
      close(n);
      const std::int64_t last = level_.size - 1;
      open_.count[n] = total_ - level_.windows[last];
      open_.ends[n] = 0;
      if (level_.ended) open_.ends[n] = open_.count[n] - (total_ - ended_ - level_.followed[last]);
      if (n < order_) open_.neighbours[n] = longer_ - level_.children[last];
      if (n == 1) break;
      longer_ = static_cast<std::uint64_t>(level_.size);
      shorten(level_, n - 1);
    }
    begin_block();
  }

  /// Records the n-grams of order n that the next n-gram completes.
  void close(int n) {
    sums_of(level_, level_.windows, n, closed_);
    record(level_.windows, n, kComplete, kStarting);
    if (n == order_) return;
    if (level_.ended) sums_of(level_, level_.followed, n, closed_);
    record(level_.ended ? level_.followed : level_.windows, n, kFollowed, kStartingFollowed);
    sums_of(level_, level_.children, n, closed_);
    closed_.incomplete = 0;  // n-grams with a begin mark have no left neighbour
    record(level_.children, n, kLeftNeighbours, kLeftNeighbours);
  }

  void record(const std::uint64_t* sums, int n, SpectrumKind complete, SpectrumKind starting) {
    recorder_.record(complete, n, 1, closed_.ones);
    recorder_.record(complete, n, 2, closed_.twos);
    for (std::int64_t i = 0; i < closed_.others; ++i) {
      recorder_.record(complete, n, closed_.other[i]);
    }
    for (std::int64_t i = 0; i < closed_.incomplete; ++i) {
      const std::uint64_t at = closed_.at[i];
      const std::uint64_t sum = sums[at + 1] - sums[at];
      const bool starts = level_.mark[at] >= mark_of(0, n - 2);  // one begin mark, then tokens
      if (starts && sum != 0) recorder_.record(starting, n, sum);
    }
  }

  const SortedRun<W>& run_;
  int order_;
  int bits_;
  KeyShape<W> shape_;
  Path<W> path_;
  EndCursor<W> cursor_;
  OpenSums open_;
  Recorder recorder_;
  Level level_;
  Closed closed_;
  std::uint64_t total_ = 0;   // windows of the block
  std::uint64_t ended_ = 0;   // documents that end in the block
  std::uint64_t longer_ = 0;  // end of the (n+1)-grams
};

}  // namespace

template <int W>
Status run_spectra(const SortedRun<W>& run, const Ends<W>& ends, int order, int bits,
                   std::uint64_t* path_state, std::uint64_t* sums, bool flush,
                   const SpectraOut& out) {
  Scan<W> scan(run, ends, order, bits, path_state, sums, out);
  const Status status = scan.read();
  if (status.code != Code::ok) return status;
  if (flush) scan.flush();
  return scan.fits() ? Status{} : Status{Code::output_too_small, 0, 0};
}

#define ICFAST_WIDTH(W)                                                                         \
  template Status run_spectra<W>(const SortedRun<W>&, const Ends<W>&, int, int, std::uint64_t*, \
                                 std::uint64_t*, bool, const SpectraOut&);
ICFAST_FOR_EACH_WIDTH(ICFAST_WIDTH)
#undef ICFAST_WIDTH

}  // namespace icfast
