// A block of device threads, simulated by host threads, for code of csrc/cuda that needs nothing
// else of a device.
#pragma once
#include <atomic>
#include <barrier>
#include <cstdint>
#include <cstring>
#include <memory>
#include <thread>
#include <vector>

#define __device__

struct uint4 {
  std::uint32_t x, y, z, w;
};

namespace icfast::tests::simt {

struct Index {
  unsigned x;
};

struct Warp {
  std::barrier<> meet{32};
  std::uint64_t slots[32];
};

struct Block {
  explicit Block(int threads) : meet(threads), warps(static_cast<std::size_t>(threads) / 32) {}
  std::barrier<> meet;
  std::vector<Warp> warps;
  std::atomic<int> any{0};
};

inline thread_local Block* block;

}  // namespace icfast::tests::simt

inline thread_local icfast::tests::simt::Index threadIdx, blockDim;

namespace icfast::tests::simt {

/// Runs body() in each thread of a block.
template <class Body>
void run_block(int threads, Body body) {
  Block shared(threads);
  std::vector<std::thread> running;
  for (int t = 0; t < threads; ++t) {
    running.emplace_back([&, t] {
      block = &shared;
      threadIdx.x = static_cast<unsigned>(t);
      blockDim.x = static_cast<unsigned>(threads);
      body();
    });
  }
  for (std::thread& thread : running) thread.join();
}

/// The value that thread `lane` of the same warp gave.
template <class T>
T exchange(T mine, unsigned from) {
  Warp& warp = block->warps[threadIdx.x / 32];
  std::memcpy(&warp.slots[threadIdx.x % 32], &mine, sizeof mine);
  warp.meet.arrive_and_wait();
  if (from < 32) std::memcpy(&mine, &warp.slots[from], sizeof mine);
  warp.meet.arrive_and_wait();
  return mine;
}

}  // namespace icfast::tests::simt

template <class T>
T __shfl_down_sync(unsigned, T mine, int step) {
  return icfast::tests::simt::exchange(mine, threadIdx.x % 32 + static_cast<unsigned>(step));
}
template <class T>
T __shfl_xor_sync(unsigned, T mine, int step) {
  return icfast::tests::simt::exchange(mine, threadIdx.x % 32 ^ static_cast<unsigned>(step));
}
inline void __syncthreads() { icfast::tests::simt::block->meet.arrive_and_wait(); }
inline int __syncthreads_or(int mine) {
  icfast::tests::simt::Block& block = *icfast::tests::simt::block;
  if (mine != 0) block.any = 1;
  __syncthreads();
  const int any = block.any;
  __syncthreads();
  if (threadIdx.x == 0) block.any = 0;
  __syncthreads();
  return any;
}
inline uint4 __ldcs(const uint4* from) {
  uint4 loaded;
  std::memcpy(&loaded, from, sizeof loaded);
  return loaded;
}
