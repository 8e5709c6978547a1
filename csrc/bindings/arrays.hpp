// Converts NumPy arrays to pointers. Nothing here converts or copies data: a wrong dtype or layout
// is a TypeError, because a silent cast would count other ids than the file has.
//
// Groups of arrays arrive as the named tuples of backends/counting.py, models.py and losses.py, in
// their order.
#pragma once
#include <pybind11/numpy.h>
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>
#include <type_traits>

#include "icfast/models.hpp"

namespace icfast::bindings {

namespace py = pybind11;

template <class T>
using Array = py::array_t<T, py::array::c_style>;

template <class T>
py::array checked(const py::handle& object) {
  if (!py::isinstance<Array<T>>(object)) {
    throw py::type_error("expected a C-contiguous array of " +
                         py::str(py::dtype::of<T>()).cast<std::string>() + ", found " +
                         py::repr(py::getattr(object, "dtype", py::none())).cast<std::string>());
  }
  return py::reinterpret_borrow<py::array>(object);
}

template <class T>
const T* in(const py::handle& object) {
  return static_cast<const T*>(checked<T>(object).data());
}

template <class T>
T* out(const py::handle& object) {
  return static_cast<T*>(checked<T>(object).mutable_data());
}

template <int W>
const Key<W>* keys_in(const py::handle& object) {
  return reinterpret_cast<const Key<W>*>(in<std::uint64_t>(object));
}

template <int W>
Key<W>* keys_out(const py::handle& object) {
  return reinterpret_cast<Key<W>*>(out<std::uint64_t>(object));
}

inline std::int64_t rows(const py::handle& object, int axis = 0) {
  return py::reinterpret_borrow<py::array>(object).shape(axis);
}

/// Calls call(W) with the words per key of a u64[n, W] array.
template <class Call>
auto with_width(const py::handle& keys, Call call) {
  checked<std::uint64_t>(keys);
  if (py::reinterpret_borrow<py::array>(keys).ndim() == 2) {
    switch (rows(keys, 1)) {
      case 1:
        return call(std::integral_constant<int, 1>{});
      case 2:
        return call(std::integral_constant<int, 2>{});
      case 3:
        return call(std::integral_constant<int, 3>{});
      case 4:
        return call(std::integral_constant<int, 4>{});
    }
  }
  throw py::type_error("keys must be u64[n, 1..4]");
}

/// Calls call(token) with the element type of chunk.tokens: u8, u16 or u32.
template <class Call>
auto with_token(const py::tuple& chunk, Call call) {
  const py::object tokens = chunk[0];
  if (py::isinstance<Array<std::uint8_t>>(tokens)) return call(std::uint8_t{});
  if (py::isinstance<Array<std::uint16_t>>(tokens)) return call(std::uint16_t{});
  if (py::isinstance<Array<std::uint32_t>>(tokens)) return call(std::uint32_t{});
  throw py::type_error("tokens must be contiguous uint8, uint16 or uint32");
}

/// Calls call(word) with the element type of trie.counts: u32 or u64.
template <class Call>
auto with_word(const py::tuple& trie, Call call) {
  const py::object counts = trie[2];
  if (py::isinstance<Array<std::uint32_t>>(counts)) return call(std::uint32_t{});
  if (py::isinstance<Array<std::uint64_t>>(counts)) return call(std::uint64_t{});
  throw py::type_error("counts must be uint32 or uint64");
}

/// Calls call(symbol) with the element type of a text: u16 or u32.
template <class Call>
auto with_symbol(const py::handle& text, Call call) {
  if (py::isinstance<Array<std::uint16_t>>(text)) return call(std::uint16_t{});
  if (py::isinstance<Array<std::uint32_t>>(text)) return call(std::uint32_t{});
  throw py::type_error("a text must be contiguous uint16 or uint32");
}

template <class Token>
Chunk<Token> chunk_of(const py::tuple& chunk) {
  return {in<Token>(chunk[0]), in<std::int64_t>(chunk[1]),    in<std::int64_t>(chunk[2]),
          rows(chunk[1]),      chunk[3].cast<std::int64_t>(), chunk[4].cast<std::int64_t>()};
}

inline Alphabet alphabet_of(const py::tuple& alphabet) {
  return {in<std::uint32_t>(alphabet[0]), rows(alphabet[0]), alphabet[1].cast<std::uint32_t>(),
          alphabet[2].cast<int>(), alphabet[3].cast<int>()};
}

template <int W>
Buckets<W> buckets_of(const py::tuple& buckets) {
  const std::int64_t leads = rows(buckets[0]) - 1;
  return {in<std::uint32_t>(buckets[0]), keys_in<W>(buckets[1]), leads, rows(buckets[1]) == leads};
}

template <int W>
SortedRun<W> run_of(const py::tuple& run) {
  return {in<std::uint32_t>(run[0]), in<std::int64_t>(run[1]), rows(run[0]), keys_in<W>(run[2]),
          in<std::uint64_t>(run[3])};
}

template <int W>
Ends<W> ends_of(const py::tuple& ends) {
  return {in<std::uint32_t>(ends[0]), keys_in<W>(ends[1]), in<std::uint64_t>(ends[2]),
          rows(ends[0])};
}

/// A stored trie is mapped read-only; scoring does not write to it.
enum class Access { kRead, kWrite };

template <class T>
T* trie_array(const py::handle& object, Access access) {
  return access == Access::kWrite ? out<T>(object) : const_cast<T*>(in<T>(object));
}

template <class Word>
Trie<Word> trie_of(const py::tuple& trie, Access access) {
  return {in<std::int64_t>(trie[0]),
          static_cast<int>(rows(trie[0])) - 1,
          trie_array<std::uint32_t>(trie[1], access),
          trie_array<Word>(trie[2], access),
          trie_array<Word>(trie[3], access),
          trie_array<std::uint64_t>(trie[4], access),
          trie_array<Word>(trie[5], access),
          rows(trie[5])};
}

template <class Word>
Bigrams<Word> bigrams_of(const py::tuple& bigrams) {
  return {in<std::int64_t>(bigrams[0]), in<std::uint32_t>(bigrams[1]), in<Word>(bigrams[2])};
}

template <class Word>
ContextScratch<Word> context_scratch_of(const py::tuple& scratch) {
  return {out<std::uint32_t>(scratch[0]), out<Word>(scratch[1])};
}

inline Matches matches_of(const py::tuple& matches) {
  return {out<std::uint32_t>(matches[0]), out<double>(matches[1]), out<std::uint64_t>(matches[2])};
}

inline CompactTrie compact_of(const py::tuple& trie) {
  return {in<std::int64_t>(trie[0]),
          static_cast<int>(rows(trie[0])) - 1,
          in<std::int64_t>(trie[1]),
          in<std::int64_t>(trie[2]),
          in<std::int64_t>(trie[3]),
          rows(trie[3], 2),
          in<std::uint64_t>(trie[4]),
          in<std::uint64_t>(trie[5]),
          in<std::uint64_t>(trie[6]),
          in<std::int64_t>(trie[7]),
          rows(trie[7]),
          in<std::uint32_t>(trie[8])};
}

}  // namespace icfast::bindings
