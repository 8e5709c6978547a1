// Rows of logits as a device's block of threads sweeps them, by threads of the host: loads at every
// alignment, within the row's memory, and merges.
#include <cmath>

#include "definitions.hpp"
#include "simt.hpp"
// After simt.hpp, which has what nvcc would bring.
#include "../cuda/row_block.cuh"

namespace icfast::tests {
namespace {

/// A row at an offset of elements from 16 bytes, and nothing that may be read around it.
template <class Stored>
struct Placed {
  std::vector<Stored> room;
  const Stored* row;

  Placed(const std::vector<Stored>& logits, std::size_t offset, Stored around)
      : room(logits.size() + 2 * 16 / sizeof(Stored), around) {
    const auto address = reinterpret_cast<std::uintptr_t>(room.data());
    const std::size_t lead = (16 - address % 16) % 16 / sizeof(Stored);
    std::copy(logits.begin(), logits.end(), room.begin() + static_cast<long>(lead + offset));
    row = room.data() + lead + offset;
  }
};

template <class Source, bool kExtras>
RowSums swept(const typename Source::Stored* row, std::int64_t columns, const SoftmaxScale& scale,
              bool wide) {
  RowSums found;
  cuda::Partial shared;
  simt::run_block(cuda::threads_of(columns, Source::kFormat), [&] {
    const RowSums sums =
        wide ? cuda::wide_sums_of_row<Source>(row, columns, scale, shared)
             : cuda::sums_of_row<Source, false, kExtras>(row, columns, scale, shared);
    if (threadIdx.x == 0) found = sums;
  });
  return found;
}

template <class Source>
std::vector<typename Source::Stored> stored(const std::vector<float>& logits) {
  std::vector<typename Source::Stored> row;
  for (const float x : logits) {
    const std::uint32_t bits = cuda::bits_of(x);
    row.push_back(
        static_cast<typename Source::Stored>(Source::kFormat == Format::fp32 ? bits : bits >> 16));
  }
  return row;
}

template <class Source>
void check_rows(std::int64_t columns) {
  Random random(static_cast<std::uint64_t>(columns));
  std::vector<float> logits(static_cast<std::size_t>(columns));
  for (float& x : logits) x = static_cast<float>(static_cast<double>(random() >> 40) * 0x1p-20);
  const auto row = stored<Source>(logits);
  const Softmax softmax{columns, 0, 1, -100};
  SoftmaxScale scale = SoftmaxScale::of(softmax);
  const std::int64_t target = columns / 2;
  scale.target = cuda::stored_number<Source>(row.data(), target);

  double nll, logsumexp, entropy;
  std::uint8_t kind;
  std::int64_t rank;
  const TokenOut out{&nll, &kind, &logsumexp, &entropy, &rank};
  CHECK_OK(
      cross_entropy({row.data(), Source::kFormat, 1, columns, columns}, &target, softmax, out));

  // Around the row: NaN, so that one too many is found out.
  const auto around = static_cast<typename Source::Stored>(~typename Source::Stored{0});
  PowerSum first;
  for (std::size_t offset = 0; offset < 16 / sizeof around; ++offset) {
    const Case named("columns", columns, "offset", offset);
    const Placed<typename Source::Stored> placed(row, offset, around);
    const RowSums sums = swept<Source, true>(placed.row, columns, scale, false);
    if (offset == 0) {
      first = sums.fast;
      const SoftmaxSum total = sums.total(scale);
      CHECK(std::abs(total.nll_nats(scale.target, 1) - nll) <= 4e-6 + 8e-7 * std::abs(nll));
      CHECK(std::abs(total.entropy_nats() - entropy) <= 4e-6 + 8e-7 * std::abs(entropy));
      CHECK_EQUAL(rank, sums.larger);
      const RowSums plain = swept<Source, false>(placed.row, columns, scale, false);
      CHECK(plain.fast.k == first.k && plain.fast.sum == first.sum);
      const RowSums wide = swept<Source, false>(placed.row, columns, scale, true);
      CHECK(std::abs(wide.total(scale).nll_nats(scale.target, 1) - nll) <=
            4e-6 + 8e-7 * std::abs(nll));
      CHECK_EQUAL(rank, wide.larger);
    }
    CHECK(sums.fast.k == first.k);
    CHECK(sums.fast.sum == first.sum);  // to the bit
    CHECK(sums.fast.weighted == first.weighted);
    CHECK_EQUAL(rank, sums.larger);
  }
}

TEST(cuda_blocks_find_the_same_bits_at_every_alignment) {
  for (const std::int64_t columns : {1, 7, 8, 9, 255, 1024, 1031, 9001}) {
    check_rows<cuda::Bf16>(columns);
    check_rows<cuda::Fp32>(columns);
  }
}

TEST(cuda_blocks_take_the_reference_of_whichever_thread_has_the_largest) {
  const SoftmaxScale scale = SoftmaxScale::of({5000, 0, 1, -100});
  for (const std::size_t place : {std::size_t{0}, std::size_t{2500}, std::size_t{4999}}) {
    const Case named("place", place);
    std::vector<float> logits(5000, 1);
    logits[place] = 5000;
    const auto row = stored<cuda::Fp32>(logits);
    const SoftmaxSum total = swept<cuda::Fp32, true>(row.data(), 5000, scale, false).total(scale);
    CHECK(std::abs(total.logsumexp_nats(1) - 5000) <= 2e-6 + 4e-7 * 5000);
    CHECK(std::abs(total.entropy_nats()) <= 2e-6);
  }
}

TEST(cuda_blocks_merge_what_was_added_in_fp64) {
  std::vector<float> logits(5000, -3e38F);
  logits[17] = 3;
  logits[4000] = 5e7F;
  for (const bool huge : {true, false}) {
    if (!huge) logits[4000] = 3;
    const auto row = stored<cuda::Fp32>(logits);
    const SoftmaxScale scale = SoftmaxScale::of({5000, 0, 1, -100});
    const SoftmaxSum total = swept<cuda::Fp32, false>(row.data(), 5000, scale, false).total(scale);
    const double expected = huge ? 5e7 : 3 + std::log(2.0);
    CHECK(std::abs(total.logsumexp_nats(1) - expected) <= 2e-6 + 4e-7 * expected);
  }
  logits.assign(5000, -3e38F);
  const auto row = stored<cuda::Fp32>(logits);
  const SoftmaxScale scale = SoftmaxScale::of({5000, 0, 1, -100});
  const SoftmaxSum total = swept<cuda::Fp32, false>(row.data(), 5000, scale, false).total(scale);
  CHECK(std::abs(total.nll_nats(static_cast<double>(logits[0]), 1) - std::log(5000.0)) <= 5e-6);
}

}  // namespace
}  // namespace icfast::tests
