// The token widths, key widths and counter widths the kernels are compiled for.
#pragma once
#include <cstdint>

#define ICFAST_FOR_EACH_TOKEN(DO) DO(std::uint8_t) DO(std::uint16_t) DO(std::uint32_t)
#define ICFAST_FOR_EACH_WIDTH(DO) DO(1) DO(2) DO(3) DO(4)
#define ICFAST_FOR_EACH_WORD(DO) DO(std::uint32_t) DO(std::uint64_t)
