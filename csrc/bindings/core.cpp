// The extension module _core. It converts arguments, releases the GIL and calls kernels.
#include <pybind11/pybind11.h>

#include "icfast/isa.hpp"
#include "run.hpp"

PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
  using namespace icfast::bindings;
  module.doc() = "Compiled kernels of icfast; the contract is backends/contract.py.";
  bind_counting(module);
  bind_models(module);
  bind_losses(module);
  bind_mapping(module);
  module.attr("isa") = icfast::name_of(icfast::isa());
  module.attr("isa_error") = icfast::isa_error();
}
