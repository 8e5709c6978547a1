// Losses added to their cells in whole numbers, so that no order of addition shows.
#include "icfast/losses.hpp"

namespace icfast {

Status add_losses(const double* nll_nats, const std::uint8_t* kinds, const std::int64_t* cells,
                  std::int64_t rows, const LossCells& sums) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const std::int64_t cell = cells[r];
    if (cell < 0) continue;
    if (cell >= sums.cells) {
      return {Code::output_too_small, r, static_cast<std::uint64_t>(cell) + 1};
    }
    if (kinds[r] >= kLossKinds) return {Code::output_too_small, r, std::uint64_t{kinds[r]} + 1};
    const Kind kind = added_as(static_cast<Kind>(kinds[r]), nll_nats[r]);
    ++sums.counts[cell * kLossKinds + static_cast<int>(kind)];
    if (kind != Kind::scored) continue;
    LossAccumulator sum{sums.low[cell], sums.high[cell]};
    sum.add_signed(loss_quanta(nll_nats[r]));
    sums.low[cell] = sum.low;
    sums.high[cell] = sum.high;
  }
  return {};
}

}  // namespace icfast
