// CUDA errors as a Status, and the current device during a call.
#pragma once
#include <cuda_runtime.h>

#include "device_losses.hpp"

namespace icfast::cuda {

inline Status status_of(cudaError_t error) {
  if (error == cudaSuccess) return {};
  return {Code::device_failed, 0, static_cast<std::uint64_t>(error)};
}

/// Returns the status of the launches since the last call.
inline Status launched() { return status_of(cudaGetLastError()); }

/// Makes a device current, and restores the caller's in its destructor. Nothing may be queued if
/// its status is an error: it would run on the caller's device.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device) : before_(device), device_(device) {
    error_ = cudaGetDevice(&before_);
    if (error_ == cudaSuccess && before_ != device) error_ = cudaSetDevice(device);
    if (error_ != cudaSuccess) {
      before_ = device;
      cudaGetLastError();  // clear the error, which status() reports
    }
  }
  ~DeviceGuard() {
    if (before_ != device_) cudaSetDevice(before_);
  }
  Status status() const { return status_of(error_); }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int before_;
  int device_;
  cudaError_t error_ = cudaSuccess;
};

}  // namespace icfast::cuda
