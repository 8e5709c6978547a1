// Growing a trie from sorted windows, linking its contexts, and losses under it.
#include "kneser_ney.hpp"

namespace icfast::tests {
namespace {

template <class Word>
void check_trie(const TrieArrays<Word>& expected, const TrieArrays<Word>& found) {
  CHECK_EQUAL(expected.symbols.copy(), found.symbols.copy());
  CHECK_EQUAL(expected.counts.copy(), found.counts.copy());
  CHECK_EQUAL(expected.child.copy(), found.child.copy());
  CHECK_EQUAL(expected.marks.copy(), found.marks.copy());
  CHECK_EQUAL(expected.contexts.copy(), found.contexts.copy());
}

/// Grows a trie in several runs, marks contexts, and links in ranges of one symbol. It does not
/// fill the root's row.
template <class Word, int W>
TrieArrays<Word> grown(const KneserNey& model, const Documents& documents, Shape shape,
                       std::uint32_t ranks, std::size_t parts) {
  const Counts windows = count(windows_of(documents, shape.order));
  const auto ends = ends_of<W>(count(ends_of(documents, shape.order)), shape.bits);
  auto made = empty_trie<Word>(model, ranks);
  const std::vector<Word> expected = followed_of<Word>(model, ranks);
  Array<Word> followed(expected.size());
  if (shape.order > 1) followed[0] = static_cast<Word>(documents.size());
  Array<std::uint64_t> path(2 + W);
  Array<std::int64_t> cursors(
      std::vector<std::int64_t>(made.levels.begin(), made.levels.end() - 1));
  cursors[0] = 1;
  for (const Counts& part : parts_of(windows, parts)) {
    const auto run = run_of<W>(part, shape.bits);
    CHECK_OK(grow_trie(run.run(), ends.ends(), shape.bits, path.data(), cursors.data(), made.trie(),
                       followed.data()));
  }
  CHECK_EQUAL(std::vector<std::int64_t>(made.levels.begin() + 1, made.levels.end()),
              cursors.copy());
  CHECK_EQUAL(expected, followed.copy());
  CHECK_OK(mark_contexts(made.trie(), followed.data()));
  auto contexts = by_context(made);
  for (std::uint32_t low = 0; low < ranks; ++low) {
    CHECK_OK(link_contexts(made.trie(), contexts.bigrams(), low, low + 1, contexts.scratch()));
  }
  return made;
}

template <class Call>
void for_each_word(Call call) {
  call(std::uint32_t{});
  call(std::uint64_t{});
}

TEST(a_trie_grows_and_contexts_know_their_successors) {
  for_each_word([](auto word) {
    for_each_shape([](auto width, Shape shape) {
      for (const bool end_mark : {false, true}) {
        const auto shard = some_shard<std::uint16_t>(shape, end_mark, 41);
        const KneserNey model(shard.documents, shape.order, 0.01);
        const auto expected = trie_of<decltype(word)>(model, shard.leads());
        for (const std::size_t parts : {1, 7}) {
          const Case named("end mark", end_mark, "runs", parts);
          auto found =
              grown<decltype(word), width()>(model, shard.documents, shape, shard.leads(), parts);
          std::copy(expected.contexts.begin(), expected.contexts.begin() + kContextFields,
                    found.contexts.begin());  // the caller fills the root's row
          check_trie(expected, found);
        }
      }
    });
  });
}

TEST(windows_beyond_the_trie_are_errors) {
  const Shape shape{3, 8};
  const Documents documents{{1, 2, 1}, {2, 2, 2, 1}};
  const auto run = run_of<1>(count(windows_of(documents, 3)), shape.bits);
  const auto ends = ends_of<1>(Counts{}, shape.bits);
  const auto grow = [&](const Documents& sized_for, const SortedRun<1>& from) {
    auto made = empty_trie<std::uint32_t>(KneserNey(sized_for, 3, 0.01), 3);
    Array<std::uint32_t> followed(made.child.size() - 1);
    Array<std::uint64_t> path(3);
    Array<std::int64_t> cursors(std::vector<std::int64_t>{1, made.levels[1], made.levels[2]});
    return grow_trie(from, ends.ends(), shape.bits, path.data(), cursors.data(), made.trie(),
                     followed.data())
        .code;
  };
  CHECK_EQUAL(Code::ok, grow(documents, run.run()));
  CHECK_EQUAL(Code::output_too_small, grow({{1, 2}}, run.run()));
  const auto skipping = run_of<1>({{{2, 1, 0}, 1}}, shape.bits);
  CHECK_EQUAL(Code::rank_without_window, grow(documents, skipping.run()));
  auto twice = run_of<1>({{{1, 1, 0}, 1}, {{1, 1, 1}, 1}}, shape.bits);
  twice.keys[1] = twice.keys[0];
  CHECK_EQUAL(Code::not_sorted, grow(documents, twice.run()));
}

TEST(contexts_without_space_for_a_row_are_errors) {
  const KneserNey model({{1, 2, 1, 2, 2, 1}}, 3, 0.01);
  auto made = empty_trie<std::uint32_t>(model, 3);
  const Array<std::uint32_t> followed(followed_of<std::uint32_t>(model, 3));
  Trie<std::uint32_t> trie = made.trie();
  trie.context_rows -= 1;
  CHECK_EQUAL(Code::output_too_small, mark_contexts(trie, followed.data()).code);
}

TEST(an_ngram_whose_context_is_missing_is_named) {
  const KneserNey model({{1, 2, 1, 2, 2, 1}}, 3, 0.01);
  auto made = trie_of<std::uint32_t>(model, 3);
  // Change the left neighbours of the bigrams to symbols that no context has.
  for (std::int64_t node = made.levels[2]; node < made.levels[3]; ++node) {
    made.symbols[static_cast<std::size_t>(node)] = 9;
  }
  auto contexts = by_context(made);
  CHECK_EQUAL(Code::table_without_context,
              link_contexts(made.trie(), contexts.bigrams(), 0, 3, contexts.scratch()).code);
}

struct Scores {
  Array<std::uint64_t> low;
  Array<std::uint64_t> high;
  Array<std::uint64_t> predicted;
  Array<std::uint64_t> oov;
  Array<std::uint64_t> infinite;

  Scores(std::size_t documents, int columns)
      : low(documents * static_cast<std::size_t>(columns),
            77),  // initial values, which kernels overwrite
        high(low.size(), 77),
        predicted(documents, 77),
        oov(documents, 77),
        infinite(low.size(), 77) {}
  ScoreOut out(bool ladder) {
    return {low.data(), high.data(), predicted.data(), oov.data(), infinite.data(), ladder};
  }
};

/// Scores the documents of a shard that has ids unknown to the model.
template <class Token, class Word>
void check_scores(Shape shape, bool end_mark, double uniform, bool ladder) {
  const Case named("end mark", end_mark, "uniform", uniform, "ladder", ladder);
  auto shard = some_shard<Token>(shape, end_mark, 51);
  Documents seen = shard.documents;
  seen.resize(seen.size() - 2);
  KneserNey model(seen, shape.order, uniform);
  auto trie = trie_of<Word>(model, shard.leads());
  // Id 3 is unknown to the model: no n-gram has its symbol.
  constexpr std::uint32_t kUnknown = 0xffffffffU;
  const std::uint32_t lost = shard.ranks.size() > 3 ? shard.ranks[3] : 0;
  if (lost != 0) shard.ranks[3] = 0;

  const int first = ladder ? 1 : shape.order;
  const int columns = shape.order - first + 1;
  Scores scores(shard.documents.size(), columns);
  const Array<double> discounts(model.discounts);
  CHECK_OK(score_ngrams(shard.whole(), shard.alphabet(shape), trie.trie(), discounts.data(),
                        uniform, scores.out(ladder)));
  for (std::size_t d = 0; d < shard.documents.size(); ++d) {
    std::vector<double> nats(static_cast<std::size_t>(shape.order) + 1);
    std::vector<std::uint64_t> infinite(nats.size());
    std::uint64_t oov = 0;
    Symbols history;
    if (shape.order > 1) history.push_back(0);
    for (std::uint32_t symbol : shard.documents[d]) {
      if (symbol == lost) symbol = kUnknown;
      oov += symbol == kUnknown;
      for (int k = first; k <= shape.order; ++k) {
        const double p = model.probability(symbol, history, k);
        const auto row = static_cast<std::size_t>(k);
        if (p > 0) {
          nats[row] -= std::log(p);
        } else {
          ++infinite[row];
        }
      }
      history.insert(history.begin(), symbol);
      history.resize(std::min(history.size(), static_cast<std::size_t>(shape.order) - 1));
    }
    const Case here("document", d);
    CHECK_EQUAL(static_cast<std::uint64_t>(shard.documents[d].size()), scores.predicted[d]);
    CHECK_EQUAL(oov, scores.oov[d]);
    for (int k = first; k <= shape.order; ++k) {
      const Case under("k", k);
      const auto row = static_cast<std::size_t>(k);
      const std::size_t at =
          d * static_cast<std::size_t>(columns) + row - static_cast<std::size_t>(first);
      CHECK_EQUAL(infinite[row], scores.infinite[at]);
      CHECK_EQUAL(std::uint64_t{0}, scores.high[at]);
      const double found = static_cast<double>(scores.low[at]) / 4294967296.0;
      // Each loss is rounded to 2^-32 nat.
      const double allowed =
          1e-9 * nats[row] + std::ldexp(static_cast<double>(scores.predicted[d]), -33);
      if (!(std::abs(found - nats[row]) <= allowed)) CHECK_EQUAL(nats[row], found);
    }
  }
}

TEST(losses_under_every_order) {
  for_each_token([](auto token) {
    for (const Shape shape : {Shape{1, 3}, Shape{2, 3}, Shape{3, 8}, Shape{5, 16}, Shape{9, 4}}) {
      const Case named("order", shape.order);
      for (const bool end_mark : {false, true}) {
        for (const bool ladder : {false, true}) {
          check_scores<decltype(token), std::uint32_t>(shape, end_mark, 1.0 / 300, ladder);
          check_scores<decltype(token), std::uint64_t>(shape, end_mark, 0.0, ladder);
        }
      }
    }
  });
}

TEST(losses_under_the_longest_order) {
  check_scores<std::uint16_t, std::uint32_t>({kMaxOrder, 4}, true, 1.0 / 300, false);
}

TEST(an_id_outside_the_vocabulary_is_not_scored) {
  const Shape shape{3, 8};
  const auto shard = some_shard<std::uint16_t>(shape, false, 52);
  const KneserNey model(shard.documents, shape.order, 0.01);
  auto trie = trie_of<std::uint32_t>(model, shard.leads());
  Scores scores(shard.documents.size(), 1);
  Alphabet alphabet = shard.alphabet(shape);
  alphabet.vocab_size = 65000;
  const Array<double> discounts(model.discounts);
  const Status status =
      score_ngrams(shard.whole(), alphabet, trie.trie(), discounts.data(), 0.01, scores.out(false));
  CHECK_EQUAL(Code::id_outside_vocabulary, status.code);
  CHECK_EQUAL(std::uint64_t{65000}, status.value);
}

}  // namespace
}  // namespace icfast::tests
