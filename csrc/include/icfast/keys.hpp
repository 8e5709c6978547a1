// key = sum over i = 1..N-1 of rank(w[t-i]) << bits (N-1-i): the history of the window that ends at
// token t, as an integer of W words. The window is (lead, key) with lead = rank of w[t]. Rank 0 is
// the begin mark, so a history that reaches the document's start ends in zeros. The order of
// integers is suffix order.
#pragma once
#include <algorithm>
#include <bit>
#include <compare>
#include <cstddef>
#include <cstdint>

namespace icfast {

inline constexpr int kMaxOrder = 64;
inline constexpr int kMaxWords = 4;

template <int W>
struct Key {
  std::uint64_t word[W];  // most significant first
  auto operator<=>(const Key&) const = default;
};

/// Layout of the N - 1 symbols of a key, and arithmetic on keys.
template <int W>
class KeyShape {
 public:
  KeyShape(int order, int bits)
      : order_(order),
        bits_(bits),
        newest_(order > 1 ? bits * (order - 2) : 0),
        oldest_mask_(order > 1 ? (std::uint64_t{1} << bits) - 1 : 0) {
    for (int bit = 0; bit < 64 * W; ++bit) {
      const int shared = order - 2 - bit / bits;
      shared_[bit] = static_cast<std::int8_t>(shared > 0 ? shared : 0);
    }
    const int word = W - 1 - newest_ / 64;
    const int offset = newest_ % 64;
    std::fill(enter_right_, enter_right_ + W, 63);  // more bits than a symbol has: nothing enters
    enter_left_[word] = offset;
    enter_right_[word] = 0;
    if (offset + bits > 64) enter_right_[word - 1] = 64 - offset;
  }

  /// Moves the key one token on: `symbol` becomes w[t-1], and the oldest symbol is dropped. It is
  /// always inlined, since a call would pass the key through memory and wait for the store.
  [[gnu::always_inline]] void push(Key<W>& key, std::uint64_t symbol) const {
    if (order_ == 1) return;
    for (int i = W - 1; i > 0; --i) {
      key.word[i] = (key.word[i] >> bits_) | (key.word[i - 1] << (64 - bits_));
    }
    key.word[0] >>= bits_;
    if constexpr (W == 1) {
      key.word[0] |= symbol << newest_;
    } else {
      // Words with constant indices stay in registers; place() would pass the key through memory.
      for (int i = 0; i < W; ++i) {
        key.word[i] |= (symbol << enter_left_[i]) >> enter_right_[i];
      }
    }
  }

  /// w[t-i], for i = 1..N-1.
  std::uint32_t symbol(const Key<W>& key, int i) const {
    const int position = bits_ * (order_ - 1 - i);
    const int word = W - 1 - position / 64;
    const int offset = position % 64;
    std::uint64_t value = key.word[word] >> offset;
    if (offset + bits_ > 64) value |= key.word[word - 1] << (64 - offset);
    return static_cast<std::uint32_t>(value & ((std::uint64_t{1} << bits_) - 1));
  }

  void set_symbol(Key<W>& key, int i, std::uint64_t symbol) const {
    place(key, symbol, bits_ * (order_ - 1 - i));
  }

  /// Number of leading history symbols that two different keys share.
  int shared_symbols(const Key<W>& a, const Key<W>& b) const {
    for (int i = 0; i < W; ++i) {
      const std::uint64_t differing = a.word[i] ^ b.word[i];
      if (differing != 0) return shared_[64 * (W - 1 - i) + 63 - std::countl_zero(differing)];
    }
    return order_ - 1;
  }

  /// Number of history symbols that are tokens; the others are begin marks.
  int history_length(const Key<W>& key) const {
    int length = order_ - 1;
    if ((key.word[W - 1] & oldest_mask_) != 0) return length;
    while (length > 0 && symbol(key, length) == 0) --length;
    return length;
  }

  int order() const { return order_; }

 private:
  void place(Key<W>& key, std::uint64_t symbol, int position) const {
    const int word = W - 1 - position / 64;
    const int offset = position % 64;
    key.word[word] |= symbol << offset;
    if (offset + bits_ > 64) key.word[word - 1] |= symbol >> (64 - offset);
  }

  int order_;
  int bits_;
  int newest_;                 // bit position of w[t-1]
  std::uint64_t oldest_mask_;  // bits of w[t-N+1] in the last word
  std::int8_t shared_[64 * W];
  // Shifts of the newest symbol into each word.
  int enter_left_[W] = {};
  int enter_right_[W];
};

}  // namespace icfast
