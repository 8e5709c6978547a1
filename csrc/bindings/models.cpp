// Bindings of models.hpp: tries, weights and scores.
#include "arrays.hpp"
#include "run.hpp"

namespace icfast::bindings {
namespace {

Result py_grow_trie(const py::tuple& run_arrays, const py::tuple& ends, int bits,
                    const py::object& path, const py::object& cursors, const py::tuple& trie,
                    const py::object& followed) {
  return with_word(trie, [&](auto word) {
    return with_width(run_arrays[2], [&](auto width) {
      const auto windows = run_of<width()>(run_arrays);
      const auto last = ends_of<width()>(ends);
      const auto levels = trie_of<decltype(word)>(trie, Access::kWrite);
      auto* open_path = out<std::uint64_t>(path);
      auto* cursor = out<std::int64_t>(cursors);
      auto* follows = out<decltype(word)>(followed);
      return run(
          [&] { return grow_trie(windows, last, bits, open_path, cursor, levels, follows); });
    });
  });
}

Result py_mark_contexts(const py::tuple& trie, const py::object& followed) {
  return with_word(trie, [&](auto word) {
    const auto levels = trie_of<decltype(word)>(trie, Access::kWrite);
    const auto* follows = in<decltype(word)>(followed);
    return run([&] { return mark_contexts(levels, follows); });
  });
}

Result py_link_contexts(const py::tuple& trie, const py::tuple& bigrams, std::uint32_t low,
                        std::uint32_t high, const py::tuple& scratch) {
  return with_word(trie, [&](auto word) {
    const auto levels = trie_of<decltype(word)>(trie, Access::kWrite);
    const auto pairs = bigrams_of<decltype(word)>(bigrams);
    const auto lists = context_scratch_of<decltype(word)>(scratch);
    return run([&] { return link_contexts(levels, pairs, low, high, lists); });
  });
}

Result py_score_ngrams(const py::tuple& chunk, const py::tuple& alphabet, const py::tuple& trie,
                       const py::object& discounts, double uniform, const py::tuple& scores) {
  return with_token(chunk, [&](auto token) {
    return with_word(trie, [&](auto word) {
      const auto documents = chunk_of<decltype(token)>(chunk);
      const Alphabet symbols = alphabet_of(alphabet);
      const auto levels = trie_of<decltype(word)>(trie, Access::kRead);
      const auto* discount = in<double>(discounts);
      const ScoreOut to{out<std::uint64_t>(scores[0]), out<std::uint64_t>(scores[1]),
                        out<std::uint64_t>(scores[2]), out<std::uint64_t>(scores[3]),
                        out<std::uint64_t>(scores[4]), rows(scores[0], 1) == levels.order};
      return run([&] { return score_ngrams(documents, symbols, levels, discount, uniform, to); });
    });
  });
}

Result py_weigh_ngrams(const py::tuple& trie, const py::tuple& bigrams, const py::object& discounts,
                       double uniform, std::uint32_t low, std::uint32_t high,
                       const py::tuple& scratch, const py::object& probabilities,
                       const py::object& backoffs) {
  return with_word(trie, [&](auto word) {
    const auto levels = trie_of<decltype(word)>(trie, Access::kRead);
    const auto* discount = in<double>(discounts);
    auto* probability = out<double>(probabilities);
    auto* backoff = out<double>(backoffs);
    const auto pairs = bigrams_of<decltype(word)>(bigrams);
    const auto lists = context_scratch_of<decltype(word)>(scratch);
    return run([&] {
      return weigh_ngrams(levels, pairs, discount, uniform, low, high, lists, probability, backoff);
    });
  });
}

Result py_match_windows(const py::object& leads, const py::object& bounds, const py::object& keys,
                        int bits, const py::tuple& trie, const py::tuple& weights,
                        const py::tuple& scratch, const py::tuple& matches) {
  return with_word(trie, [&](auto word) {
    return with_width(keys, [&](auto width) {
      const auto* lead = in<std::uint32_t>(leads);
      const auto* bound = in<std::int64_t>(bounds);
      const std::int64_t buckets = rows(leads);
      const auto* key = keys_in<width()>(keys);
      const auto levels = trie_of<decltype(word)>(trie, Access::kRead);
      const auto* probabilities = in<double>(weights[0]);
      const auto* backoffs = in<double>(weights[1]);
      auto* key_scratch = keys_out<width()>(scratch[0]);
      auto* table = out<std::uint32_t>(scratch[1]);
      const Matches found = matches_of(matches);
      return run([&] {
        return match_windows(lead, bound, buckets, key, bits, levels, probabilities, backoffs,
                             key_scratch, table, found);
      });
    });
  });
}

Result py_score_windows(const py::tuple& chunk, const py::tuple& alphabet, std::uint32_t unknown,
                        const py::object& offsets, const py::tuple& matches, double begin_backoff,
                        const py::tuple& scores) {
  return with_token(chunk, [&](auto token) {
    const auto documents = chunk_of<decltype(token)>(chunk);
    const Alphabet symbols = alphabet_of(alphabet);
    auto* next = out<std::int64_t>(offsets);
    const Matches found = matches_of(matches);
    const ScoreOut to{out<std::uint64_t>(scores[0]), out<std::uint64_t>(scores[1]),
                      out<std::uint64_t>(scores[2]), out<std::uint64_t>(scores[3]),
                      out<std::uint64_t>(scores[4]), false};
    return run(
        [&] { return score_windows(documents, symbols, unknown, next, found, begin_backoff, to); });
  });
}

Result py_score_compact(const py::tuple& chunk, const py::tuple& alphabet, const py::tuple& trie,
                        const py::tuple& scores) {
  return with_token(chunk, [&](auto token) {
    const auto documents = chunk_of<decltype(token)>(chunk);
    const Alphabet symbols = alphabet_of(alphabet);
    const CompactTrie levels = compact_of(trie);
    const ScoreOut to{out<std::uint64_t>(scores[0]), out<std::uint64_t>(scores[1]),
                      out<std::uint64_t>(scores[2]), out<std::uint64_t>(scores[3]),
                      out<std::uint64_t>(scores[4]), false};
    return run([&] { return score_compact(documents, symbols, levels, to); });
  });
}

}  // namespace

void bind_models(py::module_& module) {
  using namespace py::literals;
  module.def("grow_trie", &py_grow_trie, "run"_a, "ends"_a, "bits"_a, "path"_a, "cursors"_a,
             "trie"_a, "followed"_a);
  module.def("mark_contexts", &py_mark_contexts, "trie"_a, "followed"_a);
  module.def("link_contexts", &py_link_contexts, "trie"_a, "bigrams"_a, "low"_a, "high"_a,
             "scratch"_a);
  module.def("score_ngrams", &py_score_ngrams, "chunk"_a, "alphabet"_a, "trie"_a, "discounts"_a,
             "uniform"_a, "out"_a);
  module.def("weigh_ngrams", &py_weigh_ngrams, "trie"_a, "bigrams"_a, "discounts"_a, "uniform"_a,
             "low"_a, "high"_a, "scratch"_a, "probabilities"_a, "backoffs"_a);
  module.def("match_windows", &py_match_windows, "leads"_a, "bounds"_a, "keys"_a, "bits"_a,
             "trie"_a, "weights"_a, "scratch"_a, "matches"_a);
  module.def("score_windows", &py_score_windows, "chunk"_a, "alphabet"_a, "unknown"_a, "offsets"_a,
             "matches"_a, "begin_backoff"_a, "out"_a);
  module.def("score_compact", &py_score_compact, "chunk"_a, "alphabet"_a, "trie"_a, "out"_a);
}

}  // namespace icfast::bindings
