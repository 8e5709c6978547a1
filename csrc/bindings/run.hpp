// What every binding does once its arguments are converted.
#pragma once
#include <pybind11/pybind11.h>

#include <cstdint>
#include <tuple>

#include "icfast/status.hpp"

namespace icfast::bindings {

using Result = std::tuple<int, std::int64_t, std::uint64_t>;

template <class Kernel>
Result run(Kernel kernel) {
  const pybind11::gil_scoped_release release;
  const Status status = kernel();
  return {static_cast<int>(status.code), status.index, status.value};
}

/// kernels.hpp for Python, in two parts, and losses.hpp.
void bind_counting(pybind11::module_& module);
void bind_models(pybind11::module_& module);
void bind_losses(pybind11::module_& module);

}  // namespace icfast::bindings
