// The five spectra of every order, from sorted windows in one run or in many.
#include "definitions.hpp"

namespace icfast::tests {
namespace {

using Spectrum = std::map<std::uint64_t, std::uint64_t>;  // r -> phi_r

/// [kind][n]: the spectra that run_spectra records, without the begin mark itself.
std::vector<std::vector<Spectrum>> spectra_of(const Documents& documents, int order) {
  const Ngrams ngrams = ngrams_of(documents, order);
  std::vector<std::vector<Spectrum>> spectra(
      kKinds, std::vector<Spectrum>(static_cast<std::size_t>(order) + 1));
  for (std::size_t n = 1; n <= static_cast<std::size_t>(order); ++n) {
    const bool top = n == static_cast<std::size_t>(order);
    for (const auto& [gram, count] : ngrams.counts[n]) {
      const bool starting = gram.back() == 0;
      ++spectra[starting ? kStarting : kComplete][n][count];
      const std::uint64_t followed = count - at(ngrams.ending[n], gram);
      if (!top && followed != 0) ++spectra[starting ? kStartingFollowed : kFollowed][n][followed];
    }
    if (top) continue;
    for (const auto& [gram, count] : left_neighbours(ngrams.counts[n + 1])) {
      if (gram.back() != 0) ++spectra[kLeftNeighbours][n][count];
    }
  }
  return spectra;
}

struct Found {
  std::int64_t order;
  std::int64_t rows;
  std::int64_t capacity;
  Array<std::uint64_t> small;
  Array<std::uint64_t> large;
  Array<std::int64_t> lengths;

  Found(int order_, std::int64_t rows_, std::int64_t capacity_)
      : order(order_),
        rows(rows_),
        capacity(capacity_),
        small(static_cast<std::size_t>(kKinds * order * rows)),
        large(static_cast<std::size_t>(kKinds * order * capacity)),
        lengths(static_cast<std::size_t>(kKinds * order)) {}

  SpectraOut out() { return {small.data(), rows, large.data(), lengths.data(), capacity}; }

  std::vector<std::vector<Spectrum>> spectra() const {
    std::vector<std::vector<Spectrum>> found(
        kKinds, std::vector<Spectrum>(static_cast<std::size_t>(order) + 1));
    for (std::int64_t row = 0; row < kKinds * order; ++row) {
      Spectrum& here =
          found[static_cast<std::size_t>(row / order)][static_cast<std::size_t>(row % order) + 1];
      for (std::int64_t r = 0; r < rows; ++r) {
        const std::uint64_t types = small[static_cast<std::size_t>(row * rows + r)];
        if (types != 0) here[static_cast<std::uint64_t>(r)] += types;
      }
      for (std::int64_t i = 0; i < lengths[static_cast<std::size_t>(row)]; ++i) {
        ++here[large[static_cast<std::size_t>(row * capacity + i)]];
      }
    }
    return found;
  }
};

/// The documents' windows in several runs, one call each. The last call flushes.
template <int W>
void check_spectra(const Documents& documents, Shape shape, std::size_t parts) {
  const Case named("runs", parts);
  const Counts windows = count(windows_of(documents, shape.order));
  const auto ends = ends_of<W>(count(ends_of(documents, shape.order)), shape.bits);
  Array<std::uint64_t> path(2 + W);
  Array<std::uint64_t> sums(static_cast<std::size_t>(3 * shape.order));
  Found found(shape.order, 3, static_cast<std::int64_t>(windows.size()) + 1);
  for (const Counts& part : parts_of(windows, parts)) {
    const auto run = run_of<W>(part, shape.bits);
    CHECK_OK(run_spectra(run.run(), ends.ends(), shape.order, shape.bits, path.data(), sums.data(),
                         false, found.out()));
  }
  const auto nothing = run_of<W>({}, shape.bits);
  CHECK_OK(run_spectra(nothing.run(), ends.ends(), shape.order, shape.bits, path.data(),
                       sums.data(), true, found.out()));
  const auto expected = spectra_of(documents, shape.order);
  const auto spectra = found.spectra();
  for (std::size_t kind = 0; kind < kKinds; ++kind) {
    for (std::size_t n = 1; n < spectra[kind].size(); ++n) {
      const Case here("kind", kind, "n", n);
      CHECK_EQUAL(expected[kind][n], spectra[kind][n]);
    }
  }
  CHECK_EQUAL(std::uint64_t{0}, path[0]);
  CHECK_EQUAL(std::vector<std::uint64_t>(sums.size()), sums.copy());
}

TEST(spectra_of_every_kind_and_order) {
  for_each_shape([](auto width, Shape shape) {
    for (const bool end_mark : {false, true}) {
      const auto shard = some_shard<std::uint16_t>(shape, end_mark, 31);
      const std::size_t windows = count(windows_of(shard.documents, shape.order)).size();
      for (const std::size_t parts : {std::size_t{1}, std::size_t{2}, windows}) {
        check_spectra<width()>(shard.documents, shape, parts);
      }
    }
  });
}

TEST(spectra_of_hardly_anything) {
  check_spectra<1>({{1}}, {1, 1}, 1);
  check_spectra<1>({{1}}, {5, 16}, 1);
  check_spectra<1>({{1, 1, 1, 1, 1, 1, 1, 1}}, {3, 1}, 1);
  check_spectra<1>({{1}, {1}, {1}, {1}}, {3, 1}, 1);
  check_spectra<1>({{65535, 65535, 65535, 65535, 65535, 65535}}, {5, 16}, 2);
}

TEST(windows_that_do_not_ascend_are_named) {
  const Shape shape{3, 8};
  const auto check = [&](const RunArrays<1>& wrong, std::int64_t entry) {
    Array<std::uint64_t> path(3);
    Array<std::uint64_t> sums(9);
    Found found(3, 4, 8);
    const auto ends = ends_of<1>(Counts{}, shape.bits);
    const Status status =
        run_spectra(wrong.run(), ends.ends(), 3, 8, path.data(), sums.data(), true, found.out());
    CHECK_EQUAL(Code::not_sorted, status.code);
    CHECK_EQUAL(entry, status.index);
  };
  RunArrays<1> keys = run_of<1>({{{1, 1, 1}, 1}, {{1, 2, 1}, 1}}, shape.bits);
  std::swap(keys.keys[0], keys.keys[1]);
  check(keys, 1);
  keys.keys[1] = keys.keys[0];
  check(keys, 1);
  RunArrays<1> leads = run_of<1>({{{1, 1, 1}, 1}, {{2, 1, 1}, 1}}, shape.bits);
  std::swap(leads.leads[0], leads.leads[1]);
  check(leads, 1);
}

TEST(spectra_without_space_are_errors) {
  const Shape shape{2, 3};
  const auto run = run_of<1>(count(windows_of({{1, 1, 1, 1, 1, 1}}, 2)), shape.bits);
  const auto ends = ends_of<1>(Counts{}, shape.bits);
  Array<std::uint64_t> path(3);
  Array<std::uint64_t> sums(6);
  Found found(2, 2, 0);
  const Status status =
      run_spectra(run.run(), ends.ends(), 2, 3, path.data(), sums.data(), true, found.out());
  CHECK_EQUAL(Code::output_too_small, status.code);
}

}  // namespace
}  // namespace icfast::tests
