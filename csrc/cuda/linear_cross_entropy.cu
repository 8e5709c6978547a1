// Kernels for the losses of hidden states and an output layer. cuBLASLt computes the products, and
// a block of threads sweeps each row of a tile.
#include "check.cuh"
#include "linear_rows.cuh"
#include "tile_product.hpp"

namespace icfast::cuda {
namespace {

template <class From, class To>
__global__ void __launch_bounds__(kStageThreads)
    stage_rows(const __grid_constant__ Staging staging) {
  stage_row<From, To>(staging, blockIdx.x);
}

/// Four blocks per multiprocessor leave 64 registers per thread; the last of these needs more.
template <bool kCapped, bool kExtras>
__global__ void __launch_bounds__(kMostThreads, kCapped&& kExtras ? 3 : 4)
    sweep_tile(const __grid_constant__ TileSweep sweep) {
  __shared__ Partial shared;
  sweep_tile_row(sweep, blockIdx.x, [&](const void* row, const SoftmaxScale& scale) {
    return sums_of_row<Fp32, kCapped, kExtras>(row, sweep.columns, scale, shared);
  });
}

__global__ void __launch_bounds__(kMostThreads)
    sweep_tile_wide(const __grid_constant__ TileSweep sweep) {
  __shared__ Partial shared;
  sweep_tile_row(sweep, blockIdx.x, [&](const void* row, const SoftmaxScale& scale) {
    return wide_sums_of_row<Fp32>(row, sweep.columns, scale, shared);
  });
}

__global__ void __launch_bounds__(kStageThreads)
    write_rows(const __grid_constant__ TileRows rows, const __grid_constant__ TokenOut out) {
  const std::int64_t r = static_cast<std::int64_t>(blockIdx.x) * kStageThreads + threadIdx.x;
  if (r < rows.size) write_tile_row(rows, out, r);
}

using Stage = void (*)(Staging);
using Sweep = void (*)(TileSweep);

Stage stage_of(Format from, Format to) {
  switch (from) {
    case Format::bf16:
      return to == Format::bf16 ? &stage_rows<Bf16, Bf16> : &stage_rows<Bf16, Fp32>;
    case Format::fp16:
      return to == Format::fp16 ? &stage_rows<Fp16, Fp16> : &stage_rows<Fp16, Fp32>;
    default:
      return &stage_rows<Fp32, Fp32>;
  }
}

Sweep sweep_of(const SoftmaxScale& scale, bool extras) {
  if (!scale.fits_fp32) return &sweep_tile_wide;
  if (scale.softcap != 0) return extras ? &sweep_tile<true, true> : &sweep_tile<true, false>;
  return extras ? &sweep_tile<false, true> : &sweep_tile<false, false>;
}

Status status_of_product(lt::Status status) {
  if (status == lt::kSuccess) return {};
  return {Code::device_failed, 0, kProductErrors + static_cast<std::uint64_t>(status)};
}

/// Operations of linear_tiles.hpp, queued on one stream.
class StreamDevice {
 public:
  StreamDevice(const TokenOut& out, const Queue& queue, TileProduct& product)
      : out_(out), stream_(queue.stream), product_(product) {}

  void stage(const Staging& staging) {
    stage_of(staging.from.format,
             staging.format)<<<static_cast<unsigned>(staging.rows), kStageThreads, 0, stream_>>>(
        staging);
  }

  Status multiply(const void* hidden, const void* weight, const float* bias, float* logits,
                  void* workspace) {
    return status_of_product(product_.run(hidden, weight, bias, logits, workspace, stream_));
  }

  void sweep(const TileSweep& sweep) {
    const Sweep kernel = sweep_of(sweep.rows.scale, out_.entropy_nats != nullptr || sweep.counts);
    const int threads = threads_of(sweep.columns, Format::fp32);
    kernel<<<static_cast<unsigned>(sweep.rows.size), static_cast<unsigned>(threads), 0, stream_>>>(
        sweep);
  }

  void write(const TileRows& rows) {
    const std::int64_t blocks = (rows.size + kStageThreads - 1) / kStageThreads;
    write_rows<<<static_cast<unsigned>(blocks), kStageThreads, 0, stream_>>>(rows, out_);
  }

  Status status() { return launched(); }

 private:
  const TokenOut& out_;
  CUstream_st* stream_;
  TileProduct& product_;
};

}  // namespace

std::string load_products(const std::vector<std::string>& folders) {
  return products().load(folders);
}

std::int64_t linear_scratch_bytes(const Linear& linear) {
  return LinearPlan::of(linear).scratch_bytes;
}

Status linear_cross_entropy(const Linear& linear, const Queue& queue) {
  const LinearPlan plan = LinearPlan::of(linear);
  if (linear.scratch_bytes < plan.scratch_bytes) {
    return {Code::output_too_small, 0, static_cast<std::uint64_t>(plan.scratch_bytes)};
  }
  if (linear.hidden.rows == 0) return {};
  if (!products().loaded()) return status_of_product(lt::kNotInitialized);
  const DeviceGuard guard(queue.device);
  if (const Status status = guard.status(); status.code != Code::ok) return status;
  TileProduct product(products());
  StreamDevice device(linear.out, queue, product);
  LinearTiles tiles(linear, plan, device);
  const Status made = status_of_product(product.make(plan, queue.device, tiles.bias()));
  return made.code == Code::ok ? tiles.run() : made;
}

Status linear_algorithm(const Linear& linear, const Queue& queue, std::string& algorithm) {
  const LinearPlan plan = LinearPlan::of(linear);
  if (!products().loaded()) return status_of_product(lt::kNotInitialized);
  const DeviceGuard guard(queue.device);
  if (const Status status = guard.status(); status.code != Code::ok) return status;
  TileProduct product(products());
  StreamDevice device(linear.out, queue, product);
  const LinearTiles tiles(linear, plan, device);
  const Status made = status_of_product(product.make(plan, queue.device, tiles.bias()));
  if (made.code == Code::ok) algorithm = product.algorithm();
  return made;
}

}  // namespace icfast::cuda
