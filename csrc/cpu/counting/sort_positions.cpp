// Sorting windows by where they stand: of a bucket only runs of at least two windows are refined,
// by their next symbols, read from the text.
//
// shared[i] carries the work: with kOpen it says that i shares at least so many symbols with i - 1
// and nothing more is known. Stretches of open entries are refined from left to right until none
// is left, so that there is neither recursion nor a list of what to do.
#include <algorithm>
#include <cstring>

#include "icfast/counting.hpp"
#include "sort_keys.hpp"
#include "text.hpp"

namespace icfast {
namespace {

constexpr std::uint32_t kOpen = std::uint32_t{1} << 31;
constexpr std::int64_t kAhead = 32;  // windows whose text is fetched before its turn

/// The windows of one lead.
template <class Symbol, class Position>
class Refinement {
 public:
  Refinement(const Windows<Symbol>& windows, Position* positions, std::uint32_t* shared,
             std::uint64_t* entries, std::uint64_t* scratch)
      : windows_(windows),
        positions_(positions),
        shared_(shared),
        entries_(entries),
        scratch_(scratch),
        order_(windows.order()) {}

  void sort(std::int64_t size) {
    shared_[0] = 0;
    std::fill(shared_ + 1, shared_ + size, order_ == 1 ? 1 : 1 | kOpen);
    std::int64_t ahead = 0;
    for (std::int64_t i = 0; i + 1 < size;) {
      if ((shared_[i + 1] & kOpen) == 0) {
        ++i;
        continue;
      }
      std::int64_t j = i + 2;
      while (j < size && (shared_[j] & kOpen) != 0) ++j;
      for (ahead = std::max(ahead, j); ahead < std::min(size, j + kAhead); ++ahead) {
        fetch(ahead);
      }
      refine(i, j - i, static_cast<int>(shared_[i + 1] & ~kOpen));
    }
  }

 private:
  std::int64_t place(std::int64_t i) const { return place_of(positions_[i]); }

  void fetch(std::int64_t i) const {
    windows_.prefetch(place(i), static_cast<int>(shared_[i] & ~kOpen));
  }

  /// Windows [first, first + size), which share `depth` symbols, all of them tokens.
  void refine(std::int64_t first, std::int64_t size, int depth) {
    if (size == 2) return order_two(first, depth);
    int least = order_;
    for (std::int64_t i = first + 1; i < first + size && least > depth; ++i) {
      least = windows_.shared(place(first), place(i), depth, least);
    }
    if (least == order_) {
      std::fill(shared_ + first + 1, shared_ + first + size, order_);
    } else {
      branch(first, size, least);
    }
  }

  void order_two(std::int64_t first, int depth) {
    const std::int64_t a = place(first);
    const std::int64_t b = place(first + 1);
    const int found = windows_.shared(a, b, depth, order_);
    shared_[first + 1] = static_cast<std::uint32_t>(found);
    if (found < order_ && windows_.symbol(b, found) < windows_.symbol(a, found)) {
      std::swap(positions_[first], positions_[first + 1]);
    }
  }

  /// The same, where not all share the symbol at `depth`: sorted by as many symbols from there on
  /// as fit beside a window's number.
  void branch(std::int64_t first, std::int64_t size, int depth) {
    const int width = windows_.prefix_bits();
    const int number_bits = 64 - std::countl_zero(static_cast<std::uint64_t>(size - 1));
    const std::uint64_t number = (std::uint64_t{1} << number_bits) - 1;
    const int bits = order_ - depth < 64 / width + 1
                         ? std::min(64 - number_bits, (order_ - depth) * width)
                         : 64 - number_bits;
    const std::uint64_t prefix = ~std::uint64_t{0} << (64 - bits);
    for (std::int64_t i = 0; i < size; ++i) {
      if (i + kAhead < size) windows_.prefetch(place(first + i + kAhead), depth);
      entries_[i] =
          (windows_.prefix(place(first + i), depth) & prefix) | static_cast<std::uint64_t>(i);
    }
    sort_words(entries_, scratch_, size);
    auto* moved = reinterpret_cast<Position*>(scratch_);
    for (std::int64_t i = 0; i < size; ++i) moved[i] = positions_[first + (entries_[i] & number)];
    std::memcpy(positions_ + first, moved, static_cast<std::size_t>(size) * sizeof(Position));

    const int whole = bits / width;  // symbols that are not cut
    const int reached = depth + whole;
    const int last = 64 - whole * width;
    const std::uint64_t symbol = (~std::uint64_t{0} >> (64 - width)) << last;
    for (std::int64_t i = 1; i < size; ++i) {
      const std::uint64_t differing = (entries_[i] ^ entries_[i - 1]) & prefix;
      std::uint32_t found;
      if (differing != 0) {
        found = static_cast<std::uint32_t>(depth + std::countl_zero(differing) / width);
      } else if (reached == order_ || (entries_[i] & symbol) == 0) {
        found = static_cast<std::uint32_t>(order_);
      } else {
        found = static_cast<std::uint32_t>(reached) | kOpen;
      }
      shared_[first + i] = found;
    }
  }

  const Windows<Symbol>& windows_;
  Position* positions_;
  std::uint32_t* shared_;
  std::uint64_t* entries_;
  std::uint64_t* scratch_;
  int order_;
};

}  // namespace

template <class Symbol, class Position>
Status sort_positions(const Symbol* text, int order, int bits, const std::int64_t* bounds,
                      std::int64_t buckets, Position* positions, std::uint32_t* shared,
                      std::uint64_t* entries, std::uint64_t* scratch) {
  const Windows<Symbol> windows(text, order, bits);
  for (std::int64_t b = 0; b < buckets; ++b) {
    const std::int64_t size = bounds[b + 1] - bounds[b];
    if (size == 0) continue;
    Refinement<Symbol, Position>(windows, positions + bounds[b], shared + (bounds[b] - bounds[0]),
                                 entries, scratch)
        .sort(size);
  }
  return {};
}

#define ICFAST_SYMBOL(S)                                                                         \
  template Status sort_positions<S, std::uint32_t>(const S*, int, int, const std::int64_t*,      \
                                                   std::int64_t, std::uint32_t*, std::uint32_t*, \
                                                   std::uint64_t*, std::uint64_t*);              \
  template Status sort_positions<S, std::uint64_t>(const S*, int, int, const std::int64_t*,      \
                                                   std::int64_t, std::uint64_t*, std::uint32_t*, \
                                                   std::uint64_t*, std::uint64_t*);
ICFAST_SYMBOL(std::uint16_t)
ICFAST_SYMBOL(std::uint32_t)
#undef ICFAST_SYMBOL

}  // namespace icfast
