// Targets of any integer type, read as 64-bit integers.
#pragma once
#include "device_losses.hpp"

namespace icfast::cuda {

template <class T>
__device__ std::int64_t id_at(const void* ids, std::int64_t row) {
  return static_cast<std::int64_t>(static_cast<const T*>(ids)[row]);
}

__device__ inline std::int64_t target_at(const Targets& targets, std::int64_t row) {
  switch (targets.type) {
    case IdType::i8:
      return id_at<std::int8_t>(targets.ids, row);
    case IdType::u8:
      return id_at<std::uint8_t>(targets.ids, row);
    case IdType::i16:
      return id_at<std::int16_t>(targets.ids, row);
    case IdType::u16:
      return id_at<std::uint16_t>(targets.ids, row);
    case IdType::i32:
      return id_at<std::int32_t>(targets.ids, row);
    case IdType::u32:
      return id_at<std::uint32_t>(targets.ids, row);
    case IdType::i64:
      return id_at<std::int64_t>(targets.ids, row);
    case IdType::u64:
      break;
  }
  // A huge unsigned target must stay out of range, not wrap to a negative number.
  const std::uint64_t id = static_cast<const std::uint64_t*>(targets.ids)[row];
  return id >> 63 != 0 ? INT64_MAX : static_cast<std::int64_t>(id);
}

}  // namespace icfast::cuda
