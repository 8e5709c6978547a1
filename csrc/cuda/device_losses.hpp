// The loss kernels on a CUDA device: losses.hpp with pointers to the device's memory and a stream.
// Nothing here waits for the device, allocates, or reads what the device writes, so that a stream's
// graph can record every call. Errors that the device meets later come with a later call.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "icfast/losses.hpp"

struct CUstream_st;

namespace icfast::cuda {

/// Where work is queued.
struct Queue {
  int device;
  CUstream_st* stream;
};

/// Ids of every width: what holds for one row costs nothing to tell apart on the device.
enum class IdType : int { i8 = 0, u8 = 1, i16 = 2, u16 = 3, i32 = 4, u32 = 5, i64 = 6, u64 = 7 };

struct Targets {
  const void* ids;
  IdType type;
};

/// As LossCells; first_bad is the first row whose cell or kind is none, of all calls since it was
/// set to the largest number. Such rows are left out, and the caller finds out when it reads.
struct DeviceCells {
  LossCells cells;
  std::uint64_t* first_bad;
};

Status cross_entropy(const Matrix& logits, const Targets& targets, const Softmax& softmax,
                     const TokenOut& out, const Queue& queue);

/// The most rows and columns of logits that exist at a time.
struct Tile {
  std::int64_t rows;
  std::int64_t columns;
};

/// linear_cross_entropy of losses.hpp. Operands are fp32, bf16 or fp16; where hidden states and
/// weights differ, both as fp32. Logits are sums in fp32, in one sequence of the width, and no
/// TF32.
struct Linear {
  Matrix hidden;
  Matrix weight;
  Matrix bias;
  Targets targets;
  Softmax softmax;
  TokenOut out;
  Tile most;
  void* scratch;
  std::int64_t scratch_bytes;
};

/// cuBLASLt for the calls below, from where the process, these folders or the loader have it;
/// empty, or what was tried.
std::string load_products(const std::vector<std::string>& folders);
/// Scratch that a call needs, whatever its rows; its pointers but the weights' are not looked at.
std::int64_t linear_scratch_bytes(const Linear& linear);
Status linear_cross_entropy(const Linear& linear, const Queue& queue);
/// Which algorithm that takes for its products.
Status linear_algorithm(const Linear& linear, const Queue& queue, std::string& algorithm);

Status add_losses(const double* nll_nats, const std::uint8_t* kinds, const std::int64_t* cells,
                  std::int64_t rows, const DeviceCells& sums, const Queue& queue);

/// Errors of cuBLASLt are its own numbers from here on; below are CUDA's.
constexpr std::uint64_t kProductErrors = 1 << 20;

/// Why kernels can't run here (no driver, no device, none this was compiled for), or null.
const char* device_error();
/// What an error code of Code::device_failed is called.
const char* name_of_error(std::uint64_t error);

}  // namespace icfast::cuda
