// The loss kernels of the core: matrices of logits in, one loss a row out, sums by cell. As in
// counting.hpp: flat arrays the caller owns, no exceptions inside, a Status back. Rows do not
// depend on each other. kernels/losses.py has the same names.
#pragma once
#include <cstdint>

#include "icfast/scalars.hpp"
#include "icfast/status.hpp"

namespace icfast {

/// How the numbers of a matrix are stored.
enum class Format : int { fp32 = 0, bf16 = 1, fp16 = 2, fp64 = 3 };

/// What became of a row; only scored ones enter a sum.
enum class Kind : std::uint8_t {
  scored = 0,
  ignored = 1,       // its target is ignore_index; nll 0
  infinite = 2,      // probability 0; nll inf
  nan = 3,           // no distribution: a NaN or +inf among the logits, or all of them -inf
  out_of_range = 4,  // its target is no column; nll NaN
  huge = 5,          // 2^31 nats or more: beyond the sums' fixed point; known when added
};
constexpr int kLossKinds = 6;

/// What a row is counted as when it is added: as its kind says, but a scored one that fits no sum
/// as what it is.
ICFAST_HOST_DEVICE inline Kind added_as(Kind kind, double nats) {
  if (kind != Kind::scored || fits_sum(nats)) return kind;
  if (nats - nats == 0) return Kind::huge;
  return nats > 0 ? Kind::infinite : Kind::nan;
}

/// Rows of numbers, `stride` elements apart (0 and negative ones too); the last axis is contiguous.
struct Matrix {
  const void* data;
  Format format;
  std::int64_t rows;
  std::int64_t columns;
  std::int64_t stride;
};

/// How logits become a distribution over `columns` of them; what lies behind is padding and not
/// read.
struct Softmax {
  std::int64_t columns;
  double softcap;      // x -> c tanh(x / c), infinite ones stay infinite; 0 for none
  double temperature;  // x -> x / temperature, after the cap
  std::int64_t ignore_index;
};

/// A row each; the last three are null where not asked for. The logsumexp and the entropy do not
/// depend on the target, and rows that are not scored have theirs; NaN where there is no
/// distribution. The rank is -1 where there is none or the target is no column.
struct TokenOut {
  double* nll_nats;
  std::uint8_t* kinds;
  double* logsumexp_nats;
  double* entropy_nats;
  std::int64_t* ranks;  // columns with a larger logit than the target's: 0 is the likeliest
};

/// Sums by cell: 2^-32 nat, 128 bits in two's complement, and u64[cells, kLossKinds] of rows.
struct LossCells {
  std::uint64_t* low;
  std::uint64_t* high;
  std::uint64_t* counts;
  std::int64_t cells;
};

/// low, high[cells[r]] += round(nll_nats[r] 2^32), half to even, of every scored row;
/// counts[cells[r]][added_as(kinds[r], nll_nats[r])] += 1. A cell below 0 is left out. On an error
/// (a cell or a kind that is none) the rows before are added.
Status add_losses(const double* nll_nats, const std::uint8_t* kinds, const std::int64_t* cells,
                  std::int64_t rows, const LossCells& sums);

/// With z = softcap(logits[r, :columns]) / temperature, p = exp(z) / sum exp(z), t = targets[r]:
///   nll_nats[r] = ln(sum exp(z)) - z[t], logsumexp_nats[r] = ln(sum exp(z)),
///   entropy_nats[r] = -sum p ln p, ranks[r] = how many of logits[r, :columns] > logits[r, t].
/// Reads the logits once. |nll - exact| <= 2e-6 + 4e-7 |nll|, whatever the offset of a row; a row's
/// result depends on that row alone. Never clamped: a nll of 0 may come out as -1e-7.
template <class Target>
Status cross_entropy(const Matrix& logits, const Target* targets, const Softmax& softmax,
                     const TokenOut& out);

/// The same of logits = hidden[rows, width] weight[columns, width]^T + bias[1, columns], which
/// exist a tile at a time; a bias without columns is none, and rows of weight behind
/// softmax.columns are not read. Logits are summed in fp32 (in fp64 where an operand is fp64): cuts
/// of n = 256 products (512 of bf16 where a processor adds them in pairs; it takes subnormal ones
/// for 0), then bias and cuts in their order, so that with u = 2^-24 and d = ceil(width / n) at
/// most
///   |logit - exact| <= u (n + d + 1) (|bias[v]| + sum_k |hidden[r, k] weight[v, k]|),
/// and as rounding goes some u sqrt(n) |hidden[r]| |weight[v]|. The nll's error is at most twice
/// that of a logit more than cross_entropy's. A row's result depends on neither the other rows nor
/// the scratch, of which linear_scratch_bytes(width) is enough, and more of no use.
template <class Target>
Status linear_cross_entropy(const Matrix& hidden, const Matrix& weight, const Matrix& bias,
                            const Target* targets, const Softmax& softmax, std::uint8_t* scratch,
                            std::int64_t scratch_bytes, const TokenOut& out);

/// Room for 2048 hidden states at a time, or 16 MiB of them; less makes more turns of all weights.
std::int64_t linear_scratch_bytes(std::int64_t width);

}  // namespace icfast
