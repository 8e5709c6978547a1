// Sorts each bucket and replaces equal keys by (key, count), packed at its front.
#include <algorithm>

#include "icfast/counting.hpp"
#include "instantiate.hpp"
#include "sort_keys.hpp"

namespace icfast {

template <int W>
Status sort_runs(const std::int64_t* bounds, std::int64_t buckets, Key<W>* keys,
                 std::uint64_t* counts, Key<W>* scratch, std::int64_t* distinct) {
  std::int64_t out = bounds[0];
  for (std::int64_t b = 0; b < buckets; ++b) {
    const std::int64_t size = bounds[b + 1] - bounds[b];
    // Histograms have 32-bit offsets; the planner never makes a bucket that large.
    if (size > INT32_MAX) {
      return {Code::output_too_small, b, static_cast<std::uint64_t>(size)};
    }
    Key<W>* bucket = keys + bounds[b];
    distinct[b] = sort_and_count(bucket, scratch, size, counts + (out - bounds[0]));
    if (out != bounds[b]) std::copy(bucket, bucket + distinct[b], keys + out);
    out += distinct[b];
  }
  return {};
}

#define ICFAST_WIDTH(W)                                                                    \
  template Status sort_runs<W>(const std::int64_t*, std::int64_t, Key<W>*, std::uint64_t*, \
                               Key<W>*, std::int64_t*);
ICFAST_FOR_EACH_WIDTH(ICFAST_WIDTH)
#undef ICFAST_WIDTH

}  // namespace icfast
