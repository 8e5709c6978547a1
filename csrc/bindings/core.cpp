// The extension module _core: the kernels for Python. Converts, releases the GIL, nothing else.
#include <pybind11/pybind11.h>

#include "icfast/isa.hpp"
#include "run.hpp"

PYBIND11_MODULE(_core, module, pybind11::mod_gil_not_used()) {
  using namespace icfast::bindings;
  module.doc() = "Compiled kernels of icfast; the contract is kernels/contract.py.";
  bind_counting(module);
  bind_models(module);
  bind_losses(module);
  module.attr("isa") = icfast::name_of(icfast::isa());
  module.attr("isa_error") = icfast::isa_error();
}
