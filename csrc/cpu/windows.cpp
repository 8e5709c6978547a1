// Windows of a piece: counted by bucket, scattered into buckets, and those that end documents.
#include "windows.hpp"

#include "instantiate.hpp"

namespace icfast {

template <class Token, int W>
Status count_windows(const Piece<Token>& piece, const Alphabet& alphabet, const Buckets<W>& buckets,
                     const std::int32_t* slots, const std::int32_t* depths, std::uint64_t* counts,
                     std::int64_t columns) {
  const KeyShape<W> shape(alphabet.order, alphabet.bits);
  return for_each_window<W>(piece, alphabet, shape, [&](std::uint32_t lead, const Key<W>& key) {
    const std::int32_t slot = slots[bucket_of(buckets, lead, key)];
    if (slot < 0) return;
    const std::int32_t depth = depths[slot];
    ++counts[slot * columns + (depth == 0 ? 0 : shape.symbol(key, depth))];
  });
}

template <class Token, int W>
Status scatter_windows(const Piece<Token>& piece, const Alphabet& alphabet,
                       const Buckets<W>& buckets, std::int64_t bucket_begin,
                       std::int64_t bucket_end, std::int64_t* offsets, Key<W>* keys) {
  const KeyShape<W> shape(alphabet.order, alphabet.bits);
  return for_each_window<W>(piece, alphabet, shape, [&](std::uint32_t lead, const Key<W>& key) {
    const std::int64_t bucket = bucket_of(buckets, lead, key);
    if (bucket < bucket_begin || bucket >= bucket_end) return;
    keys[offsets[bucket - bucket_begin]++] = key;
  });
}

template <class Token, int W>
Status end_windows(const Piece<Token>& piece, const Alphabet& alphabet, std::uint32_t* leads,
                   Key<W>* keys) {
  const KeyShape<W> shape(alphabet.order, alphabet.bits);
  for (std::int64_t d = 0; d < piece.documents; ++d) {
    const std::int64_t stop = piece.stops[d];
    const std::int64_t tail = std::max(piece.starts[d], stop - 1);
    const Piece<Token> last{piece.tokens, piece.starts + d, piece.stops + d, 1, tail, stop};
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
  template Status count_windows<T, W>(const Piece<T>&, const Alphabet&, const Buckets<W>&,      \
                                      const std::int32_t*, const std::int32_t*, std::uint64_t*, \
                                      std::int64_t);                                            \
  template Status scatter_windows<T, W>(const Piece<T>&, const Alphabet&, const Buckets<W>&,    \
                                        std::int64_t, std::int64_t, std::int64_t*, Key<W>*);    \
  template Status end_windows<T, W>(const Piece<T>&, const Alphabet&, std::uint32_t*, Key<W>*);
#define ICFAST_WIDTH(W)               \
  ICFAST_TOKEN_WIDTH(std::uint8_t, W) \
  ICFAST_TOKEN_WIDTH(std::uint16_t, W) ICFAST_TOKEN_WIDTH(std::uint32_t, W)
ICFAST_FOR_EACH_WIDTH(ICFAST_WIDTH)
#undef ICFAST_WIDTH
#undef ICFAST_TOKEN_WIDTH

}  // namespace icfast
