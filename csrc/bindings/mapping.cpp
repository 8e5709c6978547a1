// Mappings of whole files, guarded against those who cut them; see icfast/mapping.hpp.
#include "icfast/mapping.hpp"

#include <pybind11/pybind11.h>
#include <sys/mman.h>

#include <cerrno>

#include "run.hpp"

namespace icfast::bindings {
namespace {

namespace py = pybind11;

/// The first bytes of a file, read-only. Keeps no file descriptor.
class MappedBytes {
 public:
  MappedBytes(int descriptor, std::size_t bytes) : bytes_(bytes) {
    data_ = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    if (data_ == MAP_FAILED) {
      PyErr_SetFromErrno(PyExc_OSError);
      throw py::error_already_set();
    }
    guard_ = guard_mapping(data_, bytes);
  }
  MappedBytes(const MappedBytes&) = delete;
  MappedBytes& operator=(const MappedBytes&) = delete;
  ~MappedBytes() {
    release_mapping(guard_);
    munmap(data_, bytes_);
  }

  py::buffer_info buffer() const {
    const auto size = static_cast<py::ssize_t>(bytes_);
    return {static_cast<std::uint8_t*>(data_), size, /*readonly=*/true};
  }
  std::int64_t lost() const { return lost_from(guard_); }

 private:
  std::size_t bytes_;
  void* data_ = nullptr;
  Guard* guard_ = nullptr;
};

}  // namespace

void bind_mapping(py::module_& module) {
  py::class_<MappedBytes>(module, "MappedBytes", py::buffer_protocol())
      .def(py::init<int, std::size_t>(), py::arg("descriptor"), py::arg("size"))
      .def_buffer(&MappedBytes::buffer)
      .def_property_readonly("lost", &MappedBytes::lost);
}

}  // namespace icfast::bindings
