// Helpers that all bindings share, except for arrays.
#pragma once
#include <pybind11/pybind11.h>

#include <cstdint>
#include <string>
#include <tuple>

#include "icfast/losses.hpp"
#include "icfast/status.hpp"

namespace icfast::bindings {

using Result = std::tuple<int, std::int64_t, std::uint64_t>;

template <class Kernel>
Result run(Kernel kernel) {
  const pybind11::gil_scoped_release release;
  const Status status = kernel();
  return {static_cast<int>(status.code), status.index, status.value};
}

/// From (columns, softcap, temperature, ignore_index), for logits of this width.
inline Softmax softmax_of(const pybind11::tuple& softmax, std::int64_t width) {
  const Softmax scale{softmax[0].cast<std::int64_t>(), softmax[1].cast<double>(),
                      softmax[2].cast<double>(), softmax[3].cast<std::int64_t>()};
  if (scale.columns < 0 || scale.columns > width) {
    throw pybind11::value_error("the distribution has " + std::to_string(scale.columns) +
                                " columns, the logits " + std::to_string(width));
  }
  return scale;
}

/// Define the kernels of counting.hpp, models.hpp and losses.hpp in a module.
void bind_counting(pybind11::module_& module);
void bind_models(pybind11::module_& module);
void bind_losses(pybind11::module_& module);

/// Define the mapping of files, which every backend reads.
void bind_mapping(pybind11::module_& module);

}  // namespace icfast::bindings
