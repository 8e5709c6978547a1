// Kernel for the loss of each row of a matrix of logits. A block of threads computes a row.
#include <algorithm>

#include "architectures.hpp"
#include "check.cuh"
#include "row_block.cuh"
#include "targets.cuh"
#include "tile_product.hpp"

namespace icfast::cuda {
namespace {

struct Call {
  Matrix logits;
  Targets targets;
  Softmax softmax;
  SoftmaxScale scale;
  TokenOut out;
  std::int64_t first;  // first row of this launch
  bool always;         // also sweep rows without a target
};

/// sums(row, scale) is the function that sweeps a row.
template <class Source, class Sums>
__device__ void write_row(const Call& call, Sums sums) {
  const std::int64_t row = call.first + blockIdx.x;
  const std::int64_t target = target_at(call.targets, row);
  const Kind kind = kind_of_target(target, call.softmax);
  const auto* logits = static_cast<const char*>(call.logits.data) +
                       row * call.logits.stride * bytes_of(Source::kFormat);
  SoftmaxScale scale = call.scale;
  if (kind == Kind::scored) scale.target = stored_number<Source>(logits, target);
  RowSums found;
  if (kind == Kind::scored || call.always) found = sums(logits, scale);
  if (threadIdx.x == 0) write_token(scale, found, kind, call.out, row);
}

/// Four blocks per multiprocessor leave 64 registers per thread; tanh needs more.
template <class Source, bool kCapped, bool kExtras>
__global__ void __launch_bounds__(kMostThreads, kCapped ? 3 : 4)
    sweep_rows(const __grid_constant__ Call call) {
  __shared__ Partial shared;
  write_row<Source>(call, [&](const void* row, const SoftmaxScale& scale) {
    return sums_of_row<Source, kCapped, kExtras>(row, call.softmax.columns, scale, shared);
  });
}

template <class Source>
__global__ void __launch_bounds__(kMostThreads) sweep_rows_wide(const __grid_constant__ Call call) {
  __shared__ Partial shared;
  write_row<Source>(call, [&](const void* row, const SoftmaxScale& scale) {
    return wide_sums_of_row<Source>(row, call.softmax.columns, scale, shared);
  });
}

using Kernel = void (*)(Call);

template <class Source>
Kernel kernel_for(bool capped, bool extras) {
  if (capped) return extras ? &sweep_rows<Source, true, true> : &sweep_rows<Source, true, false>;
  return extras ? &sweep_rows<Source, false, true> : &sweep_rows<Source, false, false>;
}

Kernel kernel_of(Format format, const SoftmaxScale& scale, bool extras) {
  const bool wide = !scale.fits_fp32;
  const bool capped = scale.softcap != 0;
  switch (format) {
    case Format::fp32:
      return wide ? &sweep_rows_wide<Fp32> : kernel_for<Fp32>(capped, extras);
    case Format::bf16:
      return wide ? &sweep_rows_wide<Bf16> : kernel_for<Bf16>(capped, extras);
    case Format::fp16:
      return wide ? &sweep_rows_wide<Fp16> : kernel_for<Fp16>(capped, extras);
    case Format::fp64:
      break;
  }
  return &sweep_rows_wide<Fp64>;
}

}  // namespace

Status cross_entropy(const Matrix& logits, const Targets& targets, const Softmax& softmax,
                     const TokenOut& out, const Queue& queue) {
  constexpr std::int64_t kMostBlocks = INT32_MAX;
  const DeviceGuard guard(queue.device);
  if (const Status status = guard.status(); status.code != Code::ok) return status;
  const bool extras = out.entropy_nats != nullptr || out.ranks != nullptr;
  Call call{logits,
            targets,
            softmax,
            SoftmaxScale::of(softmax),
            out,
            0,
            out.logsumexp_nats != nullptr || out.entropy_nats != nullptr};
  const Kernel kernel = kernel_of(logits.format, call.scale, extras);
  const int threads = threads_of(softmax.columns, logits.format);
  for (; call.first < logits.rows; call.first += kMostBlocks) {
    const auto blocks = static_cast<unsigned>(std::min(kMostBlocks, logits.rows - call.first));
    kernel<<<blocks, static_cast<unsigned>(threads), 0, queue.stream>>>(call);
  }
  return launched();
}

/// Makes no context: it asks for attributes of devices alone.
const char* device_error(const char* architectures) {
  int devices = 0;
  if (const cudaError_t error = cudaGetDeviceCount(&devices); error != cudaSuccess) {
    cudaGetLastError();  // clear the error, which is reported here
    return cudaGetErrorString(error);
  }
  if (devices == 0) return cudaGetErrorString(cudaErrorNoDevice);
  for (int device = 0; device < devices; ++device) {
    int major = 0;
    int minor = 0;
    cudaError_t error = cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
    if (error == cudaSuccess) {
      error = cudaDeviceGetAttribute(&minor, cudaDevAttrComputeCapabilityMinor, device);
    }
    if (error == cudaSuccess && covers(architectures, major, minor)) return nullptr;
    cudaGetLastError();
  }
  return cudaGetErrorString(cudaErrorNoKernelImageForDevice);
}

const char* name_of_error(std::uint64_t error) {
  if (error >= kProductErrors)
    return name_of_product_error(static_cast<int>(error - kProductErrors));
  return cudaGetErrorString(static_cast<cudaError_t>(error));
}

}  // namespace icfast::cuda
