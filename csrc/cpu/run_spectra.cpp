// All spectra of orders 1..N from one scan of sorted windows.
//
// An n-gram closes when the next window no longer shares its n newest symbols; only then are its
// count, its document ends and its distinct left neighbours known.
#include "instantiate.hpp"
#include "scan.hpp"

namespace icfast {
namespace {

/// Sums of the n-grams now open, one row per order; lives in the caller's array between calls.
struct OpenSums {
  std::uint64_t* count;
  std::uint64_t* ends;
  std::uint64_t* neighbours;

  OpenSums(std::uint64_t* sums, int order)
      : count(sums - 1), ends(sums + order - 1), neighbours(sums + 2 * order - 1) {}
};

class Recorder {
 public:
  Recorder(const SpectraOut& out, int order) : out_(out), order_(order) {}

  void record(SpectrumKind kind, int n, std::uint64_t r) {
    const std::int64_t row = static_cast<std::int64_t>(kind) * order_ + n - 1;
    if (r < static_cast<std::uint64_t>(out_.rows)) {
      ++out_.small[row * out_.rows + static_cast<std::int64_t>(r)];
    } else if (out_.large_lengths[row] < out_.capacity) {
      out_.large[row * out_.capacity + out_.large_lengths[row]++] = r;
    } else {
      fits_ = false;
    }
  }

  bool fits() const { return fits_; }

 private:
  const SpectraOut& out_;
  int order_;
  bool fits_ = true;
};

template <int W>
void close_one(const Path<W>& path, const OpenSums& open, Recorder& recorder, int n, int order) {
  const std::uint64_t followed = open.count[n] - open.ends[n];
  if (path.complete(n)) {
    recorder.record(kComplete, n, open.count[n]);
    if (n == order) return;
    recorder.record(kLeftNeighbours, n, open.neighbours[n]);
    if (followed != 0) recorder.record(kFollowed, n, followed);
  } else if (path.starting(n)) {
    recorder.record(kStarting, n, open.count[n]);
    if (n < order && followed != 0) recorder.record(kStartingFollowed, n, followed);
  }
}

/// Closes orders N..down_to, each adding its sums to the next shorter n-gram.
template <int W>
void close(const Path<W>& path, const OpenSums& open, Recorder& recorder, int order, int down_to) {
  for (int n = order; n >= down_to; --n) {
    close_one(path, open, recorder, n, order);
    if (n > 1) {
      open.count[n - 1] += open.count[n];
      open.ends[n - 1] += open.ends[n];
    }
    open.count[n] = open.ends[n] = open.neighbours[n] = 0;
  }
}

}  // namespace

template <int W>
Status run_spectra(const Run<W>& run, const Ends<W>& ends, int order, int bits,
                   std::uint64_t* path_state, std::uint64_t* sums, bool flush,
                   const SpectraOut& out) {
  const KeyShape<W> shape(order, bits);
  Path<W> path(path_state, shape);
  EndCursor<W> cursor(ends);
  const OpenSums open(sums, order);
  Recorder recorder(out, order);
  for (std::int64_t b = 0; b < run.buckets; ++b) {
    const std::uint32_t lead = run.leads[b];
    for (std::int64_t i = run.bounds[b]; i < run.bounds[b + 1]; ++i) {
      const Key<W>& key = run.keys[i];
      const int shared = path.shared_orders(lead, key);
      if (shared < 0) return {Code::not_sorted, i, lead};
      if (!path.empty()) close(path, open, recorder, order, shared + 1);
      path.move_to(lead, key);
      for (int n = shared == 0 ? 1 : shared; n < order; ++n) ++open.neighbours[n];
      open.count[order] += run.counts[i];
      open.ends[order] += cursor.count(lead, key);
    }
  }
  if (flush && !path.empty()) {
    close(path, open, recorder, order, 1);
    path.clear();
  }
  return recorder.fits() ? Status{} : Status{Code::output_too_small, 0, 0};
}

#define ICFAST_WIDTH(W)                                                                   \
  template Status run_spectra<W>(const Run<W>&, const Ends<W>&, int, int, std::uint64_t*, \
                                 std::uint64_t*, bool, const SpectraOut&);
ICFAST_FOR_EACH_WIDTH(ICFAST_WIDTH)
#undef ICFAST_WIDTH

}  // namespace icfast
