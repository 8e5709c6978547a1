// Chooses the instruction set, from this machine and the environment variable ICFAST_ISA.
#include "icfast/isa.hpp"

#include <cstdlib>
#include <string>
#include <string_view>

#if defined(ICFAST_AMX)
#include <cpuid.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#endif

namespace icfast {
namespace {

constexpr Isa kBestFirst[] = {Isa::amx, Isa::avx512, Isa::avx2, Isa::neon, Isa::portable};

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

#if defined(ICFAST_AMX)

/// Whether the processor has tiles of bf16, and the system saves them with a thread's registers.
bool has_tiles() {
  constexpr unsigned kBf16 = 1U << 22;
  constexpr unsigned kTile = 1U << 24;
  constexpr unsigned kXgetbv = 1U << 27;
  constexpr unsigned kSaved = 3U << 17;
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid(1, &a, &b, &c, &d) == 0 || (c & kXgetbv) == 0) return false;
  // __builtin_cpu_supports does not know AMX before GCC 13.
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return false;
  if ((d & kBf16) == 0 || (d & kTile) == 0) return false;
  unsigned low = 0, high = 0;
  asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
  return (low & kSaved) == kSaved;
}

/// Linux lets a process use the tile registers once it has asked for them; the answer holds for
/// all of its threads. 0, or the error number.
int ask_for_tiles() {
  constexpr long kRequest = 0x1023;  // ARCH_REQ_XCOMP_PERM
  constexpr long kTileData = 18;     // XFEATURE_XTILEDATA
  return syscall(SYS_arch_prctl, kRequest, kTileData) == 0 ? 0 : errno;
}

struct Tiles {
  bool present = has_tiles();
  int refused = present ? ask_for_tiles() : 0;
};

const Tiles& tiles() {
  static const Tiles found;
  return found;
}

#endif

/// What forbids an instruction set that the processor has; mostly nothing.
std::string refusal([[maybe_unused]] std::string_view name) {
#if defined(ICFAST_AMX)
  if (name == name_of(Isa::amx) && tiles().refused != 0) {
    return "; the system refused the tile registers (arch_prctl: " +
           std::string(std::strerror(tiles().refused)) + ")";
  }
#endif
  return "";
}

Choice choose() {
  const char* forced = std::getenv("ICFAST_ISA");
  for (const Isa isa : kBestFirst) {
    const bool asked =
        forced == nullptr || *forced == 0 || std::string_view(forced) == name_of(isa);
    if (asked && runs(isa)) return {isa, ""};
  }
  return {Isa::portable, "ICFAST_ISA is '" + std::string(forced) + "', and this machine has " +
                             names_of_those_that_run() + refusal(forced) +
                             "; set it to one of these, or unset it"};
}

const Choice& chosen() {
  static const Choice choice = choose();
  return choice;
}

}  // namespace

bool runs([[maybe_unused]] Isa isa) {
#if defined(ICFAST_AMX)
  if (isa == Isa::amx) return runs(Isa::avx512) && tiles().present && tiles().refused == 0;
#endif
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
    case Isa::amx:
      return "amx";
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
