// Runs of several tables brought under one alphabet and added.
#include <algorithm>

#include "icfast/kernels.hpp"
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

/// One bucket of two runs; which side comes next can't be predicted, so nothing branches on it.
template <int W>
std::int64_t merge_bucket(const Run<W>& a, const Run<W>& b, std::int64_t bucket, Key<W>* keys,
                          std::uint64_t* counts) {
  std::int64_t i = a.bounds[bucket];
  std::int64_t j = b.bounds[bucket];
  const std::int64_t i_end = a.bounds[bucket + 1];
  const std::int64_t j_end = b.bounds[bucket + 1];
  std::int64_t out = 0;
  for (; i < i_end && j < j_end; ++out) {
    const bool from_a = a.keys[i] <= b.keys[j];
    const bool from_b = b.keys[j] <= a.keys[i];
    const Key<W>* key = from_a ? a.keys + i : b.keys + j;
    keys[out] = *key;
    counts[out] = (a.counts[i] & -std::uint64_t{from_a}) + (b.counts[j] & -std::uint64_t{from_b});
    i += from_a;
    j += from_b;
  }
  const Run<W>& rest = i < i_end ? a : b;
  const std::int64_t first = i < i_end ? i : j;
  const std::int64_t last = i < i_end ? i_end : j_end;
  std::copy(rest.keys + first, rest.keys + last, keys + out);
  std::copy(rest.counts + first, rest.counts + last, counts + out);
  return out + last - first;
}

}  // namespace

template <int W>
Status merge_runs(const Run<W>& a, const Run<W>& b, std::int64_t* out_bounds, Key<W>* out_keys,
                  std::uint64_t* out_counts) {
  std::int64_t out = 0;
  for (std::int64_t bucket = 0; bucket < a.buckets; ++bucket) {
    out_bounds[bucket] = out;
    out += merge_bucket(a, b, bucket, out_keys + out, out_counts + out);
  }
  out_bounds[a.buckets] = out;
  return {};
}

#define ICFAST_WIDTHS(W, V)                                                                     \
  template Status remap_keys<W, V>(const Key<W>*, std::int64_t, const std::uint32_t*, int, int, \
                                   Key<V>*, int);
#define ICFAST_WIDTH(W)                                                               \
  ICFAST_WIDTHS(W, 1)                                                                 \
  ICFAST_WIDTHS(W, 2)                                                                 \
  ICFAST_WIDTHS(W, 3)                                                                 \
  ICFAST_WIDTHS(W, 4)                                                                 \
  template Status merge_runs<W>(const Run<W>&, const Run<W>&, std::int64_t*, Key<W>*, \
                                std::uint64_t*);
ICFAST_FOR_EACH_WIDTH(ICFAST_WIDTH)
#undef ICFAST_WIDTH
#undef ICFAST_WIDTHS

}  // namespace icfast
