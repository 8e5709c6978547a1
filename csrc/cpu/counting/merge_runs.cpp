// Translates sorted runs of several tables to one alphabet, and adds them.
#include <algorithm>

#include "icfast/counting.hpp"
#include "instantiate.hpp"

namespace icfast {

template <int From, int To>
Status remap_keys(const Key<From>* keys, std::int64_t size, const std::uint32_t* ranks, int order,
                  int bits, Key<To>* new_keys, int new_bits) {
  if constexpr (From == 1 && To == 1) {
    const std::uint64_t mask = order > 1 ? ~std::uint64_t{0} >> (64 - bits) : 0;
    for (std::int64_t e = 0; e < size; ++e) {
      std::uint64_t rest = keys[e].word[0];
      std::uint64_t key = 0;
      for (int i = order - 1; i > 0; --i) {
        key |= static_cast<std::uint64_t>(ranks[rest & mask]) << (new_bits * (order - 1 - i));
        rest >>= bits % 64;
      }
      new_keys[e].word[0] = key;
    }
  } else {
    const KeyShape<From> from(order, bits);
    const KeyShape<To> to(order, new_bits);
    for (std::int64_t e = 0; e < size; ++e) {
      Key<To> key{};
      for (int i = 1; i < order; ++i) to.set_symbol(key, i, ranks[from.symbol(keys[e], i)]);
      new_keys[e] = key;
    }
  }
  return {};
}

namespace {

/// Sorted entries with distinct keys.
template <int W>
struct Entries {
  const Key<W>* keys;
  const std::uint64_t* counts;
  std::int64_t size;
};

/// Destination of a sum.
template <int W>
struct Destination {
  Key<W>* keys;
  std::uint64_t* counts;

  Destination after(std::int64_t entries) const { return {keys + entries, counts + entries}; }
};

/// 0 or 1 as a number. The compiler would turn two conditions into branches.
inline std::uint64_t number(bool condition) {
  std::uint64_t value = condition;
  asm("" : "+r"(value));
  return value;
}

/// Sources of one entry of a sum: entry i of a, entry j of b, or both.
template <int W>
struct Choice {
  Choice(const Key<W>& a, const Key<W>& b, bool of_a, bool of_b)
      : from_a(number(of_a)), from_b(number(of_b)) {
    for (int w = 0; w < W; ++w) key.word[w] = b.word[w] ^ ((a.word[w] ^ b.word[w]) & -from_a);
  }

  std::uint64_t count(std::uint64_t a, std::uint64_t b) const {
    return (a & -from_a) + (b & -from_b);
  }

  std::uint64_t from_a;
  std::uint64_t from_b;
  Key<W> key;
};

/// a + b. Which side is next can't be predicted, so there is no branch on it. Each step depends on
/// the previous one, so the sum grows from both ends at once.
template <int W>
Entries<W> add(const Entries<W>& a, const Entries<W>& b, const Destination<W>& to) {
  std::int64_t i = 0;
  std::int64_t j = 0;
  std::int64_t i_end = a.size;
  std::int64_t j_end = b.size;
  std::int64_t out = 0;
  std::int64_t out_end = a.size + b.size;
  const auto take_least = [&] {
    const Key<W>& left = a.keys[i];
    const Key<W>& right = b.keys[j];
    const Choice<W> least(left, right, left <= right, right <= left);
    to.keys[out] = least.key;
    to.counts[out++] = least.count(a.counts[i], b.counts[j]);
    i += static_cast<std::int64_t>(least.from_a);
    j += static_cast<std::int64_t>(least.from_b);
  };
  // With two entries left on each side, the smallest and the largest entry differ.
  while (i_end - i > 1 && j_end - j > 1) {
    take_least();
    const Key<W>& left = a.keys[i_end - 1];
    const Key<W>& right = b.keys[j_end - 1];
    const Choice<W> most(left, right, left >= right, right >= left);
    to.keys[--out_end] = most.key;
    to.counts[out_end] = most.count(a.counts[i_end - 1], b.counts[j_end - 1]);
    i_end -= static_cast<std::int64_t>(most.from_a);
    j_end -= static_cast<std::int64_t>(most.from_b);
  }
  while (i < i_end && j < j_end) take_least();
  const auto append = [&](const Key<W>* keys, const std::uint64_t* counts, std::int64_t entries) {
    std::copy_n(keys, entries, to.keys + out);
    std::copy_n(counts, entries, to.counts + out);
    out += entries;
  };
  append(a.keys + i, a.counts + i, i_end - i);
  append(b.keys + j, b.counts + j, j_end - j);
  append(to.keys + out_end, to.counts + out_end, a.size + b.size - out_end);
  return {to.keys, to.counts, out};
}

/// Sums these buckets into `to`, unless there is only one bucket. `other` is scratch space. The
/// entries of one lead mostly fit the first-level cache, so only the first round reads memory.
template <int W>
Entries<W> add_buckets(const SortedRun<W>& runs, const std::int64_t* sequence, std::int64_t size,
                       const Destination<W>& to, const Destination<W>& other) {
  if (size == 1) {
    const std::int64_t first = runs.bounds[*sequence];
    return {runs.keys + first, runs.counts + first, runs.bounds[*sequence + 1] - first};
  }
  const std::int64_t half = size / 2;
  const Entries<W> a = add_buckets(runs, sequence, half, other, to);
  const std::int64_t used = half == 1 ? 0 : a.size;
  const Entries<W> b = add_buckets(runs, sequence + half, size - half, other.after(used), to);
  return add(a, b, to);
}

}  // namespace

template <int W>
Status merge_runs(const SortedRun<W>& runs, const std::int64_t* sequence,
                  const std::uint32_t* leads, std::int64_t buckets, std::int64_t* bounds,
                  Key<W>* keys, std::uint64_t* counts, Key<W>* key_scratch,
                  std::uint64_t* count_scratch) {
  std::int64_t out = 0;
  std::int64_t first = 0;
  for (std::int64_t bucket = 0; bucket < buckets; ++bucket) {
    bounds[bucket] = out;
    std::int64_t last = first;
    while (last < runs.buckets && runs.leads[sequence[last]] == leads[bucket]) ++last;
    const Destination<W> to{keys + out, counts + out};
    const Entries<W> sum = add_buckets(runs, sequence + first, last - first, to,
                                       Destination<W>{key_scratch, count_scratch});
    if (last - first == 1) {
      std::copy(sum.keys, sum.keys + sum.size, to.keys);
      std::copy(sum.counts, sum.counts + sum.size, to.counts);
    }
    out += sum.size;
    first = last;
  }
  bounds[buckets] = out;
  return {};
}

#define ICFAST_WIDTHS(W, V)                                                                     \
  template Status remap_keys<W, V>(const Key<W>*, std::int64_t, const std::uint32_t*, int, int, \
                                   Key<V>*, int);
#define ICFAST_WIDTH(W)                                                                         \
  ICFAST_WIDTHS(W, 1)                                                                           \
  ICFAST_WIDTHS(W, 2)                                                                           \
  ICFAST_WIDTHS(W, 3)                                                                           \
  ICFAST_WIDTHS(W, 4)                                                                           \
  template Status merge_runs<W>(const SortedRun<W>&, const std::int64_t*, const std::uint32_t*, \
                                std::int64_t, std::int64_t*, Key<W>*, std::uint64_t*, Key<W>*,  \
                                std::uint64_t*);
ICFAST_FOR_EACH_WIDTH(ICFAST_WIDTH)
#undef ICFAST_WIDTH
#undef ICFAST_WIDTHS

}  // namespace icfast
