// Suffix array and match lengths of any length, in linear time.
#include <algorithm>
#include <utility>

#include "icfast/counting.hpp"

namespace icfast {
namespace {

using Index = std::int32_t;

/// Entries between the prefetch of a cache line and its use, since these loops access the text at
/// random.
constexpr Index kAhead = 64;

template <class T>
void fetch(const T* address) {
  __builtin_prefetch(address);
}

/// Buckets of the suffixes that begin with each symbol: edges[c] is the next entry to fill.
struct Edges {
  const Index* counts;
  Index* edges;
  Index alphabet;

  void to_heads() const {
    Index sum = 0;
    for (Index c = 0; c < alphabet; ++c) edges[c] = std::exchange(sum, sum + counts[c]);
  }
  void to_tails() const {
    Index sum = 0;
    for (Index c = 0; c < alphabet; ++c) edges[c] = sum += counts[c];
  }
};

Edges count_symbols(const Index* text, Index size, Index alphabet, Index* work) {
  std::fill_n(work, alphabet, 0);
  for (Index i = 0; i < size; ++i) ++work[text[i]];
  return {work, work + alphabet, alphabet};
}

/// The last leftmost S suffix before suffix i, which is one itself or the last suffix; -1 if there
/// is none. S means smaller than the next suffix; leftmost means that the previous suffix is
/// larger. The end of the text is the smallest suffix.
Index leftmost_before(const Index* text, Index i) {
  while (i > 0 && text[i - 1] >= text[i]) --i;
  while (i > 0 && text[i - 1] <= text[i]) --i;
  return i > 0 ? i : -1;
}

/// Prefetches the symbols before the suffix at order[r], if the entry exists.
void fetch_before(const Index* text, const Index* order, Index size, Index r) {
  if (r >= 0 && r < size) fetch(text + std::max(order[r] - 1, 0));
}

/// Sorts the leftmost S substrings (each up to the next one) by induced sorting. An entry has the
/// suffix to place next: the one before the suffix at this entry, or 0 for none. It is complemented
/// if that suffix belongs to the other scan. At the end the entries are the substrings' positions,
/// complemented.
void sort_substrings(const Index* text, Index size, const Edges& buckets, Index* order) {
  const auto place = [&](Index at, Index i) {
    order[at] = text[i - 1] < text[i] ? ~(i - 1) : i - 1;
  };
  buckets.to_heads();
  place(buckets.edges[text[size - 1]]++, size - 1);
  for (Index r = 0; r < size; ++r) {
    fetch_before(text, order, size, r + kAhead);
    const Index i = order[r];
    if (i > 0) {
      order[r] = 0;
      place(buckets.edges[text[i]]++, i);
    } else if (i < 0) {
      order[r] = ~i;
    }
  }
  buckets.to_tails();
  for (Index r = size - 1; r >= 0; --r) {
    fetch_before(text, order, size, r - kAhead);
    const Index i = order[r];
    if (i <= 0) continue;
    order[r] = 0;
    order[--buckets.edges[text[i]]] = text[i - 1] > text[i] ? ~i : i - 1;
  }
}

/// Sorts all suffixes from the sorted leftmost S suffixes at the tails of their buckets. An entry
/// has its suffix, complemented if this scan places nothing before it.
void induce(const Index* text, Index size, const Edges& buckets, Index* order) {
  buckets.to_heads();
  const auto place_larger = [&](Index i) {
    order[buckets.edges[text[i]]++] = i > 0 && text[i - 1] < text[i] ? ~i : i;
  };
  place_larger(size - 1);
  for (Index r = 0; r < size; ++r) {
    fetch_before(text, order, size, r + kAhead);
    const Index i = order[r];
    order[r] = ~i;
    if (i > 0) place_larger(i - 1);
  }
  buckets.to_tails();
  for (Index r = size - 1; r >= 0; --r) {
    fetch_before(text, order, size, r - kAhead);
    const Index i = order[r];
    if (i <= 0) {
      order[r] = ~i;
      continue;
    }
    order[--buckets.edges[text[i - 1]]] = i == 1 || text[i - 2] > text[i - 1] ? ~(i - 1) : i - 1;
  }
}

/// Names sorted substrings by rank, with equal names for equal substrings. Writes the names in text
/// order to the end of `order` and returns their number.
Index name_substrings(const Index* text, Index size, Index* order, Index substrings) {
  // Two leftmost S suffixes are never adjacent, so half an entry suffices for each.
  Index* const halves = order + substrings;
  std::fill(halves, order + size, 0);
  Index next = size;
  for (Index i = size - 1; (i = leftmost_before(text, i)) >= 0; next = i) {
    // The last substring reaches the end of the text, so its length is unique.
    halves[i >> 1] = next == size ? 1 : next - i + 1;
  }
  Index names = 0;
  Index last = 0;
  Index last_length = 0;
  for (Index r = 0; r < substrings; ++r) {
    if (r + kAhead < substrings) {
      fetch(text + order[r + kAhead]);
      fetch(halves + (order[r + kAhead] >> 1));
    }
    const Index i = order[r];
    const Index length = halves[i >> 1];
    if (length != last_length || !std::equal(text + i, text + i + length, text + last)) ++names;
    last = i;
    last_length = length;
    halves[i >> 1] = names;
  }
  Index* to = order + size;
  for (Index* from = order + size; from != halves;) {
    if (*--from) *--to = *from - 1;
  }
  return names;
}

/// SA-IS (Nong, Zhang & Chan 2009). The names of the sub-problem are in the second half of `order`.
void sort_text(const Index* text, Index size, Index alphabet, Index* order, Index* work) {
  Edges buckets = count_symbols(text, size, alphabet, work);
  buckets.to_tails();
  std::fill_n(order, size, 0);
  Index substrings = 0;
  for (Index i = size - 1; (i = leftmost_before(text, i)) >= 0; ++substrings) {
    order[--buckets.edges[text[i]]] = i - 1;
  }
  if (substrings) {
    sort_substrings(text, size, buckets, order);
    Index kept = 0;
    for (Index r = 0; r < size; ++r) {
      if (order[r] < 0) order[kept++] = ~order[r];
    }
    if (const Index names = name_substrings(text, size, order, substrings); names < substrings) {
      Index* const reduced = order + size - substrings;
      sort_text(reduced, substrings, names, order, work);
      Index i = size - 1;
      for (Index at = substrings; at-- > 0;) reduced[at] = i = leftmost_before(text, i);
      for (Index r = 0; r < substrings; ++r) order[r] = reduced[order[r]];
      buckets = count_symbols(text, size, alphabet, work);
    }
    std::fill(order + substrings, order + size, 0);
    buckets.to_tails();
    for (Index r = substrings - 1; r >= 0; --r) {
      const Index i = std::exchange(order[r], 0);
      order[--buckets.edges[text[i]]] = i;
    }
  }
  induce(text, size, buckets, order);
}

/// The previous and the next suffix in suffix order, by position; -1 for none.
struct Links {
  Index before;
  Index after;
};

}  // namespace

Status sort_suffixes(const std::int32_t* symbols, std::int64_t size, std::int64_t alphabet,
                     std::int32_t* order, std::int32_t* work) {
  if (size) sort_text(symbols, static_cast<Index>(size), static_cast<Index>(alphabet), order, work);
  return {};
}

Status match_lengths(std::int32_t* symbols, std::int64_t size, std::int32_t separator,
                     std::int32_t* order, std::int32_t* links) {
  auto* const link = reinterpret_cast<Links*>(links);
  const auto end = static_cast<Index>(size);
  Index last = -1;
  for (Index r = 0; r < end; ++r) {
    if (r + kAhead < end) fetch(link + order[r + kAhead]);
    const Index i = order[r];
    link[i] = {last, -1};
    if (last >= 0) link[last].after = i;
    last = i;
  }
  // The order is not needed again; its space receives the shared length of each suffix with the
  // previous.
  Index* const shared = order;
  Index common = 0;
  for (Index i = 0; i < end; ++i) {
    if (i + kAhead < end) fetch(symbols + std::max(link[i + kAhead].before, 0));
    const Index j = link[i].before;
    // Separators are distinct, so no two suffixes agree to the end.
    while (j >= 0 && symbols[i + common] == symbols[j + common]) ++common;
    shared[i] = j < 0 ? 0 : common;
    common = std::max(common - 1, 0);
  }
  const auto shared_of = [&](Index i) { return i < 0 ? 0 : shared[i]; };
  for (Index i = 0; i < end; ++i) {
    if (i + kAhead < end) fetch(shared + std::max(link[i + kAhead].after, 0));
    const Index length = 1 + std::max(shared[i], shared_of(link[i].after));
    symbols[i] = symbols[i] < separator ? length : 0;
  }
  // Remove suffixes from the last position on: the neighbours of a suffix then begin before it.
  for (Index i = end - 1; i >= 0; --i) {
    if (i >= kAhead) {
      const Links ahead = link[i - kAhead];
      fetch(link + std::max(ahead.before, 0));
      fetch(link + std::max(ahead.after, 0));
      fetch(shared + std::max(ahead.after, 0));
    }
    const auto [j, k] = link[i];
    const Index next = shared_of(k);
    const Index length = 1 + std::max(shared[i], next);
    if (k >= 0) {
      shared[k] = std::min(shared[i], next);
      link[k].before = j;
    }
    if (j >= 0) link[j].after = k;
    shared[i] = symbols[i] ? length : 0;
  }
  return {};
}

}  // namespace icfast
