// Reads windows backwards from their last symbol in the text.
#pragma once
#include <bit>
#include <cstring>

#include "icfast/counting.hpp"

namespace icfast {

/// A window as a word. The lowest bit is the mark, set if the window ends its document or has a
/// history of fewer than N - 1 tokens. The position follows, then the beginning of its history's
/// code.
class WindowWord {
 public:
  /// For a text of this many symbols.
  explicit WindowWord(std::int64_t size)
      : bits_(65 - std::countl_zero(static_cast<std::uint64_t>(size))) {}

  std::uint64_t of(std::uint64_t code, std::int64_t place, bool special) const {
    return (code & code_mask()) | static_cast<std::uint64_t>(place) << 1 |
           static_cast<std::uint64_t>(special);
  }

  /// The word without its code.
  std::uint64_t plain(std::uint64_t word) const { return word & ~code_mask(); }
  std::uint64_t code_mask() const { return ~std::uint64_t{0} << bits_; }
  int code_bits() const { return 64 - bits_; }

 private:
  int bits_;
};

/// The position of a word without a code.
inline std::int64_t place_of(std::uint64_t word) { return static_cast<std::int64_t>(word >> 1); }
inline bool is_special(std::uint64_t word) { return (word & 1) != 0; }

/// Windows as sequences of symbols: symbol i of the window that ends at p is text[p - i], up to the
/// first 0. kPadding zeros follow it, so reading on gives equal symbols.
template <class Symbol>
class Windows {
 public:
  Windows(const Symbol* text, int order, int bits) : text_(text), order_(order), bits_(bits) {}

  int order() const { return order_; }

  std::uint32_t symbol(std::int64_t p, int i) const { return text_[p - i]; }
  bool ends_document(std::int64_t p) const { return text_[p + 1] == 0; }

  /// Number of tokens of the window that ends at p, at most N.
  int tokens(std::int64_t p) const {
    int n = 0;
    while (n < order_ && text_[p - n] != 0) ++n;
    return n;
  }

  /// Number of symbols that two windows share, which is at least `from`. It is at most `most`,
  /// which is also returned if they share their begin mark.
  int shared(std::int64_t a, std::int64_t b, int from, int most) const {
    for (int i = from; i < most; i += kPerWord) {
      const std::uint64_t of_a = word(a, i);
      const std::uint64_t differing = of_a ^ word(b, i);
      if (differing != 0) {
        const int found = i + std::countl_zero(differing) / kWidth;
        return found < most ? found : most;
      }
      if (static_cast<Symbol>(of_a) == 0) return most;
    }
    return most;
  }

  /// Bits per symbol of a prefix.
  int prefix_bits() const { return sizeof(Symbol) == 2 ? kWidth : bits_; }

  /// Symbols i, i + 1, ... most significant first, as many as 64 bits hold, the last one truncated.
  std::uint64_t prefix(std::int64_t p, int i) const {
    if constexpr (sizeof(Symbol) == 2) {
      return word(p, i);
    } else {
      std::uint64_t value = 0;
      int shift = 64 - bits_;
      for (; shift >= 0; shift -= bits_) value |= std::uint64_t{symbol(p, i++)} << shift;
      return shift > -bits_ ? value | symbol(p, i) >> -shift : value;
    }
  }

  void prefetch(std::int64_t p, int i) const { __builtin_prefetch(text_ + p - i - kPerWord + 1); }

  /// Symbols i, i + 1, ... that fill a word, most significant first.
  std::uint64_t word(std::int64_t p, int i) const {
    std::uint64_t value;
    std::memcpy(&value, text_ + p - i - (kPerWord - 1), sizeof value);
    static_assert(std::endian::native == std::endian::little);
    return value;
  }
  static constexpr int per_word() { return kPerWord; }
  /// Number of symbols before the first of these bits.
  static int symbols_before(std::uint64_t differing) {
    return std::countl_zero(differing) / kWidth;
  }
  /// Whether only zeros follow the symbols of the word.
  static bool ends(std::uint64_t word) { return static_cast<Symbol>(word) == 0; }

 private:
  static constexpr int kWidth = 8 * sizeof(Symbol);
  static constexpr int kPerWord = 64 / kWidth;

  const Symbol* text_;
  int order_;
  int bits_;
};

}  // namespace icfast
