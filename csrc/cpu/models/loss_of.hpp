// The loss of one probability, as matches hold it.
#pragma once
#include <cmath>

#include "icfast/models.hpp"
#include "icfast/scalars.hpp"

namespace icfast {

/// A forged model may give more than 1; its loss must not look like one that is open.
inline std::uint64_t loss_of(double probability) {
  if (!(probability > 0)) return kImpossible;
  return LossAccumulator::quanta_of(-std::log(probability)) & (kOpenLoss - 1);
}

}  // namespace icfast
