// Arithmetic on ONE element, shared by every compiled backend; loops live elsewhere.
#pragma once
#include <cmath>
#include <cstdint>

#if defined(__CUDACC__)
#define ICFAST_HOST_DEVICE __host__ __device__
#else
#define ICFAST_HOST_DEVICE
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

  /// MurmurHash3's fmix64, so that the high bits decide the split fairly.
  ICFAST_HOST_DEVICE std::uint64_t finish() const {
    std::uint64_t h = state;
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccdULL;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53ULL;
    return h ^ (h >> 33);
  }
};

/// Whether a loss can enter a sum: |nats| < 2^31, and a number.
ICFAST_HOST_DEVICE inline bool fits_sum(double nats) { return std::fabs(nats) < 0x1p31; }

/// The nearest whole number of units of 2^-32 nat, half to even; of losses that fit a sum.
ICFAST_HOST_DEVICE inline std::int64_t loss_quanta(double nats) {
  const double units = nats * 4294967296.0;
  // Adding 2^52 with the sign of the number rounds to a whole one; from 2^52 on all of them are.
  const double whole = std::copysign(0x1p52, units);
  return static_cast<std::int64_t>(std::fabs(units) < 0x1p52 ? (units + whole) - whole : units);
}

/// A sum of losses in units of 2^-32 nat, 128 bits in two's complement: the same for every order of
/// addition.
struct LossAccumulator {
  std::uint64_t low = 0;
  std::uint64_t high = 0;

  /// Losses of n-grams: 0 <= nats < 2^20.
  ICFAST_HOST_DEVICE void add(double nats) {
    // As in loss_quanta, without its branches.
    add_quanta(static_cast<std::uint64_t>((nats * 4294967296.0 + 0x1p52) - 0x1p52));
  }

  ICFAST_HOST_DEVICE void add_quanta(std::uint64_t quanta) {
    low += quanta;
    high += low < quanta;
  }

  ICFAST_HOST_DEVICE void add_signed(std::int64_t quanta) {
    add_quanta(static_cast<std::uint64_t>(quanta));
    high -= quanta < 0;  // sign extension: the upper half of a negative number is all ones
  }
};

/// One level of interpolated modified Kneser-Ney: what a context says of one successor.
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

  /// What an unseen successor's lower probability is multiplied by.
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

}  // namespace icfast
