// Runs of several tables brought under one alphabet and added.
#include "icfast/kernels.hpp"
#include "instantiate.hpp"

namespace icfast {

template <int From, int To>
Status remap_keys(const Key<From>* keys, std::int64_t size, const std::uint32_t* ranks, int order,
                  int bits, Key<To>* new_keys, int new_bits) {
  const KeyShape<From> from(order, bits);
  const KeyShape<To> to(order, new_bits);
  for (std::int64_t e = 0; e < size; ++e) {
    Key<To> key{};
    for (int i = 1; i < order; ++i) to.set_symbol(key, i, ranks[from.symbol(keys[e], i)]);
    new_keys[e] = key;
  }
  return {};
}

template <int W>
Status merge_runs(const Run<W>& a, const Run<W>& b, std::int64_t* out_bounds, Key<W>* out_keys,
                  std::uint64_t* out_counts) {
  std::int64_t out = 0;
  for (std::int64_t bucket = 0; bucket < a.buckets; ++bucket) {
    out_bounds[bucket] = out;
    std::int64_t i = a.bounds[bucket];
    std::int64_t j = b.bounds[bucket];
    const std::int64_t i_end = a.bounds[bucket + 1];
    const std::int64_t j_end = b.bounds[bucket + 1];
    while (i < i_end || j < j_end) {
      const bool from_a = j == j_end || (i < i_end && a.keys[i] <= b.keys[j]);
      const bool from_b = i == i_end || (j < j_end && b.keys[j] <= a.keys[i]);
      out_keys[out] = from_a ? a.keys[i] : b.keys[j];
      out_counts[out] = (from_a ? a.counts[i] : 0) + (from_b ? b.counts[j] : 0);
      i += from_a;
      j += from_b;
      ++out;
    }
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
