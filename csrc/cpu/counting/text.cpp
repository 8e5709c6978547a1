// Documents as one array of symbols, and where each symbol stands in it.
#include "text.hpp"

#include <algorithm>

#include "instantiate.hpp"

namespace icfast {

template <class Token, class Symbol>
Status write_text(const Piece<Token>& piece, const Alphabet& alphabet, const std::int64_t* places,
                  Symbol* text) {
  for (std::int64_t d = 0; d < piece.documents; ++d) {
    const std::int64_t last = std::min(piece.stops[d], piece.end);
    for (std::int64_t t = std::max(piece.starts[d], piece.begin); t < last; ++t) {
      const auto id = static_cast<std::int64_t>(piece.tokens[t]);
      if (id >= alphabet.vocab_size) {
        return {Code::id_outside_vocabulary, t, static_cast<std::uint64_t>(id)};
      }
      const std::uint32_t rank = alphabet.ranks[id];
      if (rank == 0) return {Code::id_not_in_dictionary, t, static_cast<std::uint64_t>(id)};
      text[places[d] + t] = static_cast<Symbol>(rank);
    }
    if (alphabet.end_rank != 0 && piece.stops[d] <= piece.end) {
      text[places[d] + piece.stops[d]] = static_cast<Symbol>(alphabet.end_rank);
    }
  }
  return {};
}

template <class Symbol>
Status count_symbols(const Symbol* text, std::int64_t begin, std::int64_t end,
                     std::uint64_t* counts) {
  for (std::int64_t p = begin; p < end; ++p) ++counts[text[p]];
  return {};
}

template <class Symbol, class Position>
Status scatter_positions(const Symbol* text, std::int64_t begin, std::int64_t end, int order,
                         std::int64_t lead_begin, std::int64_t lead_end, std::int64_t* offsets,
                         Position* positions) {
  // How many symbols of the document stand before p, as far as that matters.
  std::int64_t history = 0;
  while (history < order && text[begin - 1 - history] != 0) ++history;
  for (std::int64_t p = begin; p < end; ++p) {
    const auto symbol = static_cast<std::int64_t>(text[p]);
    if (symbol == 0) {
      history = 0;
      continue;
    }
    if (symbol >= lead_begin && symbol < lead_end) {
      const bool special = history < order - 1 || text[p + 1] == 0;
      positions[offsets[symbol - lead_begin]++] =
          static_cast<Position>(p) | (special ? special_bit<Position>() : Position{0});
    }
    ++history;
  }
  return {};
}

#define ICFAST_SYMBOL_POSITION(S, P)                                                               \
  template Status scatter_positions<S, P>(const S*, std::int64_t, std::int64_t, int, std::int64_t, \
                                          std::int64_t, std::int64_t*, P*);
#define ICFAST_SYMBOL(S)                                                                     \
  template Status write_text<std::uint8_t, S>(const Piece<std::uint8_t>&, const Alphabet&,   \
                                              const std::int64_t*, S*);                      \
  template Status write_text<std::uint16_t, S>(const Piece<std::uint16_t>&, const Alphabet&, \
                                               const std::int64_t*, S*);                     \
  template Status write_text<std::uint32_t, S>(const Piece<std::uint32_t>&, const Alphabet&, \
                                               const std::int64_t*, S*);                     \
  template Status count_symbols<S>(const S*, std::int64_t, std::int64_t, std::uint64_t*);    \
  ICFAST_SYMBOL_POSITION(S, std::uint32_t) ICFAST_SYMBOL_POSITION(S, std::uint64_t)
ICFAST_SYMBOL(std::uint16_t)
ICFAST_SYMBOL(std::uint32_t)
#undef ICFAST_SYMBOL
#undef ICFAST_SYMBOL_POSITION

}  // namespace icfast
