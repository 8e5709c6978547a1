// The loss of rows of logits against sums in long double.
#include <cmath>
#include <cstring>
#include <limits>
#include <random>

#include "check.hpp"
#include "guarded.hpp"
#include "icfast/losses.hpp"

namespace icfast::tests {
namespace {

constexpr double kInf = std::numeric_limits<double>::infinity();
constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// One logit in a format: rounded towards zero where bits go, which keeps infinities.
std::uint64_t encoded(double logit, Format format) {
  const auto single = static_cast<float>(logit);
  std::uint32_t bits;
  std::memcpy(&bits, &single, sizeof bits);
  switch (format) {
    case Format::fp32:
      return bits;
    case Format::bf16:
      return std::isnan(logit) ? 0x7fc1 : bits >> 16;
    case Format::fp16: {
      const std::uint64_t sign = bits >> 16 & 0x8000;
      if (std::isnan(logit)) return 0x7e01;
      if (std::isinf(logit)) return sign | 0x7c00;
      int exponent = 0;
      const double fraction = std::frexp(std::fabs(logit), &exponent);  // [1/2, 1)
      if (logit == 0 || exponent < -24) return sign;
      if (exponent > 16) return sign | 0x7bff;
      if (exponent < -13) {
        return sign | static_cast<std::uint64_t>(std::ldexp(fraction, exponent + 24));
      }
      const auto ten = static_cast<std::uint64_t>(std::ldexp(fraction, 11)) & 0x3ff;
      return sign | static_cast<std::uint64_t>(exponent + 14) << 10 | ten;
    }
    case Format::fp64:
      break;
  }
  std::uint64_t wide;
  std::memcpy(&wide, &logit, sizeof wide);
  return wide;
}

double decoded_again(std::uint64_t bits, Format format) {
  if (format == Format::fp64) {
    double wide;
    std::memcpy(&wide, &bits, sizeof wide);
    return wide;
  }
  if (format == Format::fp16) {
    const int exponent = static_cast<int>(bits >> 10 & 31);
    const auto fraction = static_cast<double>(bits & 0x3ff);
    double size =
        exponent == 0 ? std::ldexp(fraction, -24) : std::ldexp(1024 + fraction, exponent - 25);
    if (exponent == 31) size = fraction == 0 ? kInf : kNaN;
    return bits >> 15 ? -size : size;
  }
  const auto single = static_cast<std::uint32_t>(format == Format::bf16 ? bits << 16 : bits);
  float value;
  std::memcpy(&value, &single, sizeof value);
  return value;
}

int bytes_of(Format format) { return format == Format::fp64 ? 8 : format == Format::fp32 ? 4 : 2; }

/// Rows of logits that end where memory ends, and what they are as numbers.
struct Logits {
  Format format;
  std::int64_t columns;
  std::int64_t width;
  Array<std::uint8_t> bytes;
  std::vector<std::vector<double>> rows;

  /// What lies behind the columns is NaN, save in the last row, which ends with its columns.
  Logits(Format as, const std::vector<std::vector<double>>& numbers, std::int64_t padding)
      : format(as),
        columns(static_cast<std::int64_t>(numbers[0].size())),
        width(columns + padding),
        bytes(numbers.size() * static_cast<std::size_t>(width * bytes_of(as)) -
              static_cast<std::size_t>(padding * bytes_of(as))) {
    for (std::size_t r = 0; r < numbers.size(); ++r) {
      rows.emplace_back();
      const std::int64_t end = r + 1 < numbers.size() ? width : columns;
      for (std::int64_t j = 0; j < end; ++j) {
        const double x = j < columns ? numbers[r][static_cast<std::size_t>(j)] : kNaN;
        const std::uint64_t bits = encoded(x, as);
        std::memcpy(bytes.data() + (static_cast<std::int64_t>(r) * width + j) * bytes_of(as), &bits,
                    static_cast<std::size_t>(bytes_of(as)));
        if (j < columns) rows.back().push_back(decoded_again(bits, as));
      }
    }
  }

  Matrix matrix() const {
    return {bytes.data(), format, static_cast<std::int64_t>(rows.size()), columns, width};
  }
};

struct Exact {
  Kind kind;
  double nll;
  double logsumexp;
  double entropy;
  std::int64_t rank;
};

/// By the formulas, in long double, one pass for each of them.
Exact exact(const std::vector<double>& logits, std::int64_t target, const Softmax& softmax) {
  std::vector<long double> z;
  bool defined = true;
  long double top = -kInf;
  for (const double logit : logits) {
    long double x = logit;
    if (softmax.softcap != 0 && std::isfinite(logit)) {
      x = softmax.softcap * std::tanh(x / softmax.softcap);
    }
    z.push_back(x / softmax.temperature);
    defined = defined && logit < kInf;
    top = std::max(top, z.back());
  }
  defined = defined && top > -kInf;
  long double sum = 0;
  for (const long double x : z) sum += std::exp(x - top);
  long double entropy = 0;
  for (const long double x : z) {
    const long double p = std::exp(x - top) / sum;
    if (p > 0) entropy -= p * (x - top - std::log(sum));
  }
  Exact row{Kind::scored, kNaN, kNaN, kNaN, -1};
  if (defined) {
    row.logsumexp = static_cast<double>(top + std::log(sum));
    row.entropy = static_cast<double>(entropy);
  }
  if (target == softmax.ignore_index) {
    row.kind = Kind::ignored;
    row.nll = 0;
  } else if (target < 0 || target >= softmax.columns) {
    row.kind = Kind::out_of_range;
  } else if (!defined) {
    row.kind = Kind::nan;
  } else {
    const auto at = static_cast<std::size_t>(target);
    row.nll = static_cast<double>(std::log(sum) + (top - z[at]));
    row.kind = row.nll == kInf ? Kind::infinite : Kind::scored;
    row.rank = std::count_if(logits.begin(), logits.end(),
                             [&](double logit) { return logit > logits[at]; });
  }
  return row;
}

bool within_budget(double expected, double found) {
  if (std::isnan(expected)) return std::isnan(found);
  if (std::isinf(expected)) return expected == found;
  return std::fabs(found - expected) <= 2e-6 + 4e-7 * std::fabs(expected);
}

/// All outputs, then the first two alone.
template <class Target>
void check(const Logits& logits, const Matrix& matrix, const std::vector<std::size_t>& rows,
           const std::vector<Target>& targets, const Softmax& softmax) {
  const auto size = rows.size();
  const Array<Target> ids(targets);
  Array<double> nll(size, 7);
  Array<double> nll_alone(size, 7);
  Array<double> logsumexp(size, 7);
  Array<double> entropy(size, 7);
  Array<std::uint8_t> kinds(size, 9);
  Array<std::uint8_t> kinds_alone(size, 9);
  Array<std::int64_t> ranks(size, 7);
  const TokenOut all{nll.data(), kinds.data(), logsumexp.data(), entropy.data(), ranks.data()};
  const TokenOut alone{nll_alone.data(), kinds_alone.data(), nullptr, nullptr, nullptr};
  CHECK_EQUAL(Code::ok, cross_entropy(matrix, ids.data(), softmax, all).code);
  CHECK_EQUAL(Code::ok, cross_entropy(matrix, ids.data(), softmax, alone).code);
  for (std::size_t r = 0; r < size; ++r) {
    const Exact row = exact(logits.rows[rows[r]], static_cast<std::int64_t>(targets[r]), softmax);
    const Case named("row", r, "nll", row.nll, nll[r], nll_alone[r], "entropy", row.entropy,
                     entropy[r]);
    CHECK_EQUAL(static_cast<int>(row.kind), static_cast<int>(kinds[r]));
    CHECK_EQUAL(static_cast<int>(row.kind), static_cast<int>(kinds_alone[r]));
    CHECK(within_budget(row.nll, nll[r]));
    CHECK(within_budget(row.nll, nll_alone[r]));
    CHECK(within_budget(row.logsumexp, logsumexp[r]));
    CHECK(within_budget(row.entropy, entropy[r]));
    CHECK_EQUAL(row.rank, ranks[r]);
  }
}

const Format kFormats[] = {Format::fp32, Format::bf16, Format::fp16, Format::fp64};

/// Gaussian logits; some rows far off, with a spike, ascending (k is raised again and again), with
/// blocks of -inf, or with masked ones.
std::vector<std::vector<double>> some_rows(std::int64_t columns, std::uint32_t seed) {
  std::mt19937 random(seed);
  std::normal_distribution<double> normal(0, 4);
  std::vector<std::vector<double>> rows(8, std::vector<double>(static_cast<std::size_t>(columns)));
  for (auto& row : rows) {
    for (double& x : row) x = normal(random);
  }
  const auto size = static_cast<std::size_t>(columns);
  for (std::size_t j = 0; j < size; ++j) {
    rows[1][j] += 10000;
    rows[2][j] -= 10000;
    rows[3][j] = static_cast<double>(j) * 0.03;
    rows[5][j] = j < size / 2 ? -kInf : rows[5][j];
    rows[6][j] = j % 3 != 0 ? -3e38 : rows[6][j];
    rows[7][j] = -3e38;
  }
  rows[4][size / 2] = 60;
  return rows;
}

TEST(losses_of_rows_in_every_format) {
  // Around the vectors and pairs of each instruction set, and its blocks.
  for (const std::int64_t columns : {1,  2,   7,   8,   9,   15,  16,   17,   31,   32,   33,  63,
                                     65, 255, 256, 257, 511, 513, 1023, 1024, 1025, 3000, 5001}) {
    for (const Format format : kFormats) {
      const Case named("columns", columns, "format", static_cast<int>(format));
      const Logits logits(format, some_rows(columns, static_cast<std::uint32_t>(columns)), 3);
      std::vector<std::int64_t> targets;
      for (std::int64_t r = 0; r < 8; ++r) targets.push_back(r * 977 % columns);
      targets[4] = columns / 2;
      check(logits, logits.matrix(), {0, 1, 2, 3, 4, 5, 6, 7}, targets, {columns, 0, 1, -100});
    }
  }
}

TEST(losses_under_a_cap_and_a_temperature) {
  for (const std::int64_t columns : {1, 33, 1500}) {
    for (const Format format : kFormats) {
      for (const double softcap : {0.0, 30.0, 1000.0}) {
        for (const double temperature : {0.7, 1.0, 100.0, 1e-30, 1e30}) {
          // What a saturated cap leaves of differences is below fp64.
          if (softcap != 0 && temperature < 1e-3) continue;
          const Case named("columns", columns, "format", static_cast<int>(format), "softcap",
                           softcap, "temperature", temperature);
          const Logits logits(format, some_rows(columns, 5), 0);
          const std::vector<std::int32_t> targets(8, static_cast<std::int32_t>(columns / 2));
          check(logits, logits.matrix(), {0, 1, 2, 3, 4, 5, 6, 7}, targets,
                {columns, softcap, temperature, -1});
        }
      }
    }
  }
}

TEST(kinds_of_rows) {
  for (const Format format : kFormats) {
    for (const std::int64_t columns : {3, 40, 1100}) {
      for (const double softcap : {0.0, 30.0}) {
        const Case named("columns", columns, "format", static_cast<int>(format), "cap", softcap);
        auto numbers = some_rows(columns, 6);
        const auto last = static_cast<std::size_t>(columns - 1);
        numbers[0][last] = kNaN;
        numbers[1][0] = kInf;
        for (double& x : numbers[2]) x = -kInf;
        numbers[3][last] = -kInf;
        numbers[4][0] = kNaN;
        numbers[4][last] = kInf;
        for (double& x : numbers[7]) x = -kInf;
        numbers[7][last] = kNaN;
        const Logits logits(format, numbers, 1);
        const std::vector<std::size_t> rows{0, 1, 2, 3, 4, 5, 6, 7};
        const auto end = static_cast<std::int64_t>(last);
        const Softmax softmax{columns, softcap, 1, 1};
        check<std::int64_t>(logits, logits.matrix(), rows, {0, 0, end, end, 1, -1, columns, 0},
                            softmax);
        check<std::int64_t>(logits, logits.matrix(), rows, {1, 1, 1, 1, -1, 1LL << 40, 1, 1},
                            softmax);
      }
    }
  }
}

TEST(rows_of_any_stride) {
  const Logits logits(Format::fp32, some_rows(77, 7), 5);
  Matrix backwards = logits.matrix();
  backwards.data = logits.bytes.data() + 7 * logits.width * 4;
  backwards.stride = -logits.width;
  const Softmax softmax{77, 0, 1, 9};
  check<std::uint16_t>(logits, backwards, {7, 6, 5, 4, 3, 2, 1, 0}, {0, 1, 2, 3, 76, 77, 9, 8},
                       softmax);
  Matrix repeated = logits.matrix();
  repeated.stride = 0;
  check<std::uint32_t>(logits, repeated, {0, 0, 0, 0, 0, 0, 0, 0},
                       {0, 1, 2, 3, 76, 77, 9, 0xffffffff}, softmax);
  Matrix none = logits.matrix();
  none.rows = 0;
  check<std::int32_t>(logits, none, {}, {}, softmax);
}

TEST(no_column_is_no_distribution) {
  const Logits logits(Format::fp32, {{1.0}}, 0);
  Array<double> nll(1);
  Array<double> logsumexp(1);
  Array<std::uint8_t> kinds(1);
  const std::int32_t target = 0;
  const TokenOut out{nll.data(), kinds.data(), logsumexp.data(), nullptr, nullptr};
  cross_entropy(logits.matrix(), &target, {0, 0, 1, -100}, out);
  CHECK_EQUAL(static_cast<int>(Kind::out_of_range), static_cast<int>(kinds[0]));
  CHECK(std::isnan(nll[0]) && std::isnan(logsumexp[0]));
}

TEST(every_number_of_sixteen_bits) {
  for (const Format format : {Format::bf16, Format::fp16}) {
    for (std::uint64_t bits = 0; bits < 1 << 16; ++bits) {
      // Beside itself: the loss is ln 2 whatever the number, if it is finite.
      const std::uint16_t pair[] = {static_cast<std::uint16_t>(bits),
                                    static_cast<std::uint16_t>(bits)};
      double nll = 7;
      double logsumexp = 7;
      std::uint8_t kind = 9;
      const std::int32_t target = 1;
      cross_entropy(Matrix{pair, format, 1, 2, 2}, &target, {2, 0, 1, -1},
                    {&nll, &kind, &logsumexp, nullptr, nullptr});
      const double x = decoded_again(bits, format);
      const Case named("bits", bits, "format", static_cast<int>(format), nll, logsumexp);
      if (std::isfinite(x)) {
        CHECK(within_budget(std::log(2.0), nll) && within_budget(x + std::log(2.0), logsumexp));
      } else {
        CHECK_EQUAL(static_cast<int>(Kind::nan), static_cast<int>(kind));
      }
    }
  }
}

}  // namespace
}  // namespace icfast::tests
