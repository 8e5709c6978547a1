// Numbers of any format as float or double, exactly; loops that compilers make vectors of.
#pragma once
#include <bit>
#include <cstdint>

#include "icfast/losses.hpp"

namespace icfast {
namespace {

inline float of_bf16(std::uint16_t bits) {
  return std::bit_cast<float>(static_cast<std::uint32_t>(bits) << 16);
}

/// Subnormal ones come out right since the
/// exponent is moved by a multiplication.
inline float of_fp16(std::uint16_t bits) {
  const std::uint32_t magnitude = bits & 0x7fffU;
  const float moved = std::bit_cast<float>(magnitude << 13) * 0x1p112F;
  const std::uint32_t special = magnitude >= 0x7c00U ? 0x7f800000U : 0U;
  const std::uint32_t sign = (bits & 0x8000U) << 16;
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(moved) | special | sign);
}

/// to[count] = numbers [place, place + count) of a matrix; fp64 only where T is double.
template <class T>
void widen(const Matrix& from, std::int64_t place, int count, T* to) {
  switch (from.format) {
    case Format::fp32: {
      const float* numbers = static_cast<const float*>(from.data) + place;
      for (int i = 0; i < count; ++i) to[i] = numbers[i];
      return;
    }
    case Format::bf16: {
      const auto* numbers = static_cast<const std::uint16_t*>(from.data) + place;
      for (int i = 0; i < count; ++i) to[i] = of_bf16(numbers[i]);
      return;
    }
    case Format::fp16: {
      const auto* numbers = static_cast<const std::uint16_t*>(from.data) + place;
      for (int i = 0; i < count; ++i) to[i] = of_fp16(numbers[i]);
      return;
    }
    case Format::fp64: {
      const double* numbers = static_cast<const double*>(from.data) + place;
      for (int i = 0; i < count; ++i) to[i] = static_cast<T>(numbers[i]);
      return;
    }
  }
}

}  // namespace
}  // namespace icfast
