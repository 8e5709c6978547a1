// Windows of a chunk: counts them by bucket, scatters them, and writes those that end documents.
#include "windows.hpp"

#include "instantiate.hpp"
#include "kept_windows.hpp"

namespace icfast {

namespace {

/// The leads of buckets [begin, end).
template <int W>
Kept kept_by(const Buckets<W>& buckets, std::int64_t begin, std::int64_t end,
             const Alphabet& alphabet) {
  const std::uint32_t* first_end = buckets.first + buckets.leads + 1;
  const auto lead_of = [&](std::int64_t bucket) {
    const auto* above =
        std::upper_bound(buckets.first, first_end, static_cast<std::uint32_t>(bucket));
    return static_cast<std::uint32_t>(above - buckets.first - 1);
  };
  return {lead_of(begin), lead_of(end - 1), alphabet};
}

}  // namespace

template <class Token, int W>
Status count_windows(const Chunk<Token>& chunk, const Alphabet& alphabet, const Buckets<W>& buckets,
                     const std::int32_t* slots, const std::int32_t* depths, std::uint64_t* counts,
                     std::int64_t columns) {
  const KeyShape<W> shape(alphabet.order, alphabet.bits);
  const auto count = [&](std::uint32_t lead, const Key<W>& key) {
    const std::int32_t slot = slots[bucket_of(buckets, lead, key)];
    if (slot < 0) return;
    const std::int32_t depth = depths[slot];
    ++counts[slot * columns + (depth == 0 ? 0 : shape.symbol(key, depth))];
  };
  const std::int64_t size = buckets.first[buckets.leads];
  const std::int32_t* begin =
      std::find_if(slots, slots + size, [](auto slot) { return slot >= 0; });
  const std::int32_t* end = slots + size;
  while (end != begin && end[-1] < 0) --end;
  if (begin == end) return {};
  if (begin == slots && end == slots + size) {
    return for_each_window<W>(chunk, alphabet, shape, count);
  }
  // A lead in several buckets may need any of its windows.
  const auto asked = [=, first = buckets.first](std::uint32_t lead) {
    return first[lead + 1] - first[lead] > 1 || slots[first[lead]] >= 0;
  };
  const Kept kept = kept_by(buckets, begin - slots, end - slots, alphabet);
  return for_each_kept_window<W>(chunk, alphabet, shape, kept, asked, count);
}

namespace {

template <int W>
constexpr std::int64_t kLineKeys = 64 / sizeof(Key<W>);

/// Scatters all windows if buckets are leads. The loop does only what each window needs, so that it
/// stays in registers.
template <class Token, int W>
Status scatter_by_lead(const Chunk<Token>& chunk, const Alphabet& alphabet, std::int64_t* offsets,
                       Key<W>* keys, std::int64_t size) {
  const KeyShape<W> shape(alphabet.order, alphabet.bits);
  return for_each_window<W>(chunk, alphabet, shape, [=](std::uint32_t lead, const Key<W>& key) {
    const std::int64_t at = offsets[lead]++;
    if (at < size) keys[at] = key;
    // More leads alternate than the caches have lines, so prefetch the next line of this lead.
    __builtin_prefetch(keys + at + kLineKeys<W>, 1);
  });
}

}  // namespace

template <class Token, int W>
Status scatter_windows(const Chunk<Token>& chunk, const Alphabet& alphabet,
                       const Buckets<W>& buckets, std::int64_t bucket_begin,
                       std::int64_t bucket_end, std::int64_t* offsets, Key<W>* keys,
                       std::int64_t size) {
  const bool all = bucket_begin == 0 && bucket_end == buckets.first[buckets.leads];
  if (all && buckets.by_lead) return scatter_by_lead(chunk, alphabet, offsets, keys, size);
  const KeyShape<W> shape(alphabet.order, alphabet.bits);
  const auto put = [=](std::uint32_t lead, const Key<W>& key) {
    const std::int64_t bucket = bucket_of(buckets, lead, key);
    if (bucket < bucket_begin || bucket >= bucket_end) return;
    const std::int64_t at = offsets[bucket - bucket_begin]++;
    if (at < size) keys[at] = key;
    __builtin_prefetch(keys + at + kLineKeys<W>, 1);
  };
  if (all) return for_each_window<W>(chunk, alphabet, shape, put);
  const Kept kept = kept_by(buckets, bucket_begin, bucket_end, alphabet);
  const auto every = [](std::uint32_t) { return true; };
  return for_each_kept_window<W>(chunk, alphabet, shape, kept, every, put);
}

template <class Token, int W>
Status end_windows(const Chunk<Token>& chunk, const Alphabet& alphabet, std::uint32_t* leads,
                   Key<W>* keys) {
  const KeyShape<W> shape(alphabet.order, alphabet.bits);
  for (std::int64_t d = 0; d < chunk.documents; ++d) {
    const std::int64_t stop = chunk.stops[d];
    const std::int64_t tail = std::max(chunk.starts[d], stop - 1);
    const Chunk<Token> last{chunk.tokens, chunk.starts + d, chunk.stops + d, 1, tail, stop};
    const Status status =
        for_each_window<W>(last, alphabet, shape, [&](std::uint32_t lead, const Key<W>& key) {
          leads[d] = lead;
          keys[d] = key;
        });
    if (status.code != Code::ok) return status;
  }
  return {};
}

#define ICFAST_TOKEN_WIDTH(T, W)                                                                \
  template Status count_windows<T, W>(const Chunk<T>&, const Alphabet&, const Buckets<W>&,      \
                                      const std::int32_t*, const std::int32_t*, std::uint64_t*, \
                                      std::int64_t);                                            \
  template Status scatter_windows<T, W>(const Chunk<T>&, const Alphabet&, const Buckets<W>&,    \
                                        std::int64_t, std::int64_t, std::int64_t*, Key<W>*,     \
                                        std::int64_t);                                          \
  template Status end_windows<T, W>(const Chunk<T>&, const Alphabet&, std::uint32_t*, Key<W>*);
#define ICFAST_WIDTH(W)               \
  ICFAST_TOKEN_WIDTH(std::uint8_t, W) \
  ICFAST_TOKEN_WIDTH(std::uint16_t, W) ICFAST_TOKEN_WIDTH(std::uint32_t, W)
ICFAST_FOR_EACH_WIDTH(ICFAST_WIDTH)
#undef ICFAST_WIDTH
#undef ICFAST_TOKEN_WIDTH

}  // namespace icfast
