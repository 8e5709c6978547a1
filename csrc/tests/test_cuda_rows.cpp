// What the CUDA part computes with, run on the host: geometry of loads, rows thread by thread, and
// sums that threads add to at once.
#include <atomic>
#include <cmath>
#include <limits>
#include <numeric>
#include <thread>

#include "../cuda/cell_sum.hpp"
#include "../cuda/row_sweep.hpp"
#include "definitions.hpp"

namespace icfast::tests {
namespace {

using cuda::kVectorBytes;
using cuda::kVectorWords;

TEST(cuda_vectors_are_the_same_logits_wherever_a_row_lies) {
  for (const Format format : {Format::bf16, Format::fp32}) {
    const std::int64_t size = cuda::bytes_of(format);
    for (const std::int64_t columns : {1, 2, 7, 8, 9, 15, 16, 17, 31, 100, 50257}) {
      for (std::uintptr_t address = 0; address < 64; address += static_cast<std::uintptr_t>(size)) {
        const Case named("columns", columns, "address", address);
        const auto row = cuda::RowVectors::of(address, columns, format);
        const std::int64_t bytes = columns * size;
        CHECK_EQUAL((bytes + kVectorBytes - 1) / kVectorBytes, row.count);
        CHECK(row.first <= row.last && row.last <= row.count);
        const std::int64_t base = static_cast<std::int64_t>(address) - row.offset;
        CHECK_EQUAL(std::int64_t{0}, base % kVectorBytes);
        if (row.first < row.last) {  // what is touched is within the row
          CHECK(base + row.first * kVectorBytes >= static_cast<std::int64_t>(address));
          const std::int64_t loads = row.last + (row.offset != 0 ? 1 : 0);
          CHECK(base + loads * kVectorBytes <= static_cast<std::int64_t>(address) + bytes);
        }
        // Nearly everything is loaded whole.
        CHECK(row.last - row.first >= bytes / kVectorBytes - (row.offset != 0 ? 2 : 0));
      }
    }
  }
}

TEST(cuda_words_are_moved_by_any_number_of_bytes) {
  std::uint8_t bytes[32];
  std::iota(bytes, bytes + 32, std::uint8_t{1});
  std::uint32_t from[2 * kVectorWords];
  std::memcpy(from, bytes, sizeof from);
  for (int offset = 0; offset < 16; ++offset) {
    const Case named("offset", offset);
    std::uint32_t words[kVectorWords];
    cuda::align_words(from, offset, words);
    CHECK_EQUAL(0, std::memcmp(words, bytes + offset, sizeof words));
  }
}

TEST(cuda_threads_depend_on_the_columns_alone) {
  CHECK_EQUAL(32, cuda::threads_of(1, Format::bf16));
  CHECK_EQUAL(32, cuda::threads_of(1024, Format::bf16));
  CHECK_EQUAL(64, cuda::threads_of(1025, Format::bf16));
  CHECK_EQUAL(256, cuda::threads_of(50257, Format::bf16));
  CHECK_EQUAL(256, cuda::threads_of(std::int64_t{1} << 40, Format::fp32));
}

TEST(cuda_powers_of_two_are_exact) {
  for (int n = -1100; n <= 600; ++n) {
    CHECK(cuda::power_of_two(n) == (n < -1022 ? 0 : std::ldexp(1.0, n)));
  }
  CHECK(cuda::power_of_two(-8388608.0 - 4194304) == 0);
}

TEST(cuda_pair_sums_keep_what_additions_round_off) {
  Random random(5);
  cuda::PairSum sum;
  long double exact = 0;
  for (int i = 0; i < 200000; ++i) {
    const auto term = static_cast<float>(std::ldexp(static_cast<double>(random() >> 40), -24)) * 8;
    sum.add(term);
    exact += term;
  }
  CHECK(std::abs(static_cast<double>(sum.value() - exact)) <= 1e-9 * static_cast<double>(exact));
}

/// One row as a block of threads goes over it, in the order of their merge.
template <class Source, bool kCapped, bool kExtras>
RowSums sums_of_row(const typename Source::Stored* row, std::int64_t columns,
                    const SoftmaxScale& scale) {
  using Sweep = cuda::ThreadSweep<Source, kCapped, kExtras>;
  const int threads = cuda::threads_of(columns, Source::kFormat);
  std::vector<Sweep> sweeps(static_cast<std::size_t>(threads), Sweep(scale));
  const std::int64_t vectors = (columns + Source::kPer - 1) / Source::kPer;
  for (std::int64_t i = 0; i < vectors; ++i) {
    typename Source::Stored numbers[Source::kPer];
    for (int e = 0; e < Source::kPer; ++e) {
      const std::int64_t at = i * Source::kPer + e;
      numbers[e] = at < columns ? row[at] : static_cast<typename Source::Stored>(Source::kLowest);
    }
    std::uint32_t words[kVectorWords];
    std::memcpy(words, numbers, sizeof words);
    sweeps[static_cast<std::size_t>(i % threads)].add(words);
  }
  float k = sweeps[0].k();
  for (const Sweep& sweep : sweeps) k = std::max(k, sweep.k());
  PowerSum fast{static_cast<double>(k), 0, 0};
  SoftmaxSum wide;
  std::int64_t larger = 0;
  for (const Sweep& sweep : sweeps) {
    const PowerSum part = sweep.to(k);
    fast.sum += part.sum;
    fast.weighted += part.weighted;
    wide.merge(sweep.wide(), scale.temperature);
    larger += sweep.larger();
  }
  return cuda::row_sums(fast, wide, larger);
}

struct Found {
  double nll, logsumexp, entropy;
  std::uint8_t kind;
  std::int64_t rank;
};

template <class Source>
Found device_row(const typename Source::Stored* row, std::int64_t target, const Softmax& softmax) {
  SoftmaxScale scale = SoftmaxScale::of(softmax);
  const Kind kind = kind_of_target(target, softmax);
  if (kind == Kind::scored) scale.target = cuda::stored_number<Source>(row, target);
  Found found;
  const TokenOut out{&found.nll, &found.kind, &found.logsumexp, &found.entropy, &found.rank};
  const RowSums sums = softmax.softcap != 0
                           ? sums_of_row<Source, true, true>(row, softmax.columns, scale)
                           : sums_of_row<Source, false, true>(row, softmax.columns, scale);
  write_token(scale, sums, kind, out, 0);
  return found;
}

Found host_row(const void* row, Format format, std::int64_t target, const Softmax& softmax) {
  Found found;
  const TokenOut out{&found.nll, &found.kind, &found.logsumexp, &found.entropy, &found.rank};
  CHECK_OK(
      cross_entropy({row, format, 1, softmax.columns, softmax.columns}, &target, softmax, out));
  return found;
}

/// Both within the budget of one exact value, so of each other by twice that.
void check_close(double expected, double found) {
  if (std::isfinite(expected)) {
    CHECK(std::abs(expected - found) <= 2 * (2e-6 + 4e-7 * std::abs(expected)));
  } else {
    CHECK(std::isnan(expected) ? std::isnan(found) : expected == found);
  }
}

template <class Source>
void check_row(const std::vector<double>& logits, std::int64_t target, const Softmax& softmax) {
  std::vector<typename Source::Stored> row;
  for (const double x : logits) {
    if constexpr (Source::kFormat == Format::fp32) {
      row.push_back(cuda::bits_of(static_cast<float>(x)));
    } else {
      row.push_back(static_cast<std::uint16_t>(cuda::bits_of(static_cast<float>(x)) >> 16));
    }
  }
  const Found expected = host_row(row.data(), Source::kFormat, target, softmax);
  const Found found = device_row<Source>(row.data(), target, softmax);
  CHECK_EQUAL(expected.kind, found.kind);
  CHECK_EQUAL(expected.rank, found.rank);
  check_close(expected.nll, found.nll);
  check_close(expected.logsumexp, found.logsumexp);
  check_close(expected.entropy, found.entropy);
}

double normal(Random& random) {
  double sum = -6;
  for (int i = 0; i < 12; ++i) sum += std::ldexp(static_cast<double>(random() >> 11), -53);
  return sum;
}

TEST(cuda_rows_are_those_of_the_cpu) {
  Random random(11);
  const double infinity = std::numeric_limits<double>::infinity();
  for (const std::int64_t columns : {1, 2, 7, 8, 9, 33, 255, 1025, 4097, 50257}) {
    const auto size = static_cast<std::size_t>(columns);
    for (int shape = 0; shape < 12; ++shape) {
      std::vector<double> row(size);
      for (std::size_t i = 0; i < size; ++i) {
        const double x = normal(random);
        const double place = static_cast<double>(i) / static_cast<double>(size);
        row[i] = shape == 0    ? x
                 : shape == 1  ? 20 * x
                 : shape == 2  ? 1e4 + x
                 : shape == 3  ? 5 * x - 1e4
                 : shape == 4  ? 0.7
                 : shape == 5  ? 1400 * place - 700  // every vector is above the one before
                 : shape == 6  ? 700 - 1400 * place
                 : shape == 7  ? (place < 0.5 ? -infinity : x)
                 : shape == 8  ? (place < 0.5 ? -3e38 : x)
                 : shape == 9  ? -3e38
                 : shape == 10 ? (i + 1 == size ? 5e7 : x)
                               : 1e8 * x;
      }
      for (const double softcap : {0.0, 30.0}) {
        const Case named("columns", columns, "shape", shape, "softcap", softcap);
        const Softmax softmax{columns, softcap, shape == 0 ? 0.7 : 1.0, -100};
        for (const std::int64_t target : {std::int64_t{0}, columns / 3, columns - 1, columns}) {
          check_row<cuda::Fp32>(row, target, softmax);
          check_row<cuda::Bf16>(row, target, softmax);
        }
      }
    }
  }
}

TEST(cuda_rows_without_a_distribution) {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const std::int64_t columns : {3, 40, 5000}) {
    for (const double odd : {std::nan(""), infinity, -infinity}) {
      for (const std::int64_t place : {std::int64_t{0}, columns / 2, columns - 1}) {
        for (const double others : {1.0, -infinity}) {
          std::vector<double> row(static_cast<std::size_t>(columns), others);
          row[static_cast<std::size_t>(place)] = odd;
          for (const double softcap : {0.0, 30.0}) {
            const Case named("columns", columns, odd, "at", place, "among", others);
            check_row<cuda::Fp32>(row, place, {columns, softcap, 1, -100});
            check_row<cuda::Bf16>(row, 1, {columns, softcap, 1, -100});
          }
        }
      }
    }
  }
}

TEST(cuda_a_nan_that_no_reference_was_found_beside_is_not_lost) {
  const double infinity = std::numeric_limits<double>::infinity();
  std::vector<double> row(5000, -infinity);
  row[0] = std::nan("");
  row[4000] = -3e38;  // added in fp64, by another thread
  check_row<cuda::Fp32>(row, 4000, {5000, 0, 1, -100});
}

TEST(cuda_every_fp16_is_the_number_it_is) {
  for (std::uint32_t bits = 0; bits < 1U << 16; ++bits) {
    const std::uint32_t exponent = bits >> 10 & 31;
    const std::uint32_t fraction = bits & 0x3ff;
    const float found = cuda::Fp16::number(bits);
    if (exponent == 31) {
      CHECK(fraction == 0 ? std::isinf(found) : std::isnan(found));
    } else {
      const double size = std::ldexp(exponent == 0 ? fraction : fraction | 0x400,
                                     exponent == 0 ? -24 : static_cast<int>(exponent) - 25);
      CHECK(static_cast<double>(std::abs(found)) == size);
    }
    CHECK_EQUAL((bits & 0x8000) != 0, std::signbit(found));
  }
}

TEST(cuda_cells_added_to_side_by_side_are_those_of_the_cpu) {
  Random random(72);
  const std::int64_t rows = 40000;
  const std::int64_t cells = 3;
  std::vector<double> nats(rows);
  std::vector<std::uint8_t> kinds(rows);
  std::vector<std::int64_t> to(rows);
  for (std::size_t r = 0; r < nats.size(); ++r) {
    nats[r] =
        std::ldexp(static_cast<double>(random() >> 11), static_cast<int>(pick(random, 70)) - 92);
    if (pick(random, 3) == 0) nats[r] = -nats[r];
    if (pick(random, 50) == 0) nats[r] = 0x1.fffffp30;  // the low word wraps
    if (pick(random, 50) == 0) nats[r] = std::numeric_limits<double>::infinity();
    kinds[r] = static_cast<std::uint8_t>(pick(random, 8) == 0 ? 1 + pick(random, 5) : 0);
    to[r] = static_cast<std::int64_t>(pick(random, 4)) - 1;
  }
  struct Cells {
    std::vector<std::uint64_t> low, high, counts;
    explicit Cells(std::size_t size) : low(size), high(size), counts(size * kLossKinds) {}
    LossCells view() {
      return {low.data(), high.data(), counts.data(), static_cast<std::int64_t>(low.size())};
    }
  };
  Cells expected(cells), found(cells);
  // Sums begin where a wrap is near, too.
  expected.low[1] = found.low[1] = ~std::uint64_t{0} - 5;
  expected.high[1] = found.high[1] = 7;
  CHECK_OK(add_losses(nats.data(), kinds.data(), to.data(), rows, expected.view()));
  const auto fetch_add = [](std::uint64_t* word, std::uint64_t addend) {
    return std::atomic_ref<std::uint64_t>(*word).fetch_add(addend);
  };
  std::vector<std::thread> threads;
  for (std::size_t part = 0; part < 4; ++part) {
    threads.emplace_back([&, part] {
      for (std::size_t r = nats.size() - 1 - part; r < nats.size(); r -= 4) {
        cuda::add_row(nats[r], kinds[r], to[r], found.view(), fetch_add);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_EQUAL(expected.low, found.low);
  CHECK_EQUAL(expected.high, found.high);
  CHECK_EQUAL(expected.counts, found.counts);
  CHECK(!cuda::add_row(1, 0, cells, found.view(), fetch_add));
  CHECK(!cuda::add_row(1, kLossKinds, 0, found.view(), fetch_add));
  CHECK(cuda::add_row(1, kLossKinds, -1, found.view(), fetch_add));
  CHECK_EQUAL(expected.counts, found.counts);
}

}  // namespace
}  // namespace icfast::tests
