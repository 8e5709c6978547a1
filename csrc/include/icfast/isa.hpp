// The instruction set kernels run on, chosen once a process.
#pragma once

namespace icfast {

enum class Isa { portable, neon, avx2, avx512 };

/// Whether this build has code for it and this machine runs it.
bool runs(Isa isa);

/// The best one; or what the environment's ICFAST_ISA names: avx512, avx2, neon or portable.
Isa isa();
const char* name_of(Isa isa);

/// What is wrong with ICFAST_ISA, empty if nothing; isa() is portable then.
const char* isa_error();

/// Kernels that have one fast unit only: sorting, spectra, the sieve.
inline bool use_avx512() {
  static const bool use = isa() == Isa::avx512;
  return use;
}

}  // namespace icfast
