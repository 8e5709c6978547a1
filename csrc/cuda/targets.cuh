// Targets of every integer type, as 64 bits.
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
  // A huge one is no column, and must not become a negative one.
  const std::uint64_t id = static_cast<const std::uint64_t*>(targets.ids)[row];
  return id >> 63 != 0 ? INT64_MAX : static_cast<std::int64_t>(id);
}

}  // namespace icfast::cuda
