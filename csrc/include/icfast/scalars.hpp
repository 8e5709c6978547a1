// Arithmetic on one element, shared by all compiled backends. Loops are in cpu/ and cuda/.
#pragma once
#include <cmath>
#include <cstdint>

#if defined(__CUDACC__)
#define ICFAST_HOST_DEVICE __host__ __device__
#define ICFAST_INLINE __host__ __device__
#else
#define ICFAST_HOST_DEVICE
// A unit compiled for one instruction set must not emit an inline function: the linker could choose
// its copy for all units.
#define ICFAST_INLINE __attribute__((always_inline))
#endif

namespace icfast {

/// FNV-1a, 64 bit, over the four little-endian bytes of one token id.
struct DocumentHash {
  std::uint64_t state = 0xcbf29ce484222325ULL;

  ICFAST_HOST_DEVICE void add(std::uint32_t id) {
    for (int byte = 0; byte < 4; ++byte) {
      state = (state ^ ((id >> (8 * byte)) & 0xffU)) * 0x100000001b3ULL;
    }
  }

  /// fmix64 of MurmurHash3, so that the high bits, which decide the split, are uniform.
  ICFAST_HOST_DEVICE std::uint64_t finish() const {
    std::uint64_t h = state;
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdULL;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return h ^ (h >> 33);
  }
};

/// Whether a loss can enter a sum: it is a number with |nats| < 2^31.
ICFAST_HOST_DEVICE inline bool fits_sum(double nats) { return std::fabs(nats) < 0x1p31; }

/// The loss in units of 2^-32 nat, rounded half to even; for losses that fit a sum.
ICFAST_HOST_DEVICE inline std::int64_t loss_quanta(double nats) {
  const double units = nats * 4294967296.0;
  // Adding 2^52 with the same sign rounds to an integer. Numbers from 2^52 on are integers.
  const double whole = std::copysign(0x1p52, units);
  return static_cast<std::int64_t>(std::fabs(units) < 0x1p52 ? (units + whole) - whole : units);
}

/// Sum of losses in units of 2^-32 nat, 128 bits in two's complement. It does not depend on the
/// order of additions.
struct LossAccumulator {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  /// Losses of n-grams: 0 <= nats < 2^20.
  ICFAST_HOST_DEVICE static std::uint64_t quanta_of(double nats) {
    // As loss_quanta, without branches.
    return static_cast<std::uint64_t>((nats * 4294967296.0 + 0x1p52) - 0x1p52);
  }

  ICFAST_HOST_DEVICE void add(double nats) { add_quanta(quanta_of(nats)); }

  ICFAST_HOST_DEVICE void add_quanta(std::uint64_t quanta) {
    low += quanta;
    high += low < quanta;
  }

  ICFAST_HOST_DEVICE void add_signed(std::int64_t quanta) {
    add_quanta(static_cast<std::uint64_t>(quanta));
    high -= quanta < 0;  // sign extension: the upper half of a negative number is all ones
  }
};

/// One level of interpolated modified Kneser-Ney for one successor with count a:
///   p = (max(0, a - D(a)) + freed * lower) / total, freed = D1 N1 + D2 N2 + D3 N3+
struct Discounted {
  const double* discount;  // D(0) = 0, D(1), D(2), D(3+)

  ICFAST_HOST_DEVICE double operator()(std::uint64_t count, std::uint64_t total, std::uint64_t ones,
                                       std::uint64_t twos, std::uint64_t successors,
                                       double lower) const {
    const double kept = static_cast<double>(count) - discount[count < 3 ? count : 3];
    return ((kept > 0 ? kept : 0.0) + freed(ones, twos, successors) * lower) /
           static_cast<double>(total);
  }

  /// gamma = freed / total, the factor of the lower-order probability of an unseen successor.
  ICFAST_HOST_DEVICE double backoff(std::uint64_t total, std::uint64_t ones, std::uint64_t twos,
                                    std::uint64_t successors) const {
    return freed(ones, twos, successors) / static_cast<double>(total);
  }

 private:
  ICFAST_HOST_DEVICE double freed(std::uint64_t ones, std::uint64_t twos,
                                  std::uint64_t successors) const {
    return discount[1] * static_cast<double>(ones) + discount[2] * static_cast<double>(twos) +
           discount[3] * static_cast<double>(successors - ones - twos);
  }
};

/// Sums of a softmax relative to a reference logit, with z = (x - reference) / temperature:
///   sum = sum of e^z, weighted = sum of z e^z.
/// They are NaN if a logit is NaN or +inf. sum is 0 if all logits are -inf.
struct SoftmaxSum {
  double reference = 0;
  double sum = 0;
  double weighted = 0;

  ICFAST_INLINE void merge(const SoftmaxSum& other, double temperature) {
    if (other.sum == 0) return;
    if (sum == 0) {
      *this = other;
      return;
    }
    SoftmaxSum lower = other;
    if (other.reference > reference) {
      lower = *this;
      *this = other;
    }
    const double gap = (lower.reference - reference) / temperature;
    const double scale = exp(gap);
    sum += lower.sum * scale;
    if (scale != 0) weighted += (lower.weighted + lower.sum * gap) * scale;
  }

  ICFAST_INLINE double logsumexp_nats(double temperature) const {
    return reference / temperature + log(sum);
  }

  /// -ln p of a logit. The difference comes first, so a common offset costs no precision.
  ICFAST_INLINE double nll_nats(double logit, double temperature) const {
    return (reference - logit) / temperature + log(sum);
  }

  ICFAST_INLINE double entropy_nats() const { return log(sum) - weighted / sum; }
};

/// The sums of SoftmaxSum in powers of two relative to an integer k, as fp32 loops compute them.
/// With t = c x - k rounded once to fp32 and c = float(log2(e) / temperature):
///   sum = sum of 2^t, weighted = sum of t 2^t.
/// Changing k multiplies by an exact power of two. k / c is the reference logit, so the rounding of
/// c affects differences of logits, not their offset.
struct PowerSum {
  static constexpr double kNone = -8388608.0;  // k before any logit
  static constexpr double kLargest = 4194304;  // bound of |k|, well within the integers of fp32

  double k = kNone;
  double sum = 0;
  double weighted = 0;

  ICFAST_INLINE void raise(double new_k) {
    const double scale = exp2(k - new_k);
    weighted = (weighted + sum * (k - new_k)) * scale;
    sum *= scale;
    k = new_k;
  }

  ICFAST_INLINE void merge(PowerSum other) {
    if (other.k > k) raise(other.k);
    other.raise(k);
    sum += other.sum;
    weighted += other.weighted;
  }

  ICFAST_INLINE SoftmaxSum in_nats(float c) const {
    return {k / static_cast<double>(c), sum, weighted * 0x1.62e42fefa39efp-1};
  }
};

/// Minimax polynomial of 2^f for f in [0, 1], lowest power first; relative error 7.5e-8 before
/// rounding.
constexpr float kExp2Fp32[] = {0x1.fffffep-1f, 0x1.62e4f6p-1f, 0x1.ebd5a8p-3f,
                               0x1.c95446p-5f, 0x1.26900cp-7f, 0x1.ec320ap-10f};
/// Minimax polynomial of 2^f with relative error 1.4e-14.
constexpr double kExp2Fp64[] = {0x1.fffffffffff87p-1,  0x1.62e42fefa9e1dp-1,  0x1.ebfbdff4c9d5fp-3,
                                0x1.c6b08e244e35ap-5,  0x1.3b2aa423f2a3fp-7,  0x1.5d8a3e4cb02c7p-10,
                                0x1.42df89b6920ddp-13, 0x1.01bc5f3316084p-16, 0x1.49f5f52e3694ep-20,
                                0x1.344409827d745p-23};

}  // namespace icfast
