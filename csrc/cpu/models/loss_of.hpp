// Loss of a probability in the format of Matches.
#pragma once
#include <cmath>

#include "icfast/models.hpp"
#include "icfast/scalars.hpp"

namespace icfast {

/// A forged model can give p > 1. Its loss must not have the bit of kOpenLoss.
inline std::uint64_t loss_of(double probability) {
  if (!(probability > 0)) return kImpossible;
  return LossAccumulator::quanta_of(-std::log(probability)) & (kOpenLoss - 1);
}

}  // namespace icfast
