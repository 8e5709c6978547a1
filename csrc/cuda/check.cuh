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

/// Restores the caller's device in its destructor.
class DeviceGuard {
 public:
  explicit DeviceGuard(int device) {
    if (cudaGetDevice(&before_) != cudaSuccess) before_ = device;
    if (before_ != device) cudaSetDevice(device);
    device_ = device;
  }
  ~DeviceGuard() {
    if (before_ != device_) cudaSetDevice(before_);
  }
  DeviceGuard(const DeviceGuard&) = delete;
  DeviceGuard& operator=(const DeviceGuard&) = delete;

 private:
  int before_ = 0;
  int device_ = 0;
};

}  // namespace icfast::cuda
