// Losses of hidden states as a device computes them, on the host: the tiles, operands staged and
// rows swept by threads of the host, products by a cuBLASLt that is none (fake_cublaslt.cpp).
#include "cuda_linear.hpp"

namespace icfast::tests {
namespace {

/// What StreamDevice launches, at once.
class HostDevice {
 public:
  HostDevice(const TokenOut& out, cuda::TileProduct& product) : out_(out), product_(product) {}

  void stage(const cuda::Staging& staging) {
    for (std::int64_t row = 0; row < staging.rows; ++row) {
      simt::run_block(1, [&] {
        switch (staging.from.format) {
          case Format::bf16:
            return staging.format == Format::bf16
                       ? cuda::stage_row<cuda::Bf16, cuda::Bf16>(staging, row)
                       : cuda::stage_row<cuda::Bf16, cuda::Fp32>(staging, row);
          case Format::fp16:
            return staging.format == Format::fp16
                       ? cuda::stage_row<cuda::Fp16, cuda::Fp16>(staging, row)
                       : cuda::stage_row<cuda::Fp16, cuda::Fp32>(staging, row);
          default:
            return cuda::stage_row<cuda::Fp32, cuda::Fp32>(staging, row);
        }
      });
    }
  }

  Status multiply(const void* hidden, const void* weight, const float* bias, float* logits,
                  void* workspace) {
    ++products;
    CHECK_EQUAL(cuda::lt::kSuccess, product_.run(hidden, weight, bias, logits, workspace, nullptr));
    return {};
  }

  void sweep(const cuda::TileSweep& sweep) {
    for (std::int64_t row = 0; row < sweep.rows.size; ++row) {
      cuda::Partial shared;
      simt::run_block(cuda::threads_of(sweep.columns, Format::fp32), [&] {
        cuda::sweep_tile_row(sweep, row, [&](const void* logits, const SoftmaxScale& scale) {
          using cuda::Fp32;
          const std::int64_t columns = sweep.columns;
          if (!scale.fits_fp32) {
            return cuda::wide_sums_of_row<Fp32>(logits, columns, scale, shared);
          }
          if (scale.softcap != 0) {
            return cuda::sums_of_row<Fp32, true, true>(logits, columns, scale, shared);
          }
          return out_.entropy_nats != nullptr || sweep.counts
                     ? cuda::sums_of_row<Fp32, false, true>(logits, columns, scale, shared)
                     : cuda::sums_of_row<Fp32, false, false>(logits, columns, scale, shared);
        });
      });
    }
  }

  void write(const cuda::TileRows& rows) {
    for (std::int64_t r = 0; r < rows.size; ++r) cuda::write_tile_row(rows, out_, r);
  }

  Status status() { return {}; }

  int products = 0;

 private:
  const TokenOut& out_;
  cuda::TileProduct& product_;
};

/// Numbers of few bits in a format.
std::vector<std::uint8_t> stored(const std::vector<float>& values, Format format) {
  std::vector<std::uint8_t> bytes;
  for (const float x : values) {
    std::uint8_t held[4];
    const std::uint32_t bits = cuda::bits_of(x);
    std::memcpy(held, &bits, 4);
    if (format == Format::fp32) bytes.insert(bytes.end(), held, held + 4);
    if (format == Format::bf16) bytes.insert(bytes.end(), held + 2, held + 4);
    if (format == Format::fp16) {
      const auto half = static_cast<_Float16>(x);
      std::memcpy(held, &half, 2);
      bytes.insert(bytes.end(), held, held + 2);
    }
  }
  return bytes;
}

/// A matrix with columns and rows around it that must not be read: NaN in every format.
struct Held {
  Array<std::uint8_t> room;
  std::vector<float> exact;
  Matrix matrix;

  Held(Random& random, Format format, std::int64_t rows, std::int64_t columns, std::int64_t padding,
       double scale)
      : room(static_cast<std::size_t>(rows * (columns + padding) * cuda::bytes_of(format)), 0xff) {
    const std::int64_t size = cuda::bytes_of(format);
    for (std::int64_t r = 0; r < rows; ++r) {
      std::vector<float> row;
      for (std::int64_t c = 0; c < columns; ++c) {
        // Few bits, so that every format holds it.
        const auto whole = static_cast<double>(static_cast<std::int64_t>(pick(random, 255)) - 127);
        row.push_back(static_cast<float>(whole * scale));
      }
      const auto bytes = stored(row, format);
      std::copy(bytes.begin(), bytes.end(), room.data() + r * (columns + padding) * size);
      exact.insert(exact.end(), row.begin(), row.end());
    }
    matrix = {room.data(), format, rows, columns, columns + padding};
  }
};

struct Found {
  std::vector<double> nll, logsumexp, entropy;
  std::vector<std::uint8_t> kinds;
  std::vector<std::int64_t> ranks;
  explicit Found(std::int64_t rows)
      : nll(static_cast<std::size_t>(rows), 7),
        logsumexp(nll),
        entropy(nll),
        kinds(nll.size(), 77),
        ranks(nll.size(), 7) {}
  TokenOut out(bool everything) {
    if (!everything) return {nll.data(), kinds.data(), nullptr, nullptr, nullptr};
    return {nll.data(), kinds.data(), logsumexp.data(), entropy.data(), ranks.data()};
  }
};

struct Problem {
  Held hidden, weight, bias;
  std::vector<std::int64_t> targets;
  Softmax softmax;

  Problem(Format hidden_format, Format weight_format, std::int64_t rows, std::int64_t width,
          std::int64_t columns, std::int64_t vocabulary, std::int64_t padding, bool has_bias,
          Random random = Random(3))
      : hidden(random, hidden_format, rows, width, 3, 0x1p-6),
        weight(random, weight_format, columns, width, padding, 0x1p-5),
        bias(random, Format::fp16, 1, has_bias ? columns : 0, 0, 0x1p-4),
        softmax{vocabulary, 0, 1, kIgnored} {
    const std::int64_t odd[] = {kIgnored, -1, vocabulary, 0, vocabulary - 1};
    for (std::int64_t r = 0; r < rows; ++r) {
      const auto at = static_cast<std::size_t>(r);
      targets.push_back(
          at < 5 ? odd[at]
                 : static_cast<std::int64_t>(pick(random, static_cast<std::uint64_t>(vocabulary))));
    }
  }

  /// In fp32, in one sequence.
  std::vector<float> logits() const {
    std::vector<float> made;
    const std::int64_t width = hidden.matrix.columns;
    for (std::int64_t r = 0; r < hidden.matrix.rows; ++r) {
      for (std::int64_t v = 0; v < weight.matrix.rows; ++v) {
        float sum = 0;
        for (std::int64_t k = 0; k < width; ++k) {
          sum += weight.exact[static_cast<std::size_t>(v * width + k)] *
                 hidden.exact[static_cast<std::size_t>(r * width + k)];
        }
        if (bias.matrix.columns != 0) sum += bias.exact[static_cast<std::size_t>(v)];
        made.push_back(sum);
      }
    }
    return made;
  }

  Found expected(bool everything = true) const {
    Found found(hidden.matrix.rows);
    const auto made = logits();
    const std::int64_t columns = weight.matrix.rows;
    CHECK_OK(cross_entropy({made.data(), Format::fp32, hidden.matrix.rows, columns, columns},
                           targets.data(), softmax, found.out(everything)));
    return found;
  }

  /// Of rows [first, first + rows).
  Found found(std::int64_t first, std::int64_t rows, bool everything = true) const {
    Found found(rows);
    Matrix part = hidden.matrix;
    part.data = static_cast<const std::uint8_t*>(part.data) +
                first * part.stride * cuda::bytes_of(part.format);
    part.rows = rows;
    Linear linear{
        part,    weight.matrix,         bias.matrix, {targets.data() + first, cuda::IdType::i64},
        softmax, found.out(everything), {8, 128},    nullptr,
        0};
    const LinearPlan plan = LinearPlan::of(linear);
    // Whatever was there before, and not a byte more; the products' own room is not touched here.
    Array<std::uint8_t> scratch(static_cast<std::size_t>(plan.scratch_bytes), 0xff);
    linear.scratch = scratch.data();
    linear.scratch_bytes = plan.scratch_bytes;
    cuda::TileProduct product(fake());
    HostDevice device(linear.out, product);
    cuda::LinearTiles tiles(linear, plan, device);
    CHECK_EQUAL(cuda::lt::kSuccess, product.make(plan, 0, tiles.bias()));
    CHECK_OK(tiles.run());
    const std::int64_t turns = (rows + plan.rows - 1) / plan.rows * (everything ? 2 : 1);
    CHECK_EQUAL(turns * plan.tiles, std::int64_t{device.products});
    return found;
  }
};

void check_close(const std::vector<double>& expected, const std::vector<double>& found) {
  for (std::size_t i = 0; i < expected.size(); ++i) {
    const Case named("row", i, "expected", expected[i], "found", found[i]);
    if (std::isfinite(expected[i])) {
      CHECK(std::abs(expected[i] - found[i]) <= 2 * (2e-6 + 4e-7 * std::abs(expected[i])));
    } else {
      CHECK(std::isnan(expected[i]) ? std::isnan(found[i]) : expected[i] == found[i]);
    }
  }
}

void check_problem(const Problem& problem) {
  const Found expected = problem.expected();
  const Found found = problem.found(0, problem.hidden.matrix.rows);
  CHECK_EQUAL(expected.kinds, found.kinds);
  CHECK_EQUAL(expected.ranks, found.ranks);
  check_close(expected.nll, found.nll);
  check_close(expected.logsumexp, found.logsumexp);
  check_close(expected.entropy, found.entropy);
}

TEST(cuda_linear_losses_are_those_of_the_logits) {
  struct Shape {
    std::int64_t width, columns, vocabulary, padding;
  };
  for (const auto& [hidden, weight] :
       std::vector<std::pair<Format, Format>>{{Format::bf16, Format::bf16},
                                              {Format::fp16, Format::fp16},
                                              {Format::fp32, Format::fp32},
                                              {Format::bf16, Format::fp32},
                                              {Format::fp16, Format::bf16}}) {
    for (const Shape& shape : {Shape{8, 1, 1, 0}, Shape{13, 100, 97, 0}, Shape{24, 300, 300, 0},
                               Shape{24, 150, 130, 5}}) {
      for (const bool bias : {false, true}) {
        const Case named("formats", static_cast<int>(hidden), static_cast<int>(weight), "width",
                         shape.width, "columns", shape.columns, "bias", bias);
        check_problem(Problem(hidden, weight, 10, shape.width, shape.columns, shape.vocabulary,
                              shape.padding, bias));
      }
    }
  }
}

TEST(cuda_linear_options_are_those_of_the_logits) {
  Problem problem(Format::bf16, Format::bf16, 10, 24, 300, 290, 0, true);
  for (const double softcap : {0.0, 2.0}) {
    for (const double temperature : {1.0, 0.3, 1e-20}) {
      const Case named("softcap", softcap, "temperature", temperature);
      problem.softmax.softcap = softcap;
      problem.softmax.temperature = temperature;
      check_problem(problem);
    }
  }
}

TEST(cuda_linear_losses_alone_are_the_same) {
  const Problem problem(Format::bf16, Format::bf16, 10, 24, 300, 300, 0, true);
  const Found expected = problem.expected(false);
  const Found found = problem.found(0, 10, false);
  CHECK_EQUAL(expected.kinds, found.kinds);
  check_close(expected.nll, found.nll);
}

TEST(cuda_linear_rows_are_their_own_in_any_batch) {
  const Problem problem(Format::fp32, Format::fp32, 20, 12, 300, 300, 0, true);
  const Found all = problem.found(0, 20);
  for (const std::int64_t row : {4, 5, 7, 8, 19}) {
    for (const std::int64_t rows : {1, 2, 9}) {
      if (row + rows > 20) continue;
      const Case named("row", row, "rows", rows);
      const auto at = static_cast<std::size_t>(row);
      const Found some = problem.found(row, rows);
      CHECK(some.nll[0] == all.nll[at] && some.entropy[0] == all.entropy[at]);  // to the bit
      CHECK(some.logsumexp[0] == all.logsumexp[at]);
      CHECK_EQUAL(all.ranks[at], some.ranks[0]);
    }
  }
}

TEST(cuda_linear_weights_without_a_distribution) {
  Problem problem(Format::fp32, Format::fp32, 8, 4, 300, 300, 0, true);
  const float nan = std::numeric_limits<float>::quiet_NaN();
  const float infinity = std::numeric_limits<float>::infinity();
  Random random(1);
  for (const float odd : {nan, infinity, -infinity}) {
    for (const std::int64_t place : {0, 127, 128, 299}) {
      const Case named("odd", odd, "at", place);
      problem.bias = Held(random, Format::fp32, 1, 300, 0, 0x1p-4);
      problem.bias.exact[static_cast<std::size_t>(place)] = odd;
      std::memcpy(problem.bias.room.data() + 4 * place, &odd, 4);
      problem.targets[5] = place;
      check_problem(problem);
    }
  }
}

}  // namespace
}  // namespace icfast::tests
