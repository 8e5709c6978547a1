// The instruction set kernels run on, chosen once a process.
#pragma once
#if defined(ICFAST_AVX512)
#include <cstdlib>
#include <string_view>

namespace icfast {

/// ICFAST_ISA=portable keeps to the code any machine runs.
inline bool use_avx512() {
  static const bool use = [] {
    const char* forced = std::getenv("ICFAST_ISA");
    if (forced != nullptr && std::string_view(forced) == "portable") return false;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("bmi2");
  }();
  return use;
}

}  // namespace icfast
#endif
