// Finds nodes of the trie.
#pragma once
#include <algorithm>
#include <bit>

#include "icfast/models.hpp"

namespace icfast {

/// The row of a context that is followed once, by one token.
template <class Word>
inline constexpr Word kFollowedOnce[kContextFields] = {1, 1, 1, 0, 1, 1, 0};

/// The stored row of a context; null if the context is followed once.
template <class Word>
Word* stored_row(const Trie<Word>& trie, std::int64_t node) {
  const std::uint64_t* mark = trie.marks + 2 * (node / 64);
  const std::uint64_t bit = std::uint64_t{1} << (node % 64);
  if ((mark[0] & bit) == 0) return nullptr;
  const auto before = mark[1] + static_cast<std::uint64_t>(std::popcount(mark[0] & (bit - 1)));
  return trie.contexts + (1 + before) * kContextFields;
}

template <class Word>
const Word* context_row(const Trie<Word>& trie, std::int64_t node) {
  const Word* row = stored_row(trie, node);
  return row == nullptr ? kFollowedOnce<Word> : row;
}

/// The left neighbours of one n-gram: nodes [next, end), symbols ascending.
struct Siblings {
  std::int64_t next;
  std::int64_t end;
};

template <class Word>
Siblings children(const Trie<Word>& trie, std::int64_t node) {
  return {static_cast<std::int64_t>(trie.child[node]),
          static_cast<std::int64_t>(trie.child[node + 1])};
}

/// First sibling whose symbol is not below the wanted one. It gallops, since the next match of two
/// ascending lists is mostly near.
template <class Word>
std::int64_t seek(const Trie<Word>& trie, Siblings where, std::uint32_t symbol) {
  std::int64_t step = 1;
  while (where.next + step < where.end && trie.symbols[where.next + step] < symbol) {
    where.next += step;
    step *= 2;
  }
  std::int64_t high = std::min(where.next + step, where.end);
  while (where.next < high) {
    const std::int64_t middle = where.next + (high - where.next) / 2;
    if (trie.symbols[middle] < symbol) {
      where.next = middle + 1;
    } else {
      high = middle;
    }
  }
  return where.next;
}

/// The child with this symbol, or -1. The binary search is branch-free, since its outcome can't be
/// predicted.
template <class Word>
std::int64_t find_child(const Trie<Word>& trie, std::int64_t node, std::uint32_t symbol) {
  const Siblings siblings = children(trie, node);
  std::int64_t size = siblings.end - siblings.next;
  if (size == 0) return -1;
  const std::uint32_t* base = trie.symbols + siblings.next;
  while (size > 1) {
    const std::int64_t half = size / 2;
    base += base[half - 1] < symbol ? half : 0;
    size -= half;
  }
  return *base == symbol ? base - trie.symbols : -1;
}

}  // namespace icfast
