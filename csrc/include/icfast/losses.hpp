// Loss kernels of the core: matrices of logits in, one loss per row out, sums by cell. They are
// pure functions of the caller's arrays, as in counting.hpp. Rows are independent.
// backends/losses.py declares the same names.
#pragma once
#include <cstdint>

#include "icfast/scalars.hpp"
#include "icfast/status.hpp"

namespace icfast {

/// Number format of a matrix.
enum class Format : int { fp32 = 0, bf16 = 1, fp16 = 2, fp64 = 3 };

/// Status code of a row. Only scored rows enter a sum.
enum class Kind : std::uint8_t {
  scored = 0,
  ignored = 1,       // the target is ignore_index; nll is 0
  infinite = 2,      // the target has probability 0; nll is inf
  nan = 3,           // the logits are no distribution: a NaN or +inf, or only -inf
  out_of_range = 4,  // the target is no column; nll is NaN
  huge = 5,          // 2^31 nats or more, too large for the sums; set by add_losses
};
constexpr int kLossKinds = 6;

/// Status code under which add_losses counts a row: `kind`, except for a scored row whose loss does
/// not fit a sum.
ICFAST_HOST_DEVICE inline Kind added_as(Kind kind, double nats) {
  if (kind != Kind::scored || fits_sum(nats)) return kind;
  if (nats - nats == 0) return Kind::huge;
  return nats > 0 ? Kind::infinite : Kind::nan;
}

/// Rows of numbers, `stride` elements apart (possibly 0 or negative). The last axis is contiguous.
struct Matrix {
  const void* data;
  Format format;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t stride;
};

/// Parameters that turn logits into a distribution over the first `columns`. Later columns are
/// padding and are not read.
struct Softmax {
  std::int64_t columns;
  double softcap;      // c of x -> c tanh(x / c), which keeps infinities; 0 for no cap
  double temperature;  // x -> x / temperature, after the cap
  std::int64_t ignore_index;
};

/// Results with one entry per row. The last three are null if not asked for. logsumexp and entropy
/// do not depend on the target, so rows that are not scored have them too; they are NaN if there is
/// no distribution. The rank is -1 if there is no distribution or the target is no column.
struct TokenOut {
  double* nll_nats;
  std::uint8_t* kinds;
  double* logsumexp_nats;
  double* entropy_nats;
  std::int64_t* ranks;  // number of logits above the target's: 0 is the likeliest
};

/// Sums by cell: 128-bit two's complement in units of 2^-32 nat, and rows u64[cells, kLossKinds].
struct LossCells {
  std::uint64_t* low;
  std::uint64_t* high;
  std::uint64_t* counts;
  std::int64_t cells;
};

/// low, high[cells[r]] += round(nll_nats[r] 2^32), half to even, of every scored row;
/// counts[cells[r]][added_as(kinds[r], nll_nats[r])] += 1. Rows with a negative cell are skipped.
/// On an error (an invalid cell or kind) the rows before it have been added.
Status add_losses(const double* nll_nats, const std::uint8_t* kinds, const std::int64_t* cells,
                  std::int64_t rows, const LossCells& sums);

/// With z = softcap(logits[r, :columns]) / temperature, p = exp(z) / sum exp(z), t = targets[r]:
///   nll_nats[r] = ln(sum exp(z)) - z[t], logsumexp_nats[r] = ln(sum exp(z)),
///   entropy_nats[r] = -sum p ln p, ranks[r] = number of logits[r, :columns] > logits[r, t].
/// It reads the logits once. |nll - exact| <= 2e-6 + 4e-7 |nll| for any common offset of a row. The
/// result of a row depends on that row alone. It is not clamped: a nll of 0 may be -1e-7.
template <class Target>
Status cross_entropy(const Matrix& logits, const Target* targets, const Softmax& softmax,
                     const TokenOut& out);

/// cross_entropy of logits = hidden[rows, width] weight[columns, width]^T + bias[1, columns].
/// The logits are computed tile by tile. A bias without columns is no bias, and rows of weight past
/// softmax.columns are not read. Logits are summed in fp32, or in fp64 if an operand is fp64: first
/// blocks of c products, then the bias and the blocks in order. A product passes through at most n
/// additions within its block. With u = 2^-24 and d = ceil(width / c)
///   |logit - exact| <= u (n + d + 1) (|bias[v]| + sum_k |hidden[r, k] weight[v, k]|),
/// and typically about u sqrt(n + d) |hidden[r]| |weight[v]|.
///   c = n = 256     numbers of any format
///   c = n = 512     bf16 on processors that add its products in pairs
///   c = 32, n = 16  bf16 with AMX: two chains of 16, then their sum
/// The last two treat subnormal operands and sums as 0. The error of the nll exceeds that of
/// cross_entropy by at most twice the error of a logit. The result of a row depends neither on
/// other rows nor on the scratch space, of which more than linear_scratch_bytes(width) is of no
/// use.
template <class Target>
Status linear_cross_entropy(const Matrix& hidden, const Matrix& weight, const Matrix& bias,
                            const Target* targets, const Softmax& softmax, std::uint8_t* scratch,
                            std::int64_t scratch_bytes, const TokenOut& out);

/// Bytes of scratch space for 2048 hidden states at once, or 16 MiB of them. With less, the kernel
/// reads the weights more often.
std::int64_t linear_scratch_bytes(std::int64_t width);

}  // namespace icfast
