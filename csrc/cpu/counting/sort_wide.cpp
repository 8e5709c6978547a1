// Sorts keys of several words as keys of one word, with AVX-512 and BMI2.
//
// Within a bucket few bits vary. Extracting these bits from the keys, most significant first, keeps
// the order of the keys. Up to 64 of them are one word: it is sorted, counted and expanded again.
// With a few more bits, the first bits choose a part, within which at most 64 remain. With still
// more, the most significant bits are sorted together with the key's number, the keys are moved
// into that order, and groups with equal bits are sorted again.
#include <immintrin.h>

#include <algorithm>
#include <bit>
#include <utility>

#include "sort_keys.hpp"

namespace icfast {
namespace {

constexpr std::int64_t kInsertion = 16;
constexpr int kPartBits = 8;             // most bits that choose a part
constexpr int kStreams = 4;              // positions read in turn
constexpr std::int64_t kLeastPart = 16;  // smallest part that pays

/// Extracts chosen bits of a key into one word and back, most significant first.
template <int W>
class Squeeze {
 public:
  Squeeze() = default;
  explicit Squeeze(const Key<W>& chosen) : chosen_(chosen) {
    for (int w = W - 1; w >= 0; --w) {
      shift_[w] = bits_ & 63;  // 64 only if no bit is left to place
      bits_ += std::popcount(chosen.word[w]);
    }
  }

  int bits() const { return bits_; }

  std::uint64_t operator()(const Key<W>& key) const {
    std::uint64_t value = 0;
    for (int w = 0; w < W; ++w) value |= _pext_u64(key.word[w], chosen_.word[w]) << shift_[w];
    return value;
  }

  /// Returns the key with these bits and the other bits of `like`.
  Key<W> spread(std::uint64_t value, const Key<W>& like) const {
    Key<W> key;
    for (int w = 0; w < W; ++w) {
      const std::uint64_t mask = chosen_.word[w];
      key.word[w] = (like.word[w] & ~mask) | _pdep_u64(value >> shift_[w], mask);
    }
    return key;
  }

 private:
  Key<W> chosen_{};
  int shift_[W] = {};
  int bits_ = 0;
};

/// The last word of a key, if the other words are constant.
template <int W>
struct LastWord {
  std::uint64_t operator()(const Key<W>& key) const { return key.word[W - 1]; }

  /// Returns the key with this last word and the other words of `like`.
  Key<W> spread(std::uint64_t value, const Key<W>& like) const {
    Key<W> key = like;
    key.word[W - 1] = value;
    return key;
  }
};

/// Chosen bits of the first of two words.
class FirstBits {
 public:
  explicit FirstBits(std::uint64_t chosen) : chosen_(chosen) {}

  int bits() const { return std::popcount(chosen_); }

  std::uint64_t operator()(const Key<2>& key) const { return _pext_u64(key.word[0], chosen_); }

  /// Returns the key with these bits and the other bits of `like`.
  Key<2> spread(std::uint64_t value, const Key<2>& like) const {
    return {{(like.word[0] & ~chosen_) | _pdep_u64(value, chosen_), like.word[1]}};
  }

 private:
  std::uint64_t chosen_;
};

template <int W>
int count_bits(const Key<W>& mask) {
  int bits = 0;
  for (const std::uint64_t word : mask.word) bits += std::popcount(word);
  return bits;
}

/// The most significant `bits` set bits of a mask.
template <int W>
Key<W> top_bits(const Key<W>& mask, int bits) {
  Key<W> top{};
  for (int w = 0; w < W && bits > 0; ++w) {
    const int here = std::popcount(mask.word[w]);
    top.word[w] =
        here <= bits ? mask.word[w] : _pdep_u64(~std::uint64_t{0} << (here - bits), mask.word[w]);
    bits -= here;
  }
  return top;
}

template <int W>
Key<W> without(const Key<W>& mask, const Key<W>& taken) {
  Key<W> rest;
  for (int w = 0; w < W; ++w) rest.word[w] = mask.word[w] & ~taken.word[w];
  return rest;
}

/// One bucket: its keys, scratch space of the same size, and space for the counts.
template <int W>
class Bucket {
 public:
  Bucket(Key<W>* keys, Key<W>* scratch, std::int64_t size, std::uint64_t* counts)
      : keys_(keys), scratch_(scratch), size_(size), counts_(counts) {}

  std::int64_t count() {
    const Key<W> varying = varying_bits(keys_, size_);
    if constexpr (W == 2) {
      // If the first word chooses a part, no bits of the second word are extracted.
      const FirstBits first(varying.word[0]);
      if (first.bits() == 0) return count_squeezed(LastWord<W>());
      if (first.bits() <= kPartBits && size_ >= kLeastPart << first.bits()) {
        return count_parts(first, LastWord<W>());
      }
    }
    const int bits = count_bits(varying);
    if (bits <= 64) return count_squeezed(Squeeze<W>(varying));
    const int above = bits - 64;
    if (above <= kPartBits && size_ >= kLeastPart << above) {
      const Key<W> top = top_bits(varying, above);
      return count_parts(Squeeze<W>(top), Squeeze<W>(without(varying, top)));
    }
    return count_by_place(varying);
  }

 private:
  std::uint64_t* words() { return scratch_->word; }

  template <class Low>
  std::int64_t count_squeezed(const Low& low) {
    for (std::int64_t i = 0; i < size_; ++i) words()[i] = low(keys_[i]);
    return count_words(words(), size_, low, keys_[0], 0);
  }

  /// Sorts and counts words; their keys follow the `done` keys at the front.
  template <class Low>
  std::int64_t count_words(std::uint64_t* values, std::int64_t size, const Low& low,
                           const Key<W>& like, std::int64_t done) {
    sort_avx512(values, words() + size_, size);
    const std::int64_t distinct = run_lengths_avx512(values, size, counts_ + done);
    for (std::int64_t i = 0; i < distinct; ++i) keys_[done + i] = low.spread(values[i], like);
    return done + distinct;
  }

  /// Calls visit(key, stream) for each key, from several positions in turn. Few parts are chosen
  /// again and again, and a single stream would wait for its own last store.
  template <class Visit>
  void each_in_streams(Visit visit) const {
    const std::int64_t length = size_ / kStreams;
    for (std::int64_t i = 0; i < length; ++i) {
      for (int stream = 0; stream < kStreams; ++stream) visit(keys_[stream * length + i], stream);
    }
    for (std::int64_t i = kStreams * length; i < size_; ++i) visit(keys_[i], kStreams - 1);
  }

  template <class High, class Low>
  std::int64_t count_parts(const High& high, const Low& low) {
    std::int64_t next[1 << kPartBits][kStreams];
    const int parts = 1 << high.bits();
    std::fill(next[0], next[parts], 0);
    each_in_streams([&](const Key<W>& key, int stream) { ++next[high(key)][stream]; });
    std::int64_t sum = 0;
    for (int p = 0; p < parts; ++p) {
      for (std::int64_t& one : next[p]) sum += std::exchange(one, sum);
    }
    each_in_streams(
        [&](const Key<W>& key, int stream) { words()[next[high(key)][stream]++] = low(key); });
    const Key<W> like = keys_[0];
    std::int64_t done = 0;
    std::int64_t begin = 0;
    for (int p = 0; p < parts; ++p) {
      const Key<W> part_like = high.spread(static_cast<std::uint64_t>(p), like);
      const std::int64_t end = next[p][kStreams - 1];
      done = count_words(words() + begin, end - begin, low, part_like, done);
      begin = end;
    }
    return done;
  }

  /// Sorts top bits and key numbers in the space of the counts, then moves the keys to scratch in
  /// that order. There, groups with equal top bits are contiguous: each is sorted as a bucket, with
  /// the keys' old space as its scratch.
  std::int64_t count_by_place(const Key<W>& varying) {
    const int place_bits = 64 - std::countl_zero(static_cast<std::uint64_t>(size_ - 1));
    const std::uint64_t place = (std::uint64_t{1} << place_bits) - 1;
    const Squeeze<W> top(top_bits(varying, 64 - place_bits));
    for (std::int64_t i = 0; i < size_; ++i) {
      counts_[i] = top(keys_[i]) << place_bits | static_cast<std::uint64_t>(i);
    }
    sort_avx512(counts_, words(), size_);
    for (std::int64_t i = 0; i < size_; ++i) {
      if (i + kAhead < size_) _mm_prefetch(keys_ + (counts_[i + kAhead] & place), _MM_HINT_T0);
      scratch_[i] = keys_[counts_[i] & place];
    }
    std::int64_t done = 0;
    for (std::int64_t i = 0; i < size_;) {
      std::int64_t j = i + 1;
      while (j < size_ && (counts_[j] ^ counts_[i]) <= place) ++j;
      const std::int64_t distinct = count_run(i, j - i);
      std::copy(scratch_ + i, scratch_ + i + distinct, keys_ + done);
      std::copy(counts_ + i, counts_ + i + distinct, counts_ + done);
      done += distinct;
      i = j;
    }
    return done;
  }

  std::int64_t count_run(std::int64_t first, std::int64_t size) {
    if (size == 1) {
      counts_[first] = 1;
      return 1;
    }
    Bucket run(scratch_ + first, keys_ + first, size, counts_ + first);
    return size < kInsertion ? run.count_few() : run.count();
  }

  /// Inserts each key after the smaller distinct keys found so far, or counts it with its equal.
  std::int64_t count_few() {
    std::int64_t distinct = 0;
    for (std::int64_t i = 0; i < size_; ++i) {
      const Key<W> key = keys_[i];
      std::int64_t j = distinct;
      while (j > 0 && key < keys_[j - 1]) --j;
      if (j > 0 && keys_[j - 1] == key) {
        ++counts_[j - 1];
        continue;
      }
      std::copy_backward(keys_ + j, keys_ + distinct, keys_ + distinct + 1);
      std::copy_backward(counts_ + j, counts_ + distinct, counts_ + distinct + 1);
      keys_[j] = key;
      counts_[j] = 1;
      ++distinct;
    }
    return distinct;
  }

  static constexpr std::int64_t kAhead = 16;

  Key<W>* keys_;
  Key<W>* scratch_;
  std::int64_t size_;
  std::uint64_t* counts_;
};

}  // namespace

template <int W>
std::int64_t sort_and_count_avx512(Key<W>* keys, Key<W>* scratch, std::int64_t size,
                                   std::uint64_t* counts) {
  return size == 0 ? 0 : Bucket<W>(keys, scratch, size, counts).count();
}

#define ICFAST_WIDE(W) \
  template std::int64_t sort_and_count_avx512<W>(Key<W>*, Key<W>*, std::int64_t, std::uint64_t*);
ICFAST_WIDE(2)
ICFAST_WIDE(3)
ICFAST_WIDE(4)
#undef ICFAST_WIDE

}  // namespace icfast
