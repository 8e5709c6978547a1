// Bindings of losses.hpp. Rows of a matrix may have any stride, so matrices are checked here; other
// arrays are checked as in arrays.hpp.
#include "icfast/losses.hpp"

#include "arrays.hpp"
#include "run.hpp"

namespace icfast::bindings {
namespace {

/// Whether an array has the dtype of a format.
bool holds(const py::handle& values, Format format) {
  switch (format) {
    case Format::fp32:
      return py::isinstance<py::array_t<float, 0>>(values);
    case Format::fp64:
      return py::isinstance<py::array_t<double, 0>>(values);
    case Format::bf16:
    case Format::fp16:
      return py::isinstance<py::array_t<std::uint16_t, 0>>(values);
  }
  return false;
}

Matrix matrix_of(const py::tuple& matrix, const char* name) {
  const auto format = static_cast<Format>(matrix[1].cast<int>());
  const py::object object = matrix[0];
  if (!holds(object, format)) {
    throw py::type_error(
        std::string(name) + " of format " + std::to_string(static_cast<int>(format)) +
        " must be float32 (0), uint16 bits of bfloat16 (1) or float16 (2), or float64 (3); found " +
        py::repr(py::getattr(object, "dtype", py::none())).cast<std::string>());
  }
  const auto values = py::reinterpret_borrow<py::array>(object);
  const py::ssize_t item = values.itemsize();
  const bool aligned = reinterpret_cast<std::uintptr_t>(values.data()) % item == 0;
  const auto laid_out = [&] {
    return values.size() == 0 || ((values.shape(1) == 1 || values.strides(1) == item) &&
                                  (values.shape(0) == 1 || values.strides(0) % item == 0));
  };
  if (values.ndim() != 2 || !aligned || !laid_out()) {
    throw py::type_error(std::string(name) +
                         " must be aligned, 2-D, and contiguous along its last axis");
  }
  return {values.data(), format, values.shape(0), values.shape(1), values.strides(0) / item};
}

template <class T>
T* row_out(const py::handle& object, std::int64_t size) {
  T* to = out<T>(object);
  if (rows(object) != size) {
    throw py::value_error("an output has " + std::to_string(rows(object)) + " elements for " +
                          std::to_string(size) + " rows");
  }
  return to;
}

/// Null for an array without elements, which means not asked for.
template <class T>
T* row_out_if_asked(const py::handle& object, std::int64_t size) {
  checked<T>(object);
  return rows(object) == 0 ? nullptr : row_out<T>(object, size);
}

TokenOut tokens_of(const py::tuple& tokens, std::int64_t size) {
  return {row_out<double>(tokens[0], size), row_out<std::uint8_t>(tokens[1], size),
          row_out_if_asked<double>(tokens[2], size), row_out_if_asked<double>(tokens[3], size),
          row_out_if_asked<std::int64_t>(tokens[4], size)};
}

/// Calls call(target) with the element type of targets: i32, i64, u16 or u32.
template <class Call>
auto with_target(const py::handle& targets, std::int64_t size, Call call) {
  const auto sized = [&](auto target) {
    if (rows(targets) != size) {
      throw py::value_error(std::to_string(rows(targets)) + " targets for " + std::to_string(size) +
                            " rows of logits");
    }
    return call(target);
  };
  if (py::isinstance<Array<std::int64_t>>(targets)) return sized(std::int64_t{});
  if (py::isinstance<Array<std::int32_t>>(targets)) return sized(std::int32_t{});
  if (py::isinstance<Array<std::uint16_t>>(targets)) return sized(std::uint16_t{});
  if (py::isinstance<Array<std::uint32_t>>(targets)) return sized(std::uint32_t{});
  throw py::type_error("targets must be contiguous int32, int64, uint16 or uint32");
}

Result py_cross_entropy(const py::tuple& logits, const py::object& targets,
                        const py::tuple& softmax, const py::tuple& tokens) {
  const Matrix matrix = matrix_of(logits, "logits");
  return with_target(targets, matrix.rows, [&](auto target) {
    const Softmax scale = softmax_of(softmax, matrix.columns);
    const auto* ids = in<decltype(target)>(targets);
    const TokenOut to = tokens_of(tokens, matrix.rows);
    return run([&] { return cross_entropy(matrix, ids, scale, to); });
  });
}

Result py_add_losses(const py::object& nll_nats, const py::object& kinds, const py::object& cells,
                     const py::tuple& sums) {
  const auto* nats = in<double>(nll_nats);
  const auto* kind = in<std::uint8_t>(kinds);
  const auto* cell = in<std::int64_t>(cells);
  const std::int64_t size = rows(nll_nats);
  const LossCells to{out<std::uint64_t>(sums[0]), out<std::uint64_t>(sums[1]),
                     out<std::uint64_t>(sums[2]), rows(sums[0])};
  return run([&] { return add_losses(nats, kind, cell, size, to); });
}

Result py_linear_cross_entropy(const py::tuple& hidden, const py::tuple& weight,
                               const py::tuple& bias, const py::object& targets,
                               const py::tuple& softmax, const py::object& scratch,
                               const py::tuple& tokens) {
  const Matrix states = matrix_of(hidden, "hidden");
  const Matrix columns = matrix_of(weight, "weight");
  const Matrix added = matrix_of(bias, "bias");
  if (states.columns != columns.columns) {
    throw py::value_error("hidden has " + std::to_string(states.columns) + " columns, weight " +
                          std::to_string(columns.columns));
  }
  const Softmax scale = softmax_of(softmax, columns.rows);
  if (added.columns != 0 && (added.rows != 1 || added.columns < scale.columns)) {
    throw py::value_error("bias must have one row of " + std::to_string(scale.columns) +
                          " columns, or have no columns");
  }
  return with_target(targets, states.rows, [&](auto target) {
    const auto* ids = in<decltype(target)>(targets);
    auto* space = out<std::uint8_t>(scratch);
    const std::int64_t bytes = rows(scratch);
    const TokenOut to = tokens_of(tokens, states.rows);
    return run(
        [&] { return linear_cross_entropy(states, columns, added, ids, scale, space, bytes, to); });
  });
}

}  // namespace

void bind_losses(py::module_& module) {
  using namespace py::literals;
  module.def("cross_entropy", &py_cross_entropy, "logits"_a, "targets"_a, "softmax"_a, "out"_a);
  module.def("linear_cross_entropy", &py_linear_cross_entropy, "hidden"_a, "weight"_a, "bias"_a,
             "targets"_a, "softmax"_a, "scratch"_a, "out"_a);
  module.def("linear_scratch_bytes", &linear_scratch_bytes, "width"_a);
  module.def("add_losses", &py_add_losses, "nll_nats"_a, "kinds"_a, "cells"_a, "sums"_a);
}

}  // namespace icfast::bindings
