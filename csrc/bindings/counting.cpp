// Bindings of counting.hpp: documents, windows, positions, suffixes.
#include "arrays.hpp"
#include "run.hpp"

namespace icfast::bindings {
namespace {

Result py_count_ids(const py::tuple& chunk, const py::object& counts) {
  return with_token(chunk, [&](auto token) {
    const auto documents = chunk_of<decltype(token)>(chunk);
    auto* sums = out<std::uint64_t>(counts);
    const std::int64_t vocab_size = rows(counts);
    return run([&] { return count_ids(documents, sums, vocab_size); });
  });
}

Result py_hash_documents(const py::tuple& chunk, const py::object& hashes) {
  return with_token(chunk, [&](auto token) {
    const auto documents = chunk_of<decltype(token)>(chunk);
    auto* to = out<std::uint64_t>(hashes);
    return run([&] { return hash_documents(documents, to); });
  });
}

Result py_count_windows(const py::tuple& chunk, const py::tuple& alphabet, const py::tuple& buckets,
                        const py::object& slots, const py::object& depths,
                        const py::object& counts) {
  return with_token(chunk, [&](auto token) {
    return with_width(buckets[1], [&](auto width) {
      const auto documents = chunk_of<decltype(token)>(chunk);
      const Alphabet symbols = alphabet_of(alphabet);
      const auto parts = buckets_of<width()>(buckets);
      const auto* slot = in<std::int32_t>(slots);
      const auto* depth = in<std::int32_t>(depths);
      auto* sums = out<std::uint64_t>(counts);
      const std::int64_t columns = rows(counts, 1);
      return run(
          [&] { return count_windows(documents, symbols, parts, slot, depth, sums, columns); });
    });
  });
}

Result py_scatter_windows(const py::tuple& chunk, const py::tuple& alphabet,
                          const py::tuple& buckets, std::int64_t bucket_begin,
                          std::int64_t bucket_end, const py::object& offsets,
                          const py::object& keys) {
  return with_token(chunk, [&](auto token) {
    return with_width(keys, [&](auto width) {
      const auto documents = chunk_of<decltype(token)>(chunk);
      const Alphabet symbols = alphabet_of(alphabet);
      const auto parts = buckets_of<width()>(buckets);
      auto* next = out<std::int64_t>(offsets);
      auto* to = keys_out<width()>(keys);
      const std::int64_t size = rows(keys);
      return run([&] {
        return scatter_windows(documents, symbols, parts, bucket_begin, bucket_end, next, to, size);
      });
    });
  });
}

Result py_end_windows(const py::tuple& chunk, const py::tuple& alphabet, const py::object& leads,
                      const py::object& keys) {
  return with_token(chunk, [&](auto token) {
    return with_width(keys, [&](auto width) {
      const auto documents = chunk_of<decltype(token)>(chunk);
      const Alphabet symbols = alphabet_of(alphabet);
      auto* lead = out<std::uint32_t>(leads);
      auto* key = keys_out<width()>(keys);
      return run([&] { return end_windows(documents, symbols, lead, key); });
    });
  });
}

Result py_split_keys(const py::object& keys, std::int64_t largest, const py::object& bounds) {
  return with_width(keys, [&](auto width) {
    auto* key = keys_out<width()>(keys);
    const std::int64_t size = rows(keys);
    auto* bound = out<std::int64_t>(bounds);
    return run([&] { return split_keys(key, size, largest, bound); });
  });
}

Result py_sort_runs(const py::object& bounds, const py::object& keys, const py::object& counts,
                    const py::object& scratch, const py::object& distinct) {
  return with_width(keys, [&](auto width) {
    const auto* bound = in<std::int64_t>(bounds);
    const std::int64_t buckets = rows(bounds) - 1;
    auto* key = keys_out<width()>(keys);
    auto* count = out<std::uint64_t>(counts);
    auto* sort_scratch = keys_out<width()>(scratch);
    auto* left = out<std::int64_t>(distinct);
    return run([&] { return sort_runs(bound, buckets, key, count, sort_scratch, left); });
  });
}

Result py_run_spectra(const py::tuple& run_arrays, const py::tuple& ends, int order, int bits,
                      const py::object& path, const py::object& sums, bool flush,
                      const py::tuple& spectra) {
  return with_width(run_arrays[2], [&](auto width) {
    const auto windows = run_of<width()>(run_arrays);
    const auto last = ends_of<width()>(ends);
    auto* open_path = out<std::uint64_t>(path);
    auto* open_sums = out<std::uint64_t>(sums);
    const SpectraOut to{out<std::uint64_t>(spectra[0]), rows(spectra[0], 2),
                        out<std::uint64_t>(spectra[1]), out<std::int64_t>(spectra[2]),
                        rows(spectra[1], 2)};
    return run(
        [&] { return run_spectra(windows, last, order, bits, open_path, open_sums, flush, to); });
  });
}

Result py_write_text(const py::tuple& chunk, const py::tuple& alphabet, const py::object& places,
                     const py::object& text) {
  return with_token(chunk, [&](auto token) {
    return with_symbol(text, [&](auto symbol) {
      const auto documents = chunk_of<decltype(token)>(chunk);
      const Alphabet symbols = alphabet_of(alphabet);
      const auto* place = in<std::int64_t>(places);
      auto* to = out<decltype(symbol)>(text);
      return run([&] { return write_text(documents, symbols, place, to); });
    });
  });
}

Result py_count_symbols(const py::object& text, std::int64_t begin, std::int64_t end,
                        const py::object& counts) {
  return with_symbol(text, [&](auto symbol) {
    const auto* from = in<decltype(symbol)>(text);
    auto* sums = out<std::uint64_t>(counts);
    return run([&] { return count_symbols(from, begin, end, sums); });
  });
}

Result py_scatter_positions(const py::object& text, std::int64_t begin, std::int64_t end, int order,
                            const py::object& codes, std::int64_t lead_begin, std::int64_t lead_end,
                            const py::object& offsets, const py::object& windows) {
  return with_symbol(text, [&](auto symbol) {
    const auto* from = in<decltype(symbol)>(text);
    const std::int64_t size = rows(text);
    const auto* code = in<std::uint64_t>(codes);
    auto* next = out<std::int64_t>(offsets);
    auto* to = out<std::uint64_t>(windows);
    return run([&] {
      return scatter_positions(from, size, begin, end, order, code, lead_begin, lead_end, next, to);
    });
  });
}

Result py_sort_positions(const py::object& text, int order, int bits, const py::object& bounds,
                         const py::object& windows, const py::object& shared,
                         const py::object& entries, const py::object& scratch) {
  return with_symbol(text, [&](auto symbol) {
    const auto* from = in<decltype(symbol)>(text);
    const std::int64_t size = rows(text);
    const auto* bound = in<std::int64_t>(bounds);
    const std::int64_t buckets = rows(bounds) - 1;
    auto* words = out<std::uint64_t>(windows);
    auto* neighbours = out<std::uint32_t>(shared);
    auto* entry = out<std::uint64_t>(entries);
    auto* sort_scratch = out<std::uint64_t>(scratch);
    return run([&] {
      return sort_positions(from, size, order, bits, bound, buckets, words, neighbours, entry,
                            sort_scratch);
    });
  });
}

Result py_position_spectra(const py::object& text, int order, const py::object& bounds,
                           const py::object& windows, const py::object& shared,
                           const py::object& nodes, const py::tuple& ranges) {
  return with_symbol(text, [&](auto symbol) {
    const auto* from = in<decltype(symbol)>(text);
    const auto* bound = in<std::int64_t>(bounds);
    const std::int64_t buckets = rows(bounds) - 1;
    const auto* words = in<std::uint64_t>(windows);
    const auto* neighbours = in<std::uint32_t>(shared);
    auto* tree = out<std::uint64_t>(nodes);
    const SpectraRanges to{out<std::uint64_t>(ranges[0]), rows(ranges[0], 2),
                           out<std::uint64_t>(ranges[1]), out<std::int64_t>(ranges[2]),
                           rows(ranges[1])};
    return run(
        [&] { return position_spectra(from, order, bound, buckets, words, neighbours, tree, to); });
  });
}

Result py_remap_keys(const py::object& keys, const py::object& ranks, int order, int bits,
                     const py::object& new_keys, int new_bits) {
  return with_width(keys, [&](auto width) {
    return with_width(new_keys, [&](auto new_width) {
      const auto* from = keys_in<width()>(keys);
      const std::int64_t size = rows(keys);
      const auto* rank = in<std::uint32_t>(ranks);
      auto* to = keys_out<new_width()>(new_keys);
      return run([&] { return remap_keys(from, size, rank, order, bits, to, new_bits); });
    });
  });
}

Result py_merge_runs(const py::tuple& runs, const py::object& sequence, const py::tuple& sum,
                     const py::tuple& scratch) {
  return with_width(sum[2], [&](auto width) {
    const auto from = run_of<width()>(runs);
    const auto* next = in<std::int64_t>(sequence);
    const auto* leads = in<std::uint32_t>(sum[0]);
    const std::int64_t buckets = rows(sum[0]);
    auto* bounds = out<std::int64_t>(sum[1]);
    auto* keys = keys_out<width()>(sum[2]);
    auto* counts = out<std::uint64_t>(sum[3]);
    auto* key_scratch = keys_out<width()>(scratch[0]);
    auto* count_scratch = out<std::uint64_t>(scratch[1]);
    return run([&] {
      return merge_runs(from, next, leads, buckets, bounds, keys, counts, key_scratch,
                        count_scratch);
    });
  });
}

Result py_join_documents(const py::tuple& chunk, const py::tuple& alphabet, std::int32_t separator,
                         const py::object& symbols) {
  return with_token(chunk, [&](auto token) {
    const auto documents = chunk_of<decltype(token)>(chunk);
    const Alphabet ids = alphabet_of(alphabet);
    auto* to = out<std::int32_t>(symbols);
    return run([&] { return join_documents(documents, ids, separator, to); });
  });
}

Result py_sort_suffixes(const py::object& symbols, std::int64_t alphabet, const py::object& order,
                        const py::object& work) {
  const auto* text = in<std::int32_t>(symbols);
  const std::int64_t size = rows(symbols);
  auto* to = out<std::int32_t>(order);
  auto* space = out<std::int32_t>(work);
  return run([&] { return sort_suffixes(text, size, alphabet, to, space); });
}

Result py_match_lengths(const py::object& symbols, std::int32_t separator, const py::object& order,
                        const py::object& links) {
  auto* text = out<std::int32_t>(symbols);
  const std::int64_t size = rows(symbols);
  auto* suffixes = out<std::int32_t>(order);
  auto* space = out<std::int32_t>(links);
  return run([&] { return match_lengths(text, size, separator, suffixes, space); });
}

}  // namespace

void bind_counting(py::module_& module) {
  using namespace py::literals;
  module.def("count_ids", &py_count_ids, "chunk"_a, "counts"_a);
  module.def("hash_documents", &py_hash_documents, "chunk"_a, "hashes"_a);
  module.def("count_windows", &py_count_windows, "chunk"_a, "alphabet"_a, "buckets"_a, "slots"_a,
             "depths"_a, "counts"_a);
  module.def("scatter_windows", &py_scatter_windows, "chunk"_a, "alphabet"_a, "buckets"_a,
             "bucket_begin"_a, "bucket_end"_a, "offsets"_a, "keys"_a);
  module.def("end_windows", &py_end_windows, "chunk"_a, "alphabet"_a, "leads"_a, "keys"_a);
  module.def("split_keys", &py_split_keys, "keys"_a, "largest"_a, "bounds"_a);
  module.def("sort_runs", &py_sort_runs, "bounds"_a, "keys"_a, "counts"_a, "scratch"_a,
             "distinct"_a);
  module.def("run_spectra", &py_run_spectra, "run"_a, "ends"_a, "order"_a, "bits"_a, "path"_a,
             "sums"_a, "flush"_a, "out"_a);
  module.def("write_text", &py_write_text, "chunk"_a, "alphabet"_a, "places"_a, "text"_a);
  module.def("count_symbols", &py_count_symbols, "text"_a, "begin"_a, "end"_a, "counts"_a);
  module.def("scatter_positions", &py_scatter_positions, "text"_a, "begin"_a, "end"_a, "order"_a,
             "codes"_a, "lead_begin"_a, "lead_end"_a, "offsets"_a, "windows"_a);
  module.def("sort_positions", &py_sort_positions, "text"_a, "order"_a, "bits"_a, "bounds"_a,
             "windows"_a, "shared"_a, "entries"_a, "scratch"_a);
  module.def("position_spectra", &py_position_spectra, "text"_a, "order"_a, "bounds"_a, "windows"_a,
             "shared"_a, "nodes"_a, "out"_a);
  module.def("remap_keys", &py_remap_keys, "keys"_a, "ranks"_a, "order"_a, "bits"_a, "new_keys"_a,
             "new_bits"_a);
  module.def("merge_runs", &py_merge_runs, "runs"_a, "sequence"_a, "total"_a, "scratch"_a);
  module.def("join_documents", &py_join_documents, "chunk"_a, "alphabet"_a, "separator"_a,
             "symbols"_a);
  module.def("sort_suffixes", &py_sort_suffixes, "symbols"_a, "alphabet"_a, "order"_a, "work"_a);
  module.def("match_lengths", &py_match_lengths, "symbols"_a, "separator"_a, "order"_a, "links"_a);
}

}  // namespace icfast::bindings
