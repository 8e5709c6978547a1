// The extension module _cuda: the loss kernels for CUDA devices, under the names of _core. Device
// memory arrives as addresses, shapes and strides, which losses/device.py has checked. The binding
// checks only that sizes match.
#include <pybind11/pybind11.h>
#include <pybind11/stl.h>

#include <cstdint>
#include <stdexcept>
#include <string>

#include "device_losses.hpp"
#include "run.hpp"

namespace icfast::bindings {
namespace {

namespace py = pybind11;

template <class T>
T* address(const py::handle& number) {
  return reinterpret_cast<T*>(number.cast<std::uintptr_t>());
}

/// From (address, format, rows, columns, stride).
Matrix matrix_of(const py::tuple& matrix, const char* name) {
  const Matrix found{address<const void>(matrix[0]), static_cast<Format>(matrix[1].cast<int>()),
                     matrix[2].cast<std::int64_t>(), matrix[3].cast<std::int64_t>(),
                     matrix[4].cast<std::int64_t>()};
  const int format = static_cast<int>(found.format);
  if (format < 0 || format > 3 || found.rows < 0 || found.columns < 0) {
    throw py::value_error(std::string(name) + " have an invalid format or shape");
  }
  const std::uintptr_t size = found.format == Format::fp64   ? 8
                              : found.format == Format::fp32 ? 4
                                                             : 2;
  if (reinterpret_cast<std::uintptr_t>(found.data) % size != 0) {
    throw py::value_error(std::string(name) + " are not aligned to their element size");
  }
  return found;
}

/// From (address, type).
cuda::Targets targets_of(const py::tuple& targets) {
  const int type = targets[1].cast<int>();
  if (type < 0 || type > static_cast<int>(cuda::IdType::u64)) {
    throw py::value_error("targets have an invalid type");
  }
  return {address<const void>(targets[0]), static_cast<cuda::IdType>(type)};
}

/// Addresses, 0 for results not asked for.
TokenOut tokens_of(const py::tuple& tokens, std::int64_t rows) {
  const TokenOut out{address<double>(tokens[0]), address<std::uint8_t>(tokens[1]),
                     address<double>(tokens[2]), address<double>(tokens[3]),
                     address<std::int64_t>(tokens[4])};
  if (rows != 0 && (out.nll_nats == nullptr || out.kinds == nullptr)) {
    throw py::value_error("losses and kinds have no address, but are always written");
  }
  return out;
}

/// From (device, stream).
cuda::Queue queue_of(const py::tuple& queue) {
  return {queue[0].cast<int>(), address<CUstream_st>(queue[1])};
}

Result py_cross_entropy(const py::tuple& logits, const py::tuple& targets, const py::tuple& softmax,
                        const py::tuple& tokens, const py::tuple& queue) {
  const Matrix matrix = matrix_of(logits, "logits");
  const cuda::Targets ids = targets_of(targets);
  const Softmax scale = softmax_of(softmax, matrix.columns);
  const TokenOut to = tokens_of(tokens, matrix.rows);
  const cuda::Queue on = queue_of(queue);
  return run([&] { return cuda::cross_entropy(matrix, ids, scale, to, on); });
}

/// tile is (rows, columns), the largest tile.
cuda::Linear linear_of(const py::tuple& hidden, const py::tuple& weight, const py::tuple& bias,
                       const py::tuple& softmax, const py::tuple& tile) {
  cuda::Linear linear{};
  linear.hidden = matrix_of(hidden, "hidden states");
  linear.weight = matrix_of(weight, "weights");
  linear.bias = matrix_of(bias, "biases");
  for (const Matrix& matrix : {linear.hidden, linear.weight, linear.bias}) {
    if (matrix.format == Format::fp64) {
      throw py::value_error("float64 operands are not supported on a device");
    }
  }
  if (linear.hidden.columns < 1 || linear.hidden.columns != linear.weight.columns) {
    throw py::value_error("hidden states have " + std::to_string(linear.hidden.columns) +
                          " columns, weights " + std::to_string(linear.weight.columns));
  }
  linear.softmax = softmax_of(softmax, linear.weight.rows);
  const std::int64_t columns = linear.softmax.columns;
  if (columns < 1) throw py::value_error("the distribution has no columns");
  if (linear.bias.columns != 0 && (linear.bias.rows != 1 || linear.bias.columns < columns)) {
    throw py::value_error("bias must have one row of " + std::to_string(columns) +
                          " columns, or have no columns");
  }
  linear.most = {tile[0].cast<std::int64_t>(), tile[1].cast<std::int64_t>()};
  if (linear.most.rows < 1 || linear.most.columns < 1) {
    throw py::value_error("a tile must have at least one row and one column");
  }
  return linear;
}

Result py_linear_cross_entropy(const py::tuple& hidden, const py::tuple& weight,
                               const py::tuple& bias, const py::tuple& targets,
                               const py::tuple& softmax, const py::tuple& tile,
                               const py::tuple& scratch, const py::tuple& tokens,
                               const py::tuple& queue) {
  cuda::Linear linear = linear_of(hidden, weight, bias, softmax, tile);
  linear.targets = targets_of(targets);
  linear.out = tokens_of(tokens, linear.hidden.rows);
  linear.scratch = address<void>(scratch[0]);
  linear.scratch_bytes = scratch[1].cast<std::int64_t>();
  const cuda::Queue on = queue_of(queue);
  return run([&] { return cuda::linear_cross_entropy(linear, on); });
}

std::int64_t py_linear_scratch_bytes(const py::tuple& hidden, const py::tuple& weight,
                                     const py::tuple& bias, const py::tuple& softmax,
                                     const py::tuple& tile) {
  return cuda::linear_scratch_bytes(linear_of(hidden, weight, bias, softmax, tile));
}

/// The algorithm's configuration, or the name of an error code.
std::string py_linear_algorithm(const py::tuple& hidden, const py::tuple& weight,
                                const py::tuple& bias, const py::tuple& softmax,
                                const py::tuple& tile, const py::tuple& queue) {
  const cuda::Linear linear = linear_of(hidden, weight, bias, softmax, tile);
  std::string algorithm;
  const Status status = cuda::linear_algorithm(linear, queue_of(queue), algorithm);
  return status.code == Code::ok ? algorithm : cuda::name_of_error(status.value);
}

/// sums is (low, high, counts, first_bad, cells): four addresses and the number of cells.
Result py_add_losses(const py::handle& nll_nats, const py::handle& kinds, const py::handle& cells,
                     std::int64_t rows, const py::tuple& sums, const py::tuple& queue) {
  if (rows < 0) throw py::value_error("the number of rows is negative");
  const cuda::DeviceCells to{{address<std::uint64_t>(sums[0]), address<std::uint64_t>(sums[1]),
                              address<std::uint64_t>(sums[2]), sums[4].cast<std::int64_t>()},
                             address<std::uint64_t>(sums[3])};
  const auto* nats = address<const double>(nll_nats);
  const auto* kind = address<const std::uint8_t>(kinds);
  const auto* cell = address<const std::int64_t>(cells);
  const cuda::Queue on = queue_of(queue);
  return run([&] { return cuda::add_losses(nats, kind, cell, rows, to, on); });
}

}  // namespace
}  // namespace icfast::bindings

PYBIND11_MODULE(_cuda, module, pybind11::mod_gil_not_used()) {
  using namespace icfast::bindings;
  using namespace py::literals;
  module.doc() = "Loss kernels of icfast for CUDA devices; the contract is backends/losses.py.";
  module.def("cross_entropy", &py_cross_entropy, "logits"_a, "targets"_a, "softmax"_a, "out"_a,
             "queue"_a);
  module.def("add_losses", &py_add_losses, "nll_nats"_a, "kinds"_a, "cells"_a, "rows"_a, "sums"_a,
             "queue"_a);
  module.def("load_products", &icfast::cuda::load_products, "folders"_a);
  module.def("linear_cross_entropy", &py_linear_cross_entropy, "hidden"_a, "weight"_a, "bias"_a,
             "targets"_a, "softmax"_a, "tile"_a, "scratch"_a, "out"_a, "queue"_a);
  module.def("linear_scratch_bytes", &py_linear_scratch_bytes, "hidden"_a, "weight"_a, "bias"_a,
             "softmax"_a, "tile"_a);
  module.def("linear_algorithm", &py_linear_algorithm, "hidden"_a, "weight"_a, "bias"_a,
             "softmax"_a, "tile"_a, "queue"_a);
  module.def("device_error", [] {
    const char* error = icfast::cuda::device_error(ICFAST_CUDA_ARCHITECTURES);
    return std::string(error == nullptr ? "" : error);
  });
  module.def("name_of_error", &icfast::cuda::name_of_error, "value"_a);
  module.attr("architectures") = ICFAST_CUDA_ARCHITECTURES;
}
