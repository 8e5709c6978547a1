// Spectra of orders 1..N from one scan of sorted windows and their shared lengths.
//
// The n-grams of all orders form a tree. Nodes with one child are omitted: a node represents the
// orders between its parent's depth and its own, which all have the same count, and is recorded as
// a range of orders. The work therefore grows with the number of distinct windows, not with N.
#include <algorithm>

#include "icfast/counting.hpp"
#include "text.hpp"

namespace icfast {
namespace {

class RangeRecorder {
 public:
  RangeRecorder(const SpectraRanges& out, int order) : out_(out), order_(order) {}

  /// Adds n-grams that occur r times to each order first..last.
  void record(SpectrumKind kind, int first, int last, std::uint64_t r, std::uint64_t times = 1) {
    if (first > last) return;
    if (r < static_cast<std::uint64_t>(out_.rows)) {
      at(kind, first, r) += times;
      at(kind, last + 1, r) -= times;
      return;
    }
    for (; times > 0; --times) list(kind, first, last, r);
  }

  bool fits() const { return fits_; }

 private:
  void list(SpectrumKind kind, int first, int last, std::uint64_t r) {
    if (*out_.large_length < out_.capacity) {
      std::uint64_t* row = out_.large + 4 * (*out_.large_length)++;
      row[0] = kind;
      row[1] = r;
      row[2] = static_cast<std::uint64_t>(first);
      row[3] = static_cast<std::uint64_t>(last);
    } else {
      fits_ = false;
    }
  }

  std::uint64_t& at(SpectrumKind kind, int n, std::uint64_t r) {
    const std::int64_t row = static_cast<std::int64_t>(kind) * (order_ + 2) + n;
    return out_.small[row * out_.rows + static_cast<std::int64_t>(r)];
  }

  const SpectraRanges& out_;
  int order_;
  bool fits_ = true;
};

/// A node that is not finished: windows that share `depth` symbols.
struct Open {
  std::uint64_t depth;
  std::uint64_t count;
  std::uint64_t ends;
  std::uint64_t children;
};
static_assert(sizeof(Open) == 4 * sizeof(std::uint64_t));

/// One distinct window.
struct Leaf {
  std::uint64_t count = 0;
  std::uint64_t ends = 0;
  int tokens = 0;  // at most N
};

template <class Symbol>
class TreeScan {
 public:
  TreeScan(const Windows<Symbol>& windows, std::uint64_t* nodes, RangeRecorder& recorder)
      : windows_(windows),
        open_(reinterpret_cast<Open*>(nodes)),
        recorder_(recorder),
        order_(windows.order()) {
    open_[0] = {};  // a root above every lead
  }

  void scan(const std::uint64_t* words, const std::uint32_t* shared, std::int64_t size) {
    for (std::int64_t first = 0; first < size;) first = scan_block(words, shared, first, size);
  }

  /// Records the leaves without special cases.
  void finish() {
    for (int above = 0; above < std::min(order_, kDepths); ++above) {
      for (std::uint64_t count = 1; count <= kCounts; ++count) {
        const std::uint64_t times = plain_[above][count - 1];
        if (times != 0) record_leaf({count, 0, order_}, above, times);
      }
    }
  }

 private:
  static constexpr std::int64_t kBlock = 512;  // windows whose leaves are found at once
  static constexpr int kDepths = 64;
  static constexpr std::uint64_t kCounts = 8;

  /// Finishes leaves from `first` on; returns the beginning of the first remaining leaf.
  std::int64_t scan_block(const std::uint64_t* words, const std::uint32_t* shared,
                          std::int64_t first, std::int64_t size) {
    const auto order = static_cast<std::uint32_t>(order_);
    std::int64_t last = std::min(size, first + kBlock);
    // Find the beginnings of leaves and the number of special windows before each. No branch
    // depends on the data.
    std::int64_t begins[kBlock + 1];
    std::uint64_t special[kBlock + 1];
    begins[0] = first;
    special[0] = 0;
    std::int64_t leaves = 1;
    std::uint64_t specials = words[first] & 1;
    for (std::int64_t i = first + 1; i < last; ++i) {
      begins[leaves] = i;
      special[leaves] = specials;
      leaves += shared[i] != order;
      specials += words[i] & 1;
    }
    if (leaves > 1 && last < size && shared[last] == order) {
      --leaves;  // the last leaf is not finished
    } else {
      for (; last < size && shared[last] == order; ++last) specials += words[last] & 1;
      begins[leaves] = last;
      special[leaves] = specials;
    }
    for (std::int64_t k = 0; k < leaves; ++k) {
      const std::int64_t end = begins[k + 1];
      Leaf leaf{static_cast<std::uint64_t>(end - begins[k]), 0, order_};
      if (special[k] != special[k + 1]) {
        for (std::int64_t i = begins[k]; i < end; ++i) look_at(leaf, words[i]);
      }
      close_leaf(leaf, end < size ? shared[end] : 0);
    }
    return begins[leaves];
  }

  void look_at(Leaf& leaf, std::uint64_t word) const {
    if (!is_special(word)) return;
    leaf.tokens = windows_.tokens(place_of(word));
    leaf.ends += windows_.ends_document(place_of(word));
  }

  /// `next` is the number of symbols that the window shares with the next one.
  void close_leaf(const Leaf& leaf, std::uint64_t next) {
    const auto above = static_cast<int>(std::max(open_[top_].depth, next));
    if (leaf.count <= kCounts && leaf.ends == 0 && leaf.tokens == order_ && above < kDepths) {
      ++plain_[above][leaf.count - 1];
    } else {
      record_leaf(leaf, above, 1);
    }
    if (next > open_[top_].depth) {
      open_[++top_] = {next, leaf.count, leaf.ends, 1};
      return;
    }
    add_child(leaf.count, leaf.ends);
    while (open_[top_].depth > next) {
      const Open node = open_[top_--];
      record_node(node, static_cast<int>(std::max(open_[top_].depth, next)));
      if (next > open_[top_].depth) {
        open_[++top_] = {next, node.count, node.ends, 1};
      } else {
        add_child(node.count, node.ends);
      }
    }
  }

  void add_child(std::uint64_t count, std::uint64_t ends) {
    open_[top_].count += count;
    open_[top_].ends += ends;
    ++open_[top_].children;
  }

  /// Orders above + 1..N. If the window has fewer tokens, the last order starts with the begin
  /// mark.
  void record_leaf(const Leaf& leaf, int above, std::uint64_t times) {
    const int last = std::min(leaf.tokens, order_ - 1);
    recorder_.record(kComplete, above + 1, leaf.tokens, leaf.count, times);
    recorder_.record(kLeftNeighbours, above + 1, last, 1, times);
    const std::uint64_t followed = leaf.count - leaf.ends;
    if (followed != 0) recorder_.record(kFollowed, above + 1, last, followed, times);
    const int starting = leaf.tokens + 1;
    if (starting > order_) return;
    recorder_.record(kStarting, starting, starting, leaf.count, times);
    if (starting < order_ && followed != 0) {
      recorder_.record(kStartingFollowed, starting, starting, followed, times);
    }
  }

  void record_node(const Open& node, int above) {
    const int depth = static_cast<int>(node.depth);
    recorder_.record(kComplete, above + 1, depth, node.count);
    recorder_.record(kLeftNeighbours, above + 1, depth - 1, 1);
    recorder_.record(kLeftNeighbours, depth, depth, node.children);
    if (node.count != node.ends) {
      recorder_.record(kFollowed, above + 1, depth, node.count - node.ends);
    }
  }

  const Windows<Symbol>& windows_;
  Open* open_;
  RangeRecorder& recorder_;
  int order_;
  std::int64_t top_ = 0;
  /// Number of leaves of N tokens in which no document ends, by shared length and count.
  std::uint64_t plain_[kDepths][kCounts] = {};
};

}  // namespace

template <class Symbol>
Status position_spectra(const Symbol* text, int order, const std::int64_t* bounds,
                        std::int64_t buckets, const std::uint64_t* words,
                        const std::uint32_t* shared, std::uint64_t* nodes,
                        const SpectraRanges& out) {
  const Windows<Symbol> windows(text, order, 0);
  RangeRecorder recorder(out, order);
  TreeScan<Symbol> tree(windows, nodes, recorder);
  for (std::int64_t b = 0; b < buckets; ++b) {
    tree.scan(words + bounds[b], shared + (bounds[b] - bounds[0]), bounds[b + 1] - bounds[b]);
  }
  tree.finish();
  return recorder.fits() ? Status{} : Status{Code::output_too_small, 0, 0};
}

#define ICFAST_SYMBOL(S)                                                                          \
  template Status position_spectra<S>(const S*, int, const std::int64_t*, std::int64_t,           \
                                      const std::uint64_t*, const std::uint32_t*, std::uint64_t*, \
                                      const SpectraRanges&);
ICFAST_SYMBOL(std::uint16_t)
ICFAST_SYMBOL(std::uint32_t)
#undef ICFAST_SYMBOL

}  // namespace icfast
