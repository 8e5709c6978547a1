// The loss of one probability, as matches hold it.
#pragma once
#include <cmath>

#include "icfast/kernels.hpp"
#include "icfast/scalars.hpp"

namespace icfast {

inline std::uint64_t loss_of(double probability) {
  return probability > 0 ? LossAccumulator::quanta_of(-std::log(probability)) : kImpossible;
}

}  // namespace icfast
