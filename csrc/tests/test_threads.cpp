// Kernels on several threads, as the package runs them: on disjoint chunks, buckets, ranges and
// rows of the same arrays. ThreadSanitizer checks that they are disjoint.
#include <thread>

#include "kneser_ney.hpp"

namespace icfast::tests {
namespace {

constexpr std::size_t kThreads = 4;

template <class Call>
void in_threads(Call call) {
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < kThreads; ++i) threads.emplace_back([&call, i] { call(i); });
  for (std::thread& thread : threads) thread.join();
}

/// Threads scatter chunks, sort groups of buckets and scan spectra at the same time.
template <class Token, int W>
void check_counting(Shape shape) {
  const auto shard = some_shard<Token>(shape, true, 61, 40);
  const std::size_t leads = shard.leads();
  Array<std::uint32_t> first(leads + 1);
  for (std::size_t lead = 0; lead <= leads; ++lead) first[lead] = static_cast<std::uint32_t>(lead);
  const Array<Key<W>> low(leads);
  const Buckets<W> buckets{first.data(), low.data(), static_cast<std::int64_t>(leads), true};
  const Alphabet alphabet = shard.alphabet(shape);
  const auto chunk_of_thread = [&](std::size_t i) {
    const std::int64_t size = shard.tokens.rows();
    const auto edge = [&](std::size_t e) { return size * static_cast<std::int64_t>(e) / 4; };
    return cut(shard, edge(i), edge(i + 1));
  };

  Array<std::int32_t> slots(leads);
  for (std::size_t lead = 0; lead < leads; ++lead) slots[lead] = static_cast<std::int32_t>(lead);
  const Array<std::int32_t> depths(leads);
  Array<std::uint64_t> counts(kThreads * leads);
  std::vector<Status> statuses(kThreads);
  in_threads([&](std::size_t i) {
    statuses[i] = count_windows(chunk_of_thread(i).chunk, alphabet, buckets, slots.data(),
                                depths.data(), counts.data() + i * leads, 1);
  });

  // In every bucket each thread writes after the threads before it.
  Array<std::int64_t> offsets(kThreads * leads);
  Array<std::int64_t> bounds(leads + 1);
  std::int64_t total = 0;
  for (std::size_t lead = 0; lead < leads; ++lead) {
    bounds[lead] = total;
    for (std::size_t i = 0; i < kThreads; ++i) {
      offsets[i * leads + lead] = total;
      total += static_cast<std::int64_t>(counts[i * leads + lead]);
    }
  }
  bounds[leads] = total;
  Array<Key<W>> keys(static_cast<std::size_t>(total));
  in_threads([&](std::size_t i) {
    const Status status = scatter_windows(chunk_of_thread(i).chunk, alphabet, buckets, 0,
                                          static_cast<std::int64_t>(leads),
                                          offsets.data() + i * leads, keys.data(), keys.rows());
    if (status.code != Code::ok) statuses[i] = status;
  });

  // Different threads sort adjacent buckets of one array of keys. All scan at once.
  const Counts expected = count(windows_of(shard.documents, shape.order));
  const auto ends = ends_of<W>(count(ends_of(shard.documents, shape.order)), shape.bits);
  std::vector<RunArrays<W>> runs(kThreads);
  std::vector<std::uint64_t> windows(kThreads);
  in_threads([&](std::size_t i) {
    const std::size_t begin = leads * i / kThreads;
    const std::size_t end = leads * (i + 1) / kThreads;
    const auto held = static_cast<std::size_t>(bounds[end] - bounds[begin]);
    Array<std::uint64_t> times(held);
    Array<Key<W>> scratch(held);
    Array<std::int64_t> distinct(end - begin);
    const auto* edges = bounds.data() + begin;
    Status status = sort_runs(edges, static_cast<std::int64_t>(end - begin), keys.data(),
                              times.data(), scratch.data(), distinct.data());
    if (status.code != Code::ok) statuses[i] = status;
    std::vector<std::uint32_t> names;
    std::vector<std::int64_t> packed{0};
    for (std::size_t b = begin; b < end; ++b) {
      names.push_back(static_cast<std::uint32_t>(b));
      packed.push_back(packed.back() + distinct[b - begin]);
    }
    const auto size = static_cast<std::size_t>(packed.back());
    const auto at = static_cast<std::size_t>(bounds[begin]);
    runs[i] = RunArrays<W>{names, packed, keys.copy(at, at + size), times.copy(0, size)};
    const auto order = static_cast<std::size_t>(shape.order);
    Array<std::uint64_t> path(2 + W);
    Array<std::uint64_t> sums(3 * order);
    Array<std::uint64_t> small(kKinds * order);
    Array<std::uint64_t> large(kKinds * order * (size + 1));
    Array<std::int64_t> lengths(kKinds * order);
    const SpectraOut out{small.data(), 1, large.data(), lengths.data(),
                         static_cast<std::int64_t>(size) + 1};
    status = run_spectra(runs[i].run(), ends.ends(), shape.order, shape.bits, path.data(),
                         sums.data(), true, out);
    if (status.code != Code::ok) statuses[i] = status;
    for (std::int64_t e = 0; e < lengths[0]; ++e) windows[i] += large[static_cast<std::size_t>(e)];
  });
  for (const Status& status : statuses) CHECK_OK(status);

  const auto whole = run_of<W>(expected, shape.bits);
  std::vector<Key<W>> found;
  std::vector<std::uint64_t> found_counts;
  std::uint64_t tokens = 0;
  for (std::size_t i = 0; i < kThreads; ++i) {
    for (const Key<W>& key : runs[i].keys) found.push_back(key);
    for (const std::uint64_t times : runs[i].counts) found_counts.push_back(times);
    tokens += windows[i];
  }
  CHECK_EQUAL(whole.keys.copy(), found);
  CHECK_EQUAL(whole.counts.copy(), found_counts);
  CHECK_EQUAL(static_cast<std::uint64_t>(total), tokens);  // at order 1 every window is complete
}

TEST(threads_scatter_and_sort_side_by_side) {
  check_counting<std::uint8_t, 1>({3, 8});
  check_counting<std::uint16_t, 1>({5, 16});
  check_counting<std::uint16_t, 2>({6, 13});
  check_counting<std::uint32_t, 3>({14, 11});
  check_counting<std::uint32_t, 4>({9, 32});
}

TEST(ids_are_counted_and_documents_hashed_side_by_side) {
  const auto shard = some_shard<std::uint16_t>({3, 8}, true, 62, 40);
  const std::size_t vocab_size = shard.ranks.size();
  const std::size_t documents = shard.starts.size();
  Array<std::uint64_t> counts(kThreads * vocab_size);
  Array<std::uint64_t> hashes(documents);
  in_threads([&](std::size_t i) {
    const std::int64_t size = shard.tokens.rows();
    const auto edge = [&](std::size_t e) { return size * static_cast<std::int64_t>(e) / 4; };
    count_ids(cut(shard, edge(i), edge(i + 1)).chunk, counts.data() + i * vocab_size,
              static_cast<std::int64_t>(vocab_size));
    const std::size_t begin = documents * i / kThreads;
    const std::size_t end = documents * (i + 1) / kThreads;
    const Chunk<std::uint16_t> chunk{shard.tokens.data(),
                                     shard.starts.data() + begin,
                                     shard.stops.data() + begin,
                                     static_cast<std::int64_t>(end - begin),
                                     0,
                                     size};
    hash_documents(chunk, hashes.data() + begin);
  });
  Array<std::uint64_t> together(vocab_size);
  Array<std::uint64_t> alone(documents);
  CHECK_OK(count_ids(shard.whole(), together.data(), together.rows()));
  CHECK_OK(hash_documents(shard.whole(), alone.data()));
  for (std::size_t i = 1; i < kThreads; ++i) {
    for (std::size_t id = 0; id < vocab_size; ++id) counts[id] += counts[i * vocab_size + id];
  }
  CHECK_EQUAL(together.copy(), counts.copy(0, vocab_size));
  CHECK_EQUAL(alone.copy(), hashes.copy());
}

template <class Word>
void check_model(Shape shape) {
  const auto shard = some_shard<std::uint16_t>(shape, true, 63, 30);
  const KneserNey model(shard.documents, shape.order, 0.01);
  const std::uint32_t ranks = shard.leads();
  const auto expected = trie_of<Word>(model, ranks);
  auto made = trie_of<Word>(model, ranks);
  // Rows have the count of followers only before linking.
  for (std::size_t row = 1; row * kContextFields < made.contexts.size(); ++row) {
    for (int field = kSuccessors; field < kContextFields; ++field) {
      made.contexts[row * kContextFields + static_cast<std::size_t>(field)] = 0;
    }
  }
  std::vector<Status> statuses(kThreads);
  in_threads([&](std::size_t i) {
    const auto edge = [&](std::size_t e) { return static_cast<std::uint32_t>(ranks * e / 4); };
    auto contexts = by_context(made);
    statuses[i] =
        link_contexts(made.trie(), contexts.bigrams(), edge(i), edge(i + 1), contexts.scratch());
  });
  for (const Status& status : statuses) CHECK_OK(status);
  CHECK_EQUAL(expected.contexts.copy(), made.contexts.copy());

  const std::size_t documents = shard.documents.size();
  const auto columns = static_cast<std::size_t>(shape.order);
  const Array<double> discounts(model.discounts);
  const auto score = [&](std::size_t begin, std::size_t end, Array<std::uint64_t>* out) {
    const Chunk<std::uint16_t> chunk{shard.tokens.data(),
                                     shard.starts.data() + begin,
                                     shard.stops.data() + begin,
                                     static_cast<std::int64_t>(end - begin),
                                     begin == end ? 0 : shard.starts[begin],
                                     begin == end ? 0 : shard.stops[end - 1]};
    return score_ngrams(chunk, shard.alphabet(shape), made.trie(), discounts.data(), 0.01,
                        ScoreOut{out[0].data() + begin * columns, out[1].data() + begin * columns,
                                 out[2].data() + begin, out[3].data() + begin,
                                 out[4].data() + begin * columns, true});
  };
  const auto arrays = [&] {
    std::vector<Array<std::uint64_t>> out;
    for (const std::size_t size : {columns, columns, std::size_t{1}, std::size_t{1}, columns}) {
      out.emplace_back(documents * size);
    }
    return out;
  };
  auto alone = arrays();
  auto together = arrays();
  CHECK_OK(score(0, documents, alone.data()));
  in_threads([&](std::size_t i) {
    statuses[i] = score(documents * i / kThreads, documents * (i + 1) / kThreads, together.data());
  });
  for (const Status& status : statuses) CHECK_OK(status);
  for (std::size_t field = 0; field < 5; ++field) {
    CHECK_EQUAL(alone[field].copy(), together[field].copy());
  }
}

TEST(contexts_are_linked_and_documents_scored_side_by_side) {
  check_model<std::uint32_t>({5, 16});
  check_model<std::uint64_t>({3, 8});
}

}  // namespace
}  // namespace icfast::tests
