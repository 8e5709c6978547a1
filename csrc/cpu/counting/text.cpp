// Writes documents as one array of symbols, and the positions of each symbol.
#include "text.hpp"

#include <algorithm>

#include "instantiate.hpp"

namespace icfast {

template <class Token, class Symbol>
Status write_text(const Chunk<Token>& chunk, const Alphabet& alphabet, const std::int64_t* places,
                  Symbol* text) {
  for (std::int64_t d = 0; d < chunk.documents; ++d) {
    const std::int64_t last = std::min(chunk.stops[d], chunk.end);
    for (std::int64_t t = std::max(chunk.starts[d], chunk.begin); t < last; ++t) {
      const auto id = static_cast<std::int64_t>(chunk.tokens[t]);
      if (id >= alphabet.vocab_size) {
        return {Code::id_outside_vocabulary, t, static_cast<std::uint64_t>(id)};
      }
      const std::uint32_t rank = alphabet.ranks[id];
      if (rank == 0) return {Code::id_not_in_dictionary, t, static_cast<std::uint64_t>(id)};
      text[places[d] + t] = static_cast<Symbol>(rank);
    }
    if (alphabet.end_rank != 0 && chunk.stops[d] <= chunk.end) {
      text[places[d] + chunk.stops[d]] = static_cast<Symbol>(alphabet.end_rank);
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

namespace {

constexpr std::ptrdiff_t kAhead = 8;  // words of a lead: its next cache line

/// Code of the symbols before the next one, newest first, as far as a word holds them.
class CodedHistory {
 public:
  explicit CodedHistory(const std::uint64_t* codes) : codes_(codes) {}

  std::uint64_t code() const { return code_; }
  void clear() { code_ = 0; }

  void push(std::int64_t symbol) {
    // The code of a symbol ends with its first byte >= 128.
    const std::uint64_t code = codes_[symbol];
    const int bits = 8 + (std::countl_zero(code & kCodeEnds) & ~7);
    code_ = code | code_ >> bits;
  }

 private:
  const std::uint64_t* codes_;
  std::uint64_t code_ = 0;
};

}  // namespace

template <class Symbol>
Status scatter_positions(const Symbol* text, std::int64_t size, std::int64_t begin,
                         std::int64_t end, int order, const std::uint64_t* codes,
                         std::int64_t lead_begin, std::int64_t lead_end, std::int64_t* offsets,
                         std::uint64_t* windows) {
  const WindowWord word(size);
  CodedHistory coded(codes);
  // Number of symbols of the document before p, up to what matters.
  std::int64_t history = 0;
  while (history < std::max(order, kCodedSymbols) && text[begin - 1 - history] != 0) ++history;
  for (std::int64_t i = std::min<std::int64_t>(history, kCodedSymbols); i > 0; --i) {
    coded.push(text[begin - i]);
  }
  for (std::int64_t p = begin; p < end; ++p) {
    const auto symbol = static_cast<std::int64_t>(text[p]);
    if (symbol == 0) {
      history = 0;
      coded.clear();
      continue;
    }
    if (symbol >= lead_begin && symbol < lead_end) {
      const bool special = history < order - 1 || text[p + 1] == 0;
      std::uint64_t* to = windows + offsets[symbol - lead_begin]++;
      *to = word.of(coded.code(), p, special);
      __builtin_prefetch(to + kAhead, 1);
    }
    ++history;
    coded.push(symbol);
  }
  return {};
}

#define ICFAST_SYMBOL(S)                                                                        \
  template Status write_text<std::uint8_t, S>(const Chunk<std::uint8_t>&, const Alphabet&,      \
                                              const std::int64_t*, S*);                         \
  template Status write_text<std::uint16_t, S>(const Chunk<std::uint16_t>&, const Alphabet&,    \
                                               const std::int64_t*, S*);                        \
  template Status write_text<std::uint32_t, S>(const Chunk<std::uint32_t>&, const Alphabet&,    \
                                               const std::int64_t*, S*);                        \
  template Status count_symbols<S>(const S*, std::int64_t, std::int64_t, std::uint64_t*);       \
  template Status scatter_positions<S>(const S*, std::int64_t, std::int64_t, std::int64_t, int, \
                                       const std::uint64_t*, std::int64_t, std::int64_t,        \
                                       std::int64_t*, std::uint64_t*);
ICFAST_SYMBOL(std::uint16_t)
ICFAST_SYMBOL(std::uint32_t)
#undef ICFAST_SYMBOL

}  // namespace icfast
