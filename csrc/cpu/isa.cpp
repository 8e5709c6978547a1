// Chooses the instruction set, from this machine and the environment variable ICFAST_ISA.
#include "icfast/isa.hpp"

#include <cstdlib>
#include <string>
#include <string_view>

namespace icfast {
namespace {

constexpr Isa kBestFirst[] = {Isa::avx512, Isa::avx2, Isa::neon, Isa::portable};

struct Choice {
  Isa isa = Isa::portable;
  std::string error;
};

std::string names_of_those_that_run() {
  std::string names;
  for (const Isa isa : kBestFirst) {
    if (runs(isa)) names += (names.empty() ? "" : ", ") + std::string(name_of(isa));
  }
  return names;
}

Choice choose() {
  const char* forced = std::getenv("ICFAST_ISA");
  for (const Isa isa : kBestFirst) {
    const bool asked =
        forced == nullptr || *forced == 0 || std::string_view(forced) == name_of(isa);
    if (asked && runs(isa)) return {isa, ""};
  }
  return {Isa::portable, "ICFAST_ISA is '" + std::string(forced) + "', and this machine has " +
                             names_of_those_that_run() + "; set it to one of these, or unset it"};
}

const Choice& chosen() {
  static const Choice choice = choose();
  return choice;
}

}  // namespace

bool runs([[maybe_unused]] Isa isa) {
#if defined(ICFAST_AVX512)
  if (isa == Isa::avx512) {
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
           __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
           __builtin_cpu_supports("bmi2");
  }
#endif
#if defined(ICFAST_AVX2)
  if (isa == Isa::avx2) {
    // Every processor with AVX2 has F16C, which GCC 10 can't query.
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  }
#endif
#if defined(ICFAST_NEON)
  if (isa == Isa::neon) return true;
#endif
  return isa == Isa::portable;
}

Isa isa() { return chosen().isa; }

const char* isa_error() { return chosen().error.c_str(); }

const char* name_of(Isa isa) {
  switch (isa) {
    case Isa::avx512:
      return "avx512";
    case Isa::avx2:
      return "avx2";
    case Isa::neon:
      return "neon";
    case Isa::portable:
      break;
  }
  return "portable";
}

}  // namespace icfast
