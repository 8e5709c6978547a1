// Kernel that adds losses to their cells. Sums are integers, so the order of the atomic additions
// does not matter.
#include <algorithm>

#include "cell_sum.hpp"
#include "check.cuh"

namespace icfast::cuda {
namespace {

constexpr int kThreads = 256;
constexpr std::int64_t kMostBlocks = 4096;

static_assert(sizeof(unsigned long long) == sizeof(std::uint64_t));

__global__ void __launch_bounds__(kThreads)
    add_rows(const double* nll_nats, const std::uint8_t* kinds, const std::int64_t* cells,
             std::int64_t rows, DeviceCells sums) {
  const auto fetch_add = [](std::uint64_t* word, std::uint64_t addend) -> std::uint64_t {
    return atomicAdd(reinterpret_cast<unsigned long long*>(word), addend);
  };
  const std::int64_t step = static_cast<std::int64_t>(gridDim.x) * kThreads;
  for (std::int64_t r = static_cast<std::int64_t>(blockIdx.x) * kThreads + threadIdx.x; r < rows;
       r += step) {
    if (!add_row(nll_nats[r], kinds[r], cells[r], sums.cells, fetch_add)) {
      atomicMin(reinterpret_cast<unsigned long long*>(sums.first_bad),
                static_cast<unsigned long long>(r));
    }
  }
}

}  // namespace

Status add_losses(const double* nll_nats, const std::uint8_t* kinds, const std::int64_t* cells,
                  std::int64_t rows, const DeviceCells& sums, const Queue& queue) {
  if (rows == 0) return {};
  const DeviceGuard guard(queue.device);
  if (const Status status = guard.status(); status.code != Code::ok) return status;
  const std::int64_t blocks = std::min((rows + kThreads - 1) / kThreads, kMostBlocks);
  add_rows<<<static_cast<unsigned>(blocks), kThreads, 0, queue.stream>>>(nll_nats, kinds, cells,
                                                                         rows, sums);
  return launched();
}

}  // namespace icfast::cuda
