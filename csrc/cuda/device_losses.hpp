// The loss kernels on a CUDA device: the functions of losses.hpp with device pointers and a stream.
// They do not wait for the device, allocate, or read what the device writes, so a CUDA graph can
// record every call. A later call reports errors that occur on the device after a call returns.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "icfast/losses.hpp"

struct CUstream_st;

namespace icfast::cuda {

/// Device and stream that work is queued on.
struct Queue {
  int device;
  CUstream_st* stream;
};

/// Ids of any integer type. The device tells the types apart per row, at no measurable cost.
enum class IdType : int { i8 = 0, u8 = 1, i16 = 2, u16 = 3, i32 = 4, u32 = 5, i64 = 6, u64 = 7 };

struct Targets {
  const void* ids;
  IdType type;
};

/// LossCells in device memory. first_bad is the smallest row with an invalid cell or kind since the
/// caller set it to the largest number. Such rows are not added; the caller checks when it reads.
struct DeviceCells {
  LossCells cells;
  std::uint64_t* first_bad;
};

Status cross_entropy(const Matrix& logits, const Targets& targets, const Softmax& softmax,
                     const TokenOut& out, const Queue& queue);

/// Maximum number of rows and columns of logits in memory at a time.
struct Tile {
  std::int64_t rows;
  std::int64_t columns;
};

/// linear_cross_entropy of losses.hpp. Operands are fp32, bf16 or fp16; if hidden states and
/// weights have different formats, both are converted to fp32. Logits are fp32 sums over the width
/// in one sequence, without TF32.
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

/// Loads cuBLASLt for the calls below, from the process, these folders or the loader. Returns an
/// empty string, or the places that were tried.
std::string load_products(const std::vector<std::string>& folders);
/// Returns the scratch that a call with any number of rows needs. Of the pointers, only the
/// weights' is used.
std::int64_t linear_scratch_bytes(const Linear& linear);
Status linear_cross_entropy(const Linear& linear, const Queue& queue);
/// Returns the name of the algorithm of the products.
Status linear_algorithm(const Linear& linear, const Queue& queue, std::string& algorithm);

Status add_losses(const double* nll_nats, const std::uint8_t* kinds, const std::int64_t* cells,
                  std::int64_t rows, const DeviceCells& sums, const Queue& queue);

/// First error code of cuBLASLt; smaller codes are CUDA's.
constexpr std::uint64_t kProductErrors = 1 << 20;

/// Returns why kernels built for these architectures cannot run (no driver, no device, no code for
/// its architecture), or null. Makes no context on any device.
const char* device_error(const char* architectures);
/// Returns the name of an error code of Code::device_failed.
const char* name_of_error(std::uint64_t error);

}  // namespace icfast::cuda
