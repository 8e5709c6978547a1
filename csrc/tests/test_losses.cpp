// Losses added to cells, against sums of 128 bits.
#include <cmath>
#include <limits>

#include "definitions.hpp"
#include "icfast/losses.hpp"

namespace icfast::tests {
namespace {

struct Cells {
  explicit Cells(std::size_t cells) : low(cells), high(cells), counts(cells * kLossKinds) {}
  LossCells view() { return {low.data(), high.data(), counts.data(), low.rows()}; }
  __int128 whole(std::size_t cell) const {
    return static_cast<__int128>((static_cast<unsigned __int128>(high[cell]) << 64) | low[cell]);
  }
  Array<std::uint64_t> low, high, counts;
};

/// nats 2^32 rounded half to even, by the C library on long doubles, which hold it exactly.
std::int64_t rounded(double nats) {
  return std::llrintl(static_cast<long double>(nats) * 4294967296.0L);
}

TEST(losses_are_added_in_whole_units) {
  Random random(71);
  const std::size_t cells = 5;
  std::vector<double> nats;
  std::vector<std::int64_t> to;
  for (int i = 0; i < 20000; ++i) {
    const double size =
        std::ldexp(static_cast<double>(random() >> 11), static_cast<int>(pick(random, 90)) - 112);
    nats.push_back(pick(random, 2) != 0 ? size : -size);
    to.push_back(static_cast<std::int64_t>(pick(random, cells + 1)) - 1);
  }
  for (int half = -9; half <= 9; ++half) {
    nats.push_back(half * 0x1p-33);
    nats.push_back((0x1p52 + half) * 0x1p-33);
    nats.push_back((-0x1p53 + std::abs(half)) * 0x1p-33);
    to.insert(to.end(), {0, 1, 2});
  }
  std::vector<__int128> sums(cells);
  std::vector<std::uint64_t> scored(cells);
  for (std::size_t r = 0; r < nats.size(); ++r) {
    CHECK(fits_sum(nats[r]));
    if (to[r] < 0) continue;
    sums[static_cast<std::size_t>(to[r])] += rounded(nats[r]);
    ++scored[static_cast<std::size_t>(to[r])];
  }
  Cells found(cells);
  const Array<double> losses(nats);
  const Array<std::uint8_t> kinds(nats.size());
  const Array<std::int64_t> targets(to);
  CHECK_OK(add_losses(losses.data(), kinds.data(), targets.data(), losses.rows(), found.view()));
  for (std::size_t cell = 0; cell < cells; ++cell) {
    CHECK(found.whole(cell) == sums[cell]);
    CHECK_EQUAL(scored[cell], found.counts[cell * kLossKinds]);
  }
}

TEST(losses_that_fit_no_sum_are_counted_as_what_they_are) {
  const double infinity = std::numeric_limits<double>::infinity();
  const Array<double> losses(
      std::vector<double>{infinity, -infinity, std::nan(""), 0x1p31, -0x1p31, 1});
  const Array<std::int64_t> cells(losses.size());
  for (int kind = 0; kind < kLossKinds; ++kind) {
    const Case named("kind", kind);
    const Array<std::uint8_t> kinds(losses.size(), static_cast<std::uint8_t>(kind));
    Cells found(1);
    CHECK_OK(add_losses(losses.data(), kinds.data(), cells.data(), losses.rows(), found.view()));
    std::vector<std::uint64_t> expected(kLossKinds);
    if (kind == 0) {
      expected = {1, 0, 1, 2, 0, 2};
    } else {
      expected[static_cast<std::size_t>(kind)] = 6;
    }
    CHECK_EQUAL(expected, found.counts.copy());
    CHECK(found.whole(0) == (kind == 0 ? __int128{1} << 32 : 0));
  }
}

TEST(a_cell_or_a_kind_that_is_none_is_refused) {
  const Array<double> losses(2, 1.0);
  const Array<std::uint8_t> scored(2), no_kinds(2, kLossKinds);
  const Array<std::int64_t> cells(std::vector<std::int64_t>{0, 1});
  Cells found(1);
  Status status = add_losses(losses.data(), scored.data(), cells.data(), 2, found.view());
  CHECK_EQUAL(Code::output_too_small, status.code);
  CHECK_EQUAL(std::int64_t{1}, status.index);
  CHECK(found.whole(0) == __int128{1} << 32);
  status = add_losses(losses.data(), no_kinds.data(), cells.data(), 2, found.view());
  CHECK_EQUAL(Code::output_too_small, status.code);
  CHECK_EQUAL(std::int64_t{0}, status.index);
}

}  // namespace
}  // namespace icfast::tests
