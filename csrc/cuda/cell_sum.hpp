// Concurrent addition of a loss to a 128-bit sum. It also compiles for the host, where tests run it
// on threads.
#pragma once
#include <cstdint>

#include "icfast/losses.hpp"

namespace icfast::cuda {

/// fetch_add(word, addend) is atomic and returns the previous value. Exactly one addition sees each
/// wrap of the low word, so the two words end up equal to those of LossAccumulator in any order. A
/// reader between two additions may see words that do not belong together.
template <class FetchAdd>
ICFAST_HOST_DEVICE void add_to_cell(std::uint64_t* low, std::uint64_t* high, std::int64_t quanta,
                                    FetchAdd fetch_add) {
  const auto addend = static_cast<std::uint64_t>(quanta);
  const std::uint64_t before = fetch_add(low, addend);
  LossAccumulator carried{before, 0};
  carried.add_signed(quanta);
  if (carried.high != 0) fetch_add(high, carried.high);
}

/// Adds one row; returns false if its cell or kind is invalid.
template <class FetchAdd>
ICFAST_HOST_DEVICE bool add_row(double nats, std::uint8_t kind, std::int64_t cell,
                                const LossCells& sums, FetchAdd fetch_add) {
  if (cell < 0) return true;
  if (cell >= sums.cells || kind >= kLossKinds) return false;
  const Kind added = added_as(static_cast<Kind>(kind), nats);
  fetch_add(sums.counts + cell * kLossKinds + static_cast<int>(added), 1);
  if (added == Kind::scored) {
    add_to_cell(sums.low + cell, sums.high + cell, loss_quanta(nats), fetch_add);
  }
  return true;
}

}  // namespace icfast::cuda
