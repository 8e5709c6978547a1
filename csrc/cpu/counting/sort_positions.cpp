// Sorts windows stored as positions: first as words, by the code of their newest symbols, then
// groups of at least two equal windows by their next symbols, read from the text.
//
// shared[i] records the remaining work. With kOpen set it is a lower bound on the symbols that
// windows i and i - 1 share. Stretches of open entries are refined from left to right until none is
// left, without recursion and without a work list.
#include <algorithm>

#include "icfast/counting.hpp"
#include "sort_keys.hpp"
#include "text.hpp"

namespace icfast {
namespace {

constexpr std::uint32_t kOpen = std::uint32_t{1} << 31;
constexpr std::int64_t kAhead = 32;  // windows whose text is prefetched

/// The windows of one lead.
template <class Symbol>
class Refinement {
 public:
  Refinement(const Windows<Symbol>& windows, const WindowWord& word, std::uint64_t* words,
             std::uint32_t* shared, std::uint64_t* entries, std::uint64_t* scratch)
      : windows_(windows),
        word_(word),
        words_(words),
        shared_(shared),
        entries_(entries),
        scratch_(scratch),
        order_(windows.order()) {}

  void sort(std::int64_t size) {
    sort_words(words_, scratch_, size);
    compare_codes(size);
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
  std::int64_t place(std::int64_t i) const { return place_of(words_[i]); }

  /// Writes the shared lengths that the codes determine. The codes are not needed afterwards.
  void compare_codes(std::int64_t size) {
    const int whole = word_.code_bits() / 8;
    const auto order = static_cast<std::uint64_t>(order_);
    std::uint64_t before = words_[0];
    words_[0] = word_.plain(before);
    shared_[0] = 0;
    for (std::int64_t i = 1; i < size; ++i) {
      const std::uint64_t word = words_[i];
      const std::uint64_t differing = (word ^ before) & word_.code_mask();
      const int bytes = differing == 0 ? whole : std::countl_zero(differing) / 8;
      const std::uint64_t common =
          bytes == 0 ? 0 : word & kCodeEnds & ~std::uint64_t{0} << (64 - 8 * bytes);
      // One bit per byte: the highest byte of the product is their sum.
      const std::uint64_t symbols = 1 + ((common >> 7) * 0x0101010101010101 >> 56);
      const bool same = differing == 0;
      shared_[i] = static_cast<std::uint32_t>(std::min(symbols, order));
      if (same && symbols < order) shared_[i] |= kOpen;
      words_[i] = word_.plain(word);
      before = word;
    }
  }

  void fetch(std::int64_t i) const {
    windows_.prefetch(place(i), static_cast<int>(shared_[i] & ~kOpen));
  }

  /// Refines windows [first, first + size), which share `depth` symbols, all of them tokens.
  void refine(std::int64_t first, std::int64_t size, int depth) {
    if (size == 2) return order_two(first, depth);
    for (; depth < order_; depth += windows_.per_word()) {
      const std::uint64_t of_first = windows_.word(place(first), depth);
      std::uint64_t differing = 0;
      for (std::int64_t i = first + 1; i < first + size; ++i) {
        if (i + kAhead < first + size) windows_.prefetch(place(i + kAhead), depth);
        differing |= windows_.word(place(i), depth) ^ of_first;
      }
      if (differing != 0) {
        const int least = depth + windows_.symbols_before(differing);
        if (least < order_) return branch(first, size, least);
        break;
      }
      if (windows_.ends(of_first)) break;
    }
    std::fill(shared_ + first + 1, shared_ + first + size, order_);
  }

  void order_two(std::int64_t first, int depth) {
    const std::int64_t a = place(first);
    const std::int64_t b = place(first + 1);
    const int found = windows_.shared(a, b, depth, order_);
    shared_[first + 1] = static_cast<std::uint32_t>(found);
    if (found < order_ && windows_.symbol(b, found) < windows_.symbol(a, found)) {
      std::swap(words_[first], words_[first + 1]);
    }
  }

  /// Refines windows that do not all share the symbol at `depth`. They are sorted by as many
  /// symbols from there on as fit into a word with the window's number.
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
    for (std::int64_t i = 0; i < size; ++i)
      scratch_[i] = words_[first + static_cast<std::int64_t>(entries_[i] & number)];
    std::copy(scratch_, scratch_ + size, words_ + first);

    const int whole = bits / width;  // symbols that are not truncated
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
  const WindowWord& word_;
  std::uint64_t* words_;
  std::uint32_t* shared_;
  std::uint64_t* entries_;
  std::uint64_t* scratch_;
  int order_;
};

}  // namespace

template <class Symbol>
Status sort_positions(const Symbol* text, std::int64_t size, int order, int bits,
                      const std::int64_t* bounds, std::int64_t buckets, std::uint64_t* words,
                      std::uint32_t* shared, std::uint64_t* entries, std::uint64_t* scratch) {
  const Windows<Symbol> windows(text, order, bits);
  const WindowWord word(size);
  for (std::int64_t b = 0; b < buckets; ++b) {
    const std::int64_t in_bucket = bounds[b + 1] - bounds[b];
    if (in_bucket == 0) continue;
    Refinement<Symbol>(windows, word, words + bounds[b], shared + (bounds[b] - bounds[0]), entries,
                       scratch)
        .sort(in_bucket);
  }
  return {};
}

#define ICFAST_SYMBOL(S)                                                                          \
  template Status sort_positions<S>(const S*, std::int64_t, int, int, const std::int64_t*,        \
                                    std::int64_t, std::uint64_t*, std::uint32_t*, std::uint64_t*, \
                                    std::uint64_t*);
ICFAST_SYMBOL(std::uint16_t)
ICFAST_SYMBOL(std::uint32_t)
#undef ICFAST_SYMBOL

}  // namespace icfast
