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

namespace {

/// Leads whose windows a pass keeps, and the ids between which they lie: ranks ascend with ids.
struct Kept {
  std::uint32_t first_lead = 0;
  std::uint32_t last_lead = 0;
  std::int64_t first_id = 0;
  std::int64_t last_id = -1;

  template <int W>
  Kept(const Buckets<W>& buckets, std::int64_t bucket_begin, std::int64_t bucket_end,
       const Alphabet& alphabet) {
    const std::uint32_t* end = buckets.first + buckets.leads + 1;
    const auto lead_of = [&](std::int64_t bucket) {
      const auto* above = std::upper_bound(buckets.first, end, static_cast<std::uint32_t>(bucket));
      return static_cast<std::uint32_t>(above - buckets.first - 1);
    };
    first_lead = lead_of(bucket_begin);
    last_lead = lead_of(bucket_end - 1);
    for (std::int64_t id = 0; id < alphabet.vocab_size; ++id) {
      if (alphabet.ranks[id] < std::max(first_lead, 1U) || alphabet.ranks[id] > last_lead) continue;
      if (last_id < 0) first_id = id;
      last_id = id;
    }
  }
};

constexpr std::int64_t kSieve = 1024;  // tokens looked through at a time

/// Positions in [first, last), at most kSieve of them, whose id lies between the kept ones.
template <class Token>
std::int64_t sieve(const Token* tokens, std::int64_t first, std::int64_t last, const Kept& kept,
                   std::int64_t* positions) {
  if (kept.last_id < 0) return 0;
  const auto low = static_cast<Token>(kept.first_id);
  const auto span = static_cast<Token>(kept.last_id - kept.first_id);
  std::int64_t found = 0;
  for (std::int64_t t = first; t < last; ++t) {
    positions[found] = t;
    found += static_cast<Token>(tokens[t] - low) <= span;
  }
  return found;
}

/// visit(lead, key) for the windows of a piece whose lead is kept. Few are, so their histories are
/// read when they are found instead of carried along.
template <int W, class Token, class Visit>
Status for_each_kept_window(const Piece<Token>& piece, const Alphabet& alphabet,
                            const KeyShape<W>& shape, const Kept& kept, Visit visit) {
  Status status;
  const auto history = [&](std::int64_t t, std::int64_t start) {
    Key<W> key{};
    for (int i = 1; i < shape.order() && t - i >= start; ++i) {
      const auto id = static_cast<std::int64_t>(piece.tokens[t - i]);
      if (id >= alphabet.vocab_size || alphabet.ranks[id] == 0) {
        const bool outside = id >= alphabet.vocab_size;
        status = {outside ? Code::id_outside_vocabulary : Code::id_not_in_dictionary, t - i,
                  static_cast<std::uint64_t>(id)};
        break;
      }
      shape.set_symbol(key, i, alphabet.ranks[id]);
    }
    return key;
  };
  const bool end_kept = alphabet.end_rank != 0 && alphabet.end_rank >= kept.first_lead &&
                        alphabet.end_rank <= kept.last_lead;
  std::int64_t positions[kSieve];
  for (std::int64_t d = 0; d < piece.documents && status.code == Code::ok; ++d) {
    const std::int64_t start = piece.starts[d];
    const std::int64_t last = std::min(piece.stops[d], piece.end);
    for (std::int64_t t = std::max(start, piece.begin); t < last; t += kSieve) {
      const std::int64_t found =
          sieve(piece.tokens, t, std::min(t + kSieve, last), kept, positions);
      for (std::int64_t i = 0; i < found; ++i) {
        const std::uint32_t rank = alphabet.ranks[piece.tokens[positions[i]]];
        if (rank != 0) visit(rank, history(positions[i], start));
      }
    }
    if (end_kept && piece.stops[d] <= piece.end) {
      visit(alphabet.end_rank, history(piece.stops[d], start));
    }
  }
  return status;
}

/// Scatters all windows where buckets are leads: nothing but what each window needs, so that its
/// loop stays in registers.
template <class Token, int W>
Status scatter_by_lead(const Piece<Token>& piece, const Alphabet& alphabet, std::int64_t* offsets,
                       Key<W>* keys, std::int64_t size) {
  const KeyShape<W> shape(alphabet.order, alphabet.bits);
  return for_each_window<W>(piece, alphabet, shape, [=](std::uint32_t lead, const Key<W>& key) {
    constexpr std::int64_t kLineKeys = 64 / sizeof(Key<W>);
    const std::int64_t at = offsets[lead]++;
    if (at < size) keys[at] = key;
    // More leads take turns than the caches hold lines of: ask now for the next line of this one.
    __builtin_prefetch(keys + at + kLineKeys, 1);
  });
}

}  // namespace

template <class Token, int W>
Status scatter_windows(const Piece<Token>& piece, const Alphabet& alphabet,
                       const Buckets<W>& buckets, std::int64_t bucket_begin,
                       std::int64_t bucket_end, std::int64_t* offsets, Key<W>* keys,
                       std::int64_t size) {
  const bool all = bucket_begin == 0 && bucket_end == buckets.first[buckets.leads];
  if (all && buckets.by_lead) return scatter_by_lead(piece, alphabet, offsets, keys, size);
  const KeyShape<W> shape(alphabet.order, alphabet.bits);
  const auto put = [&](std::uint32_t lead, const Key<W>& key) {
    const std::int64_t bucket = bucket_of(buckets, lead, key);
    if (bucket < bucket_begin || bucket >= bucket_end) return;
    const std::int64_t at = offsets[bucket - bucket_begin]++;
    if (at < size) keys[at] = key;
  };
  if (all) return for_each_window<W>(piece, alphabet, shape, put);
  const Kept kept(buckets, bucket_begin, bucket_end, alphabet);
  return for_each_kept_window<W>(piece, alphabet, shape, kept, put);
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
                                        std::int64_t, std::int64_t, std::int64_t*, Key<W>*,     \
                                        std::int64_t);                                          \
  template Status end_windows<T, W>(const Piece<T>&, const Alphabet&, std::uint32_t*, Key<W>*);
#define ICFAST_WIDTH(W)               \
  ICFAST_TOKEN_WIDTH(std::uint8_t, W) \
  ICFAST_TOKEN_WIDTH(std::uint16_t, W) ICFAST_TOKEN_WIDTH(std::uint32_t, W)
ICFAST_FOR_EACH_WIDTH(ICFAST_WIDTH)
#undef ICFAST_WIDTH
#undef ICFAST_TOKEN_WIDTH

}  // namespace icfast
