// The key of a window: its history w[t-1], w[t-2], ... as one big integer of W words.
//
// A window ending at t is (lead, key): lead = rank of w[t], key = sum over i = 1..N-1 of
// rank(w[t-i]) << bits*(N-1-i). Rank 0 is the begin mark, so a history cut by the document's
// start ends in zeros, and integer order is suffix order.
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

/// Where the N - 1 symbols of a key lie; the arithmetic on keys.
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
    std::fill(enter_right_, enter_right_ + W, 63);  // no symbol has so many bits: nothing enters
    enter_left_[word] = offset;
    enter_right_[word] = 0;
    if (offset + bits > 64) enter_right_[word - 1] = 64 - offset;
  }

  /// The key one token later: `symbol` becomes w[t-1], the oldest symbol falls out. Always inlined:
  /// a call would send the key through memory, word by word in and all of it out, and wait for it.
  [[gnu::always_inline]] void push(Key<W>& key, std::uint64_t symbol) const {
    if (order_ == 1) return;
    for (int i = W - 1; i > 0; --i) {
      key.word[i] = (key.word[i] >> bits_) | (key.word[i - 1] << (64 - bits_));
    }
    key.word[0] >>= bits_;
    if constexpr (W == 1) {
      key.word[0] |= symbol << newest_;
    } else {
      // Words indexed by constants stay in registers; place() would send the key through memory.
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

  /// How many leading history symbols two different keys share.
  int shared_symbols(const Key<W>& a, const Key<W>& b) const {
    for (int i = 0; i < W; ++i) {
      const std::uint64_t differing = a.word[i] ^ b.word[i];
      if (differing != 0) return shared_[64 * (W - 1 - i) + 63 - std::countl_zero(differing)];
    }
    return order_ - 1;
  }

  /// How many history symbols are tokens; the rest are begin marks.
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
  int newest_;                 // where w[t-1] lies
  std::uint64_t oldest_mask_;  // where w[t-N+1] lies, in the last word
  std::int8_t shared_[64 * W];
  // How the newest symbol enters each word.
  int enter_left_[W] = {};
  int enter_right_[W];
};

}  // namespace icfast
