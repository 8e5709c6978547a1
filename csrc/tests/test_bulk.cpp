// Bulk scoring: weights of n-grams, records of windows, losses from records.
#include "kneser_ney.hpp"

namespace icfast::tests {
namespace {

void check_near(double expected, double found) {
  if (!(std::abs(found - expected) <= 1e-12 * std::abs(expected))) CHECK_EQUAL(expected, found);
}

struct Weights {
  Array<double> probabilities;
  Array<double> backoffs;
};

/// Weights computed in ranges of two ranks.
template <class Word>
Weights weigh(const KneserNey& model, TrieArrays<Word>& trie, std::uint32_t ranks) {
  Weights made{Array<double>(trie.counts.size(), -1.0), Array<double>(trie.child.size() - 1, -1.0)};
  const Array<double> discounts(model.discounts);
  auto contexts = by_context(trie);
  for (std::uint32_t low = 0; low < ranks; low += 2) {
    CHECK_OK(weigh_ngrams(trie.trie(), contexts.bigrams(), discounts.data(), model.uniform, low,
                          std::min(low + 2, ranks), contexts.scratch(), made.probabilities.data(),
                          made.backoffs.data()));
  }
  return made;
}

template <class Word, int W>
void check_bulk(Shape shape, bool end_mark) {
  const Case named("order", shape.order, "bits", shape.bits, "end mark", end_mark);
  auto shard = some_shard<std::uint16_t>(shape, end_mark, 71);
  Documents seen = shard.documents;
  seen.resize(seen.size() - 2);
  const std::uint32_t unknown = shard.leads();
  const KneserNey model(seen, shape.order, 1.0 / 300);
  auto trie = trie_of<Word>(model, unknown);
  const Weights weights = weigh(model, trie, unknown);

  std::size_t node = 0;
  const auto nodes = nodes_of(model.ngrams, unknown);
  for (std::size_t n = 1; n < nodes.size(); ++n) {
    for (const auto& [gram, times] : nodes[n]) {
      check_near(model.weight(gram), weights.probabilities[node]);
      if (n + 1 < nodes.size()) check_near(model.backoff(gram), weights.backoffs[node]);
      ++node;
    }
  }

  // Include a document with an id that the model does not know: id 3 gets a rank after all others.
  const std::uint32_t lost = shard.ranks[3];
  shard.ranks[3] = unknown;
  for (Symbols& document : shard.documents) {
    std::replace(document.begin(), document.end(), lost, unknown);
  }
  std::vector<std::vector<Key<W>>> by_lead(unknown + 1);
  for (const Symbols& window : windows_of(shard.documents, shape.order)) {
    by_lead[window[0]].push_back(key_of<W>(window, shape.bits));
  }
  std::vector<std::uint32_t> leads;
  std::vector<std::int64_t> bounds{0};
  std::vector<Key<W>> held;
  std::size_t largest = 0;
  for (const auto& keys : by_lead) {
    leads.push_back(static_cast<std::uint32_t>(leads.size()));
    held.insert(held.end(), keys.begin(), keys.end());
    bounds.push_back(static_cast<std::int64_t>(held.size()));
    largest = std::max(largest, keys.size());
  }
  const auto columns = static_cast<std::size_t>(shape.order);
  const Array<std::uint32_t> lead(leads);
  const Array<std::int64_t> bound(bounds);
  const Array<Key<W>> keys(held);
  Array<Key<W>> scratch(2 * largest);
  Array<std::uint32_t> table(4 * largest);
  Array<std::uint32_t> index(held.size());
  Array<double> records(held.size() * columns);
  Array<std::uint64_t> losses(held.size());
  const Matches matches{index.data(), records.data(), losses.data()};
  CHECK_OK(
      (match_windows<W, Word>(lead.data(), bound.data(), lead.rows(), keys.data(), shape.bits,
                              trie.trie(), weights.probabilities.data(), weights.backoffs.data(),
                              scratch.data(), table.data(), matches)));
  CHECK_EQUAL(held, keys.copy());

  const std::size_t documents = shard.documents.size();
  Array<std::uint64_t> low(documents, 77);
  Array<std::uint64_t> high(documents, 77);
  Array<std::uint64_t> predicted(documents, 77);
  Array<std::uint64_t> oov(documents, 77);
  Array<std::uint64_t> infinite(documents, 77);
  Array<std::int64_t> offsets(std::vector<std::int64_t>(bounds.begin(), bounds.end() - 1));
  CHECK_OK(score_windows(
      shard.whole(), shard.alphabet(shape), unknown, offsets.data(), matches,
      weights.backoffs.size() == 0 ? 1.0 : weights.backoffs[0],
      ScoreOut{low.data(), high.data(), predicted.data(), oov.data(), infinite.data(), false}));
  CHECK_EQUAL(std::vector<std::int64_t>(bounds.begin() + 1, bounds.end()), offsets.copy());
  for (std::size_t d = 0; d < documents; ++d) {
    const Case here("document", d);
    double nats = 0;
    std::uint64_t unseen = 0;
    Symbols history;
    if (shape.order > 1) history.push_back(0);
    for (const std::uint32_t symbol : shard.documents[d]) {
      nats -= std::log(model.probability(symbol, history, shape.order));
      unseen += symbol == unknown;
      history.insert(history.begin(), symbol);
      history.resize(std::min(history.size(), static_cast<std::size_t>(shape.order) - 1));
    }
    const double found = static_cast<double>(low[d]) / 4294967296.0;
    // Each loss is rounded to 2^-32 nat.
    const double allowed = 1e-9 * nats + std::ldexp(static_cast<double>(predicted[d]), -33);
    if (!(std::abs(found - nats) <= allowed)) CHECK_EQUAL(nats, found);
    CHECK_EQUAL(std::uint64_t{0}, high[d]);
    CHECK_EQUAL(std::uint64_t{0}, infinite[d]);
    CHECK_EQUAL(unseen, oov[d]);
    CHECK_EQUAL(static_cast<std::uint64_t>(shard.documents[d].size()), predicted[d]);
  }
}

TEST(windows_are_weighed_matched_and_scored) {
  for (const bool end_mark : {false, true}) {
    check_bulk<std::uint32_t, 1>({1, 4}, end_mark);
    check_bulk<std::uint64_t, 1>({3, 8}, end_mark);
    check_bulk<std::uint32_t, 1>({5, 16}, end_mark);
    check_bulk<std::uint64_t, 2>({9, 16}, end_mark);
    check_bulk<std::uint32_t, 3>({14, 11}, end_mark);
    check_bulk<std::uint32_t, 4>({kMaxOrder, 4}, end_mark);
  }
}

}  // namespace
}  // namespace icfast::tests
