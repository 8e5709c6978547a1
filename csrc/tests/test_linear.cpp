// Losses of logits that never exist, against sums in double.
#include <bit>
#include <cmath>
#include <thread>

#include "definitions.hpp"
#include "icfast/isa.hpp"
#include "icfast/losses.hpp"

namespace icfast::tests {
namespace {

/// A matrix of a format at the end of memory, its rows further apart than they are long.
struct Stored {
  Stored(std::size_t rows, std::size_t columns, Format format, double scale, Random& random)
      : rows(rows), columns(columns), format(format), values(rows * columns) {
    const std::size_t item = format == Format::fp64 ? 8 : format == Format::fp32 ? 4 : 2;
    const std::size_t held = rows == 0 ? 0 : ((rows - 1) * stride() + columns) * item;
    bytes = Array<std::uint8_t>(held, 0xff);  // NaN between the rows
    for (std::size_t i = 0; i < values.size(); ++i) {
      const auto fraction = static_cast<double>(random() >> 11) * 0x1p-53 - 0.5;
      std::uint8_t* to = bytes.data() + (i / columns * stride() + i % columns) * item;
      values[i] = store(to, static_cast<float>(fraction * scale));
    }
  }

  Matrix view() const {
    return {bytes.data(), format, static_cast<std::int64_t>(rows),
            static_cast<std::int64_t>(columns), static_cast<std::int64_t>(stride())};
  }
  Matrix row(std::size_t r) const {
    Matrix one = view();
    const std::size_t item = format == Format::fp64 ? 8 : format == Format::fp32 ? 4 : 2;
    one.data = bytes.data() + r * stride() * item;
    one.rows = 1;
    return one;
  }

  std::size_t rows;
  std::size_t columns;
  Format format;
  std::vector<double> values;
  Array<std::uint8_t> bytes;

 private:
  std::size_t stride() const { return columns + 3; }

  template <class T>
  static void put(std::uint8_t* to, T value) {
    std::memcpy(to, &value, sizeof value);
  }

  /// Cut off to the format's bits, so that what is stored is exact.
  double store(std::uint8_t* to, float value) const {
    const auto bits = std::bit_cast<std::uint32_t>(value);
    if (format == Format::fp64) return put(to, static_cast<double>(value)), value;
    if (format == Format::fp32) return put(to, value), value;
    if (format == Format::bf16) {
      put(to, static_cast<std::uint16_t>(bits >> 16));
      return std::bit_cast<float>(bits & 0xffff0000U);
    }
    const auto units = static_cast<int>(value * 1024);  // fp16 has each of these below 2 exactly
    const int size = std::abs(units);
    std::uint16_t half = units < 0 ? 0x8000 : 0;
    if (size != 0) {
      const int power = std::bit_width(static_cast<unsigned>(size)) - 1;
      half =
          static_cast<std::uint16_t>(half | (power + 5) << 10 | ((size << (10 - power)) & 0x3ff));
    }
    put(to, half);
    return units / 1024.0;
  }
};

struct Found {
  explicit Found(std::size_t rows)
      : nll(rows), kinds(rows), logsumexp(rows), entropy(rows), ranks(rows) {}
  TokenOut view() {
    return {nll.data(), kinds.data(), logsumexp.data(), entropy.data(), ranks.data()};
  }
  TokenOut view(std::size_t r) {
    return {nll.data() + r, kinds.data() + r, logsumexp.data() + r, entropy.data() + r,
            ranks.data() + r};
  }
  std::vector<std::uint64_t> bits() const {
    std::vector<std::uint64_t> all;
    for (std::size_t r = 0; r < nll.size(); ++r) {
      for (const double x : {nll[r], logsumexp[r], entropy[r]}) {
        all.push_back(std::bit_cast<std::uint64_t>(x));
      }
      all.push_back(static_cast<std::uint64_t>(ranks[r]) << 8 | kinds[r]);
    }
    return all;
  }
  Array<double> nll;
  Array<std::uint8_t> kinds;
  Array<double> logsumexp, entropy;
  Array<std::int64_t> ranks;
};

struct Sizes {
  std::size_t rows, width, vocabulary;
  Format hidden, weight;
  bool bias;
};

/// One row more than there are columns of padding, targets that are ignored and that are none.
struct Batch {
  Batch(const Sizes& sizes, Random& random)
      : hidden(sizes.rows, sizes.width, sizes.hidden, 2, random),
        weight(sizes.vocabulary + 2, sizes.width, sizes.weight, 1, random),
        bias(1, sizes.bias ? sizes.vocabulary : 0, Format::fp32, 1, random),
        softmax{static_cast<std::int64_t>(sizes.vocabulary), 0, 1, -100},
        targets(sizes.rows) {
    for (std::size_t r = 0; r < sizes.rows; ++r) {
      targets[r] = static_cast<std::int32_t>(pick(random, sizes.vocabulary));
    }
    if (sizes.rows > 2) {
      targets[0] = -100;
      targets[2] = static_cast<std::int32_t>(sizes.vocabulary);
    }
  }

  Status losses(Found& found, std::size_t scratch_bytes) const {
    Array<std::uint8_t> scratch(scratch_bytes, 0xff);  // NaN in every format
    return linear_cross_entropy(hidden.view(), weight.view(), bias.view(), targets.data(), softmax,
                                scratch.data(), scratch.rows(), found.view());
  }
  Found losses(std::size_t scratch_bytes) const {
    Found found(hidden.rows);
    CHECK_OK(losses(found, scratch_bytes));
    return found;
  }
  std::size_t enough() const {
    return static_cast<std::size_t>(
        linear_scratch_bytes(static_cast<std::int64_t>(hidden.columns)));
  }
  double logit(std::size_t r, std::size_t v) const {
    double sum = bias.columns == 0 ? 0 : bias.values[v];
    for (std::size_t k = 0; k < hidden.columns; ++k) {
      sum += hidden.values[r * hidden.columns + k] * weight.values[v * hidden.columns + k];
    }
    return sum;
  }

  Stored hidden, weight, bias;
  Softmax softmax;
  Array<std::int32_t> targets;
};

void check_row(const Batch& batch, const Found& found, std::size_t r) {
  const Case row("row", r);
  const auto columns = static_cast<std::size_t>(batch.softmax.columns);
  std::vector<double> z(columns);
  double top = -HUGE_VAL;
  for (std::size_t v = 0; v < columns; ++v) top = std::max(top, z[v] = batch.logit(r, v));
  double sum = 0;
  for (const double x : z) sum += std::exp(x - top);
  const double logsumexp = top + std::log(sum);
  double entropy = 0;
  for (const double x : z) entropy += std::exp(x - logsumexp) * (logsumexp - x);
  // fp32 sums of up to 700 products of at most 1/2.
  const auto close = [](double a, double b) {
    return std::abs(a - b) <= 2e-5 + 4e-7 * std::abs(a);
  };
  CHECK(close(logsumexp, found.logsumexp[r]));
  CHECK(close(entropy, found.entropy[r]));
  const std::int64_t target = batch.targets[r];
  const bool scored = target >= 0 && target < batch.softmax.columns;
  const Kind kind = scored ? Kind::scored : target == -100 ? Kind::ignored : Kind::out_of_range;
  CHECK_EQUAL(static_cast<int>(kind), int{found.kinds[r]});
  if (!scored) {
    CHECK(kind == Kind::ignored ? found.nll[r] == 0 : std::isnan(found.nll[r]));
    CHECK_EQUAL(std::int64_t{-1}, found.ranks[r]);
    return;
  }
  const double logit = z[static_cast<std::size_t>(target)];
  CHECK(close(logsumexp - logit, found.nll[r]));
  std::int64_t surely = 0;
  std::int64_t perhaps = 0;
  for (const double x : z) {
    surely += x > logit + 2e-5;
    perhaps += x > logit - 2e-5;
  }
  CHECK(surely <= found.ranks[r] && found.ranks[r] <= perhaps);
}

constexpr Format kFp32 = Format::fp32, kBf16 = Format::bf16, kFp16 = Format::fp16,
                 kFp64 = Format::fp64;
constexpr Sizes kSizes[] = {
    {1, 1, 1, kFp32, kFp32, false},       // one of everything
    {3, 0, 5, kFp32, kFp32, true},        // no width: the bias alone
    {15, 3, 17, kFp32, kFp32, false},     // a row more than a panel
    {33, 65, 40, kFp32, kFp32, true},     // ragged in all directions
    {7, 256, 513, kFp32, kFp32, false},   // one cut; a column more than a tile
    {230, 257, 33, kFp32, kFp32, true},   // a unit more than a cut; rows of two turns
    {5, 700, 1030, kFp16, kFp16, false},  // three tiles, three cuts
    {17, 65, 600, kBf16, kBf16, true},    // an odd width in pairs
    {17, 515, 40, kBf16, kBf16, false},   // two cuts of pairs
    {33, 31, 33, kBf16, kBf16, false},    // one row, column and product off 32, the tiles of AMX
    {64, 32, 512, kBf16, kBf16, true},    // the same full
    {40, 1058, 290, kBf16, kBf16, true},  // its narrower tiles, and a third cut
    {3, 2050, 130, kBf16, kBf16, false},  // its narrowest
    {9, 130, 70, kBf16, kFp32, false},    // formats mixed
    {9, 131, 70, kFp32, kFp16, true},     //
    {18, 300, 530, kFp64, kFp32, true},   // in fp64
    {2, 4100, 140, kFp32, kFp32, false},  // narrow tiles
};

TEST(losses_of_hidden_states_are_those_of_their_logits) {
  Random random(81);
  for (const Sizes& sizes : kSizes) {
    const Case named("rows", sizes.rows, "width", sizes.width, "vocabulary", sizes.vocabulary,
                     "formats", static_cast<int>(sizes.hidden), static_cast<int>(sizes.weight));
    const Batch batch(sizes, random);
    const Found found = batch.losses(batch.enough());
    for (std::size_t r = 0; r < sizes.rows; ++r) check_row(batch, found, r);
  }
}

TEST(a_hidden_state_has_the_same_loss_in_every_batch_and_scratch) {
  Random random(82);
  for (const Sizes& sizes : kSizes) {
    const Case named("rows", sizes.rows, "width", sizes.width);
    const Batch batch(sizes, random);
    const Found whole = batch.losses(batch.enough());
    Found alone(sizes.rows);
    Array<std::uint8_t> scratch(batch.enough(), 0xff);
    for (std::size_t r = 0; r < sizes.rows; ++r) {
      CHECK_OK(linear_cross_entropy(batch.hidden.row(r), batch.weight.view(), batch.bias.view(),
                                    batch.targets.data() + r, batch.softmax, scratch.data(),
                                    scratch.rows(), alone.view(r)));
    }
    CHECK_EQUAL(whole.bits(), alone.bits());

    // The least scratch: as many turns as there are panels.
    Found least(sizes.rows);
    const Status refused = batch.losses(least, 0);
    CHECK_EQUAL(Code::output_too_small, refused.code);
    const auto needed = static_cast<std::size_t>(refused.value);
    CHECK(needed <= batch.enough());
    CHECK_EQUAL(Code::output_too_small, batch.losses(least, needed - 1).code);
    CHECK_EQUAL(whole.bits(), batch.losses(needed).bits());
  }
}

TEST(rows_of_no_target_are_left_out_where_nothing_else_is_asked_for) {
  Random random(83);
  const Batch batch({40, 20, 30, kFp32, kFp32, false}, random);
  const Found whole = batch.losses(batch.enough());
  Found found(40);
  Array<std::uint8_t> scratch(batch.enough(), 0xff);
  CHECK_OK(linear_cross_entropy(
      batch.hidden.view(), batch.weight.view(), batch.bias.view(), batch.targets.data(),
      batch.softmax, scratch.data(), scratch.rows(),
      TokenOut{found.nll.data(), found.kinds.data(), nullptr, nullptr, nullptr}));
  CHECK_EQUAL(whole.kinds.copy(), found.kinds.copy());
  for (std::size_t r = 0; r < 40; ++r) {
    CHECK_EQUAL(std::bit_cast<std::uint64_t>(whole.nll[r]),
                std::bit_cast<std::uint64_t>(found.nll[r]));
  }
}

TEST(rows_with_infinity_or_nan_leave_their_neighbours_alone) {
  Random random(84);
  for (const Format format : {kFp32, kBf16}) {
    Batch batch({20, 33, 50, format, format, false}, random);
    const Found clean = batch.losses(batch.enough());
    std::uint8_t* state = batch.hidden.bytes.data() + 7 * 36 * (format == kFp32 ? 4 : 2);
    const std::uint32_t infinity = format == kFp32 ? 0x7f800000U : 0x3f807f80U;
    std::memcpy(state, &infinity, 4);
    const Found found = batch.losses(batch.enough());
    CHECK_EQUAL(static_cast<int>(Kind::nan), int{found.kinds[7]});
    CHECK(std::isnan(found.nll[7]) && std::isnan(found.logsumexp[7]));
    std::vector<std::uint64_t> expected = clean.bits();
    std::vector<std::uint64_t> others = found.bits();
    expected.erase(expected.begin() + 28, expected.begin() + 32);
    others.erase(others.begin() + 28, others.begin() + 32);
    CHECK_EQUAL(expected, others);
  }
}

/// Losses of one bf16 hidden state with two or more columns of weights, the target is column 0.
double loss_of(const std::vector<float>& hidden, const std::vector<std::vector<float>>& weight) {
  const auto bits = [](float x) {
    return static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(x) >> 16);
  };
  const auto width = static_cast<std::int64_t>(hidden.size());
  const auto columns = static_cast<std::int64_t>(weight.size());
  std::vector<std::uint16_t> states, weights;
  for (const float x : hidden) states.push_back(bits(x));
  for (const auto& column : weight) {
    for (const float x : column) weights.push_back(bits(x));
  }
  const Matrix none{nullptr, kFp32, 1, 0, 0};
  const std::int32_t target = 0;
  Array<std::uint8_t> scratch(static_cast<std::size_t>(linear_scratch_bytes(width)), 0xff);
  Found found(1);
  CHECK_OK(linear_cross_entropy(Matrix{states.data(), kBf16, 1, width, width},
                                Matrix{weights.data(), kBf16, columns, width, width}, none, &target,
                                Softmax{columns, 0, 1, -100}, scratch.data(), scratch.rows(),
                                found.view()));
  return found.nll[0];
}

TEST(sums_of_products_round_to_nearest_even) {
  // 2^24 + 3 lies between 2^24 + 2 and 2^24 + 4, 2^24 + 1 between 2^24 and 2^24 + 2. The second
  // product is in the other lane of a pair, in the next pair, in the next tile and in the next cut.
  for (const std::size_t second : {1, 2, 32, 512}) {
    const Case named("second", second);
    std::vector<float> hidden(513), up(513), down(513), whole(513);
    hidden[0] = 0x1p12F;
    hidden[second] = 1;
    up[0] = down[0] = whole[0] = 0x1p12F;
    up[second] = 3;
    down[second] = 1;
    CHECK(std::abs(loss_of(hidden, {whole, up}) - std::log1p(std::exp(4.0))) < 1e-5);
    CHECK(std::abs(loss_of(hidden, {whole, down}) - std::log(2.0)) < 1e-6);
  }
}

#if defined(__x86_64__)

TEST(tiles_of_bf16_are_given_back) {
  if (isa() != Isa::amx) return;
  loss_of({1}, {{1}, {0}});
  std::vector<std::uint8_t> setup(64, 0xff);
  // STTILECFG (%rax), for assemblers that do not know it.
  asm volatile(".byte 0xc4, 0xe2, 0x79, 0x49, 0x00" : : "a"(setup.data()) : "memory");
  CHECK_EQUAL(std::vector<std::uint8_t>(64), setup);
}

#endif

TEST(tiles_of_bf16_take_subnormal_numbers_for_zeros) {
  const std::vector<float> small = {0x1p-127F};
  const double found = loss_of(small, {{0x1p127F}, {0}});  // the product is 1
  const double back = loss_of({0x1p127F}, {small, {0}});
  CHECK_EQUAL(found, back);
  const bool kept = std::abs(found - std::log1p(std::exp(-1.0))) < 1e-6;
  const bool flushed = std::abs(found - std::log(2.0)) < 1e-6;
  CHECK(isa() == Isa::amx ? flushed : isa() == Isa::avx512 ? flushed || kept : kept);
}

void rows_side_by_side(Format format) {
  Random random(85);
  const Batch batch({41, 70, 90, format, format, true}, random);
  Found found(41);
  std::vector<Status> statuses(3);
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < 3; ++i) {
    threads.emplace_back([&, i] {
      const std::size_t begin = 41 * i / 3;
      Matrix part = batch.hidden.row(begin);
      part.rows = static_cast<std::int64_t>(41 * (i + 1) / 3 - begin);
      std::vector<std::uint8_t> scratch(batch.enough());
      statuses[i] = linear_cross_entropy(
          part, batch.weight.view(), batch.bias.view(), batch.targets.data() + begin, batch.softmax,
          scratch.data(), static_cast<std::int64_t>(scratch.size()), found.view(begin));
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const Status& status : statuses) CHECK_OK(status);
  // Last: threads begin with the tile registers' set-up of the thread that starts them.
  CHECK_EQUAL(batch.losses(batch.enough()).bits(), found.bits());
}

TEST(rows_of_hidden_states_side_by_side) {
  for (const Format format : {kFp32, kBf16}) rows_side_by_side(format);
}

}  // namespace
}  // namespace icfast::tests
