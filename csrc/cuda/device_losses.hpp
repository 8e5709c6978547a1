// The loss kernels on a CUDA device: losses.hpp with pointers to the device's memory and a stream.
// Nothing here waits for the device, allocates, or reads what the device writes, so that a stream's
// graph can record every call. Errors that the device meets later come with a later call.
#pragma once
#include <cstdint>

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

Status add_losses(const double* nll_nats, const std::uint8_t* kinds, const std::int64_t* cells,
                  std::int64_t rows, const DeviceCells& sums, const Queue& queue);

/// Why kernels can't run here (no driver, no device, none this was compiled for), or null.
const char* device_error();
/// What an error code of Code::device_failed is called.
const char* name_of_error(std::uint64_t error);

}  // namespace icfast::cuda
