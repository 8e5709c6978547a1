// Declarations of the part of cuBLASLt that products need. The library is loaded on first use, and
// a toolkit may lack its header. Values and layouts are those of cublasLt.h 11 to 13;
// csrc/tests/check_cublaslt.cpp compares them with a header if one is found.
#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

struct CUstream_st;

namespace icfast::cuda::lt {

using Status = int;  // cublasStatus_t
constexpr Status kSuccess = 0;
constexpr Status kNotInitialized = 1;
constexpr Status kNotSupported = 15;

// Opaque types that the library creates and destroys.
struct Handle;
struct MatmulDesc;
struct MatrixLayout;
struct Preference;

struct Algo {
  std::uint64_t data[8];
};

struct HeuristicResult {
  Algo algo;
  std::size_t workspace_bytes;
  Status state;
  float waves;
  int reserved[4];
};

// cudaDataType_t
constexpr int kReal32 = 0;
constexpr int kReal16 = 2;
constexpr int kRealBf16 = 14;

constexpr int kCompute32 = 68;  // CUBLAS_COMPUTE_32F: no TF32
constexpr std::int32_t kTransposed = 1;
constexpr std::uint32_t kBiasEpilogue = 4;
constexpr std::uint32_t kNoReduction = 0;  // sum a dot product in one sequence

enum MatmulAttribute : int { kTransposeA = 3, kEpilogue = 7, kBiasPointer = 8 };
enum PreferenceAttribute : int {
  kMostWorkspaceBytes = 1,
  kReductionSchemes = 3,
  kLeastAlignmentA = 5,
  kLeastAlignmentB = 6,
  kLeastAlignmentC = 7,
  kLeastAlignmentD = 8,
};
enum AlgoAttribute : int {
  kAlgoId = 0,
  kTileId = 1,
  kSplitK = 2,
  kReductionScheme = 3,
  kSwizzling = 4,
  kCustomOption = 5,
  kStagesId = 6,
};

/// The library's functions, named without the prefix "cublasLt". Matrices are column-major.
struct Functions {
  std::size_t (*GetVersion)();
  const char* (*GetStatusString)(Status);
  Status (*Create)(Handle**);
  Status (*MatmulDescCreate)(MatmulDesc**, int compute, int scale);
  Status (*MatmulDescDestroy)(MatmulDesc*);
  Status (*MatmulDescSetAttribute)(MatmulDesc*, MatmulAttribute, const void*, std::size_t bytes);
  Status (*MatrixLayoutCreate)(MatrixLayout**, int type, std::uint64_t rows, std::uint64_t columns,
                               std::int64_t stride);
  Status (*MatrixLayoutDestroy)(MatrixLayout*);
  Status (*MatmulPreferenceCreate)(Preference**);
  Status (*MatmulPreferenceDestroy)(Preference*);
  Status (*MatmulPreferenceSetAttribute)(Preference*, PreferenceAttribute, const void*,
                                         std::size_t bytes);
  Status (*MatmulAlgoGetHeuristic)(Handle*, MatmulDesc*, MatrixLayout* a, MatrixLayout* b,
                                   MatrixLayout* c, MatrixLayout* d, Preference*, int asked,
                                   HeuristicResult*, int* found);
  Status (*MatmulAlgoConfigGetAttribute)(const Algo*, AlgoAttribute, void*, std::size_t bytes,
                                         std::size_t* written);
  Status (*Matmul)(Handle*, MatmulDesc*, const void* alpha, const void* a, MatrixLayout*,
                   const void* b, MatrixLayout*, const void* beta, const void* c, MatrixLayout*,
                   void* d, MatrixLayout*, const Algo*, void* workspace,
                   std::size_t workspace_bytes, CUstream_st*);
};

/// The loaded library, or the reason why none was loaded.
struct Library {
  Functions functions{};
  std::string path;
  std::string error;
};

/// Loads the first library found: one that this process has loaded already (torch's), one in these
/// folders, or one that the loader finds by its name. The library stays loaded.
Library open(const std::vector<std::string>& folders);

}  // namespace icfast::cuda::lt
