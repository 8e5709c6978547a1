// The loss of each row of a matrix of logits.
#include <limits>

#include "icfast/losses.hpp"
#include "softmax.hpp"

namespace icfast {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

std::int64_t bytes_of(Format format) {
  switch (format) {
    case Format::fp32:
      return 4;
    case Format::bf16:
    case Format::fp16:
      return 2;
    case Format::fp64:
      break;
  }
  return 8;
}

const char* row_of(const Matrix& logits, std::int64_t row) {
  return static_cast<const char*>(logits.data) + row * logits.stride * bytes_of(logits.format);
}

/// A sweep runs ahead by itself, but not to where a row begins, nor to its target's logit.
void prefetch(const char* row, Format format, std::int64_t target) {
  __builtin_prefetch(row + target * bytes_of(format));
  for (int line = 0; line < 1024; line += 64) __builtin_prefetch(row + line);
}

}  // namespace

template <class Target>
Status cross_entropy(const Matrix& logits, const Target* targets, const Softmax& softmax,
                     const TokenOut& out) {
  SoftmaxScale scale = SoftmaxScale::of(softmax);
  const Sweep sweep = sweep_of(
      {logits.format, softmax.softcap != 0, out.entropy_nats != nullptr, out.ranks != nullptr});
  const bool always = out.logsumexp_nats != nullptr || out.entropy_nats != nullptr;
  for (std::int64_t r = 0; r < logits.rows; ++r) {
    const char* row = row_of(logits, r);
    const auto target = static_cast<std::int64_t>(targets[r]);
    const Kind kind = kind_of_target(target, softmax);
    if (r + 1 < logits.rows) prefetch(row_of(logits, r + 1), logits.format, targets[r + 1]);
    scale.target = kind == Kind::scored ? decoded(row, logits.format, target) : kNaN;
    RowSums sums;
    if (kind == Kind::scored || always) sweep(row, softmax.columns, scale, sums);
    write_token(scale, sums, kind, out, r);
  }
  return {};
}

#define ICFAST_TARGET(T) \
  template Status cross_entropy<T>(const Matrix&, const T*, const Softmax&, const TokenOut&);
ICFAST_TARGET(std::int32_t)
ICFAST_TARGET(std::int64_t)
ICFAST_TARGET(std::uint16_t)
ICFAST_TARGET(std::uint32_t)
#undef ICFAST_TARGET

}  // namespace icfast
