// The instruction set of the kernels, chosen once per process.
#pragma once

namespace icfast {

enum class Isa { portable, neon, avx2, avx512, amx };

/// Whether this build has code for an instruction set and this machine runs it.
bool runs(Isa isa);

/// The chosen instruction set: the one that the environment variable ICFAST_ISA names (amx, avx512,
/// avx2, neon or portable), else the best one.
Isa isa();
const char* name_of(Isa isa);

/// The error in ICFAST_ISA, or an empty string. After an error isa() is portable.
const char* isa_error();

/// Whether to use AVX-512, for kernels without other fast versions: sorting, spectra, the sieve.
inline bool use_avx512() {
  static const bool use = isa() >= Isa::avx512;
  return use;
}

}  // namespace icfast
