// csrc/cuda/cublaslt.hpp against the library's own header, where there is one; nothing runs.
#include <cublasLt.h>

#include <type_traits>

#include "../cuda/cublaslt.hpp"

namespace icfast::cuda::lt {
namespace {

static_assert(kSuccess == CUBLAS_STATUS_SUCCESS);
static_assert(kNotInitialized == CUBLAS_STATUS_NOT_INITIALIZED);
static_assert(kNotSupported == CUBLAS_STATUS_NOT_SUPPORTED);
static_assert(kReal32 == CUDA_R_32F && kReal16 == CUDA_R_16F && kRealBf16 == CUDA_R_16BF);
static_assert(kCompute32 == CUBLAS_COMPUTE_32F);
static_assert(kTransposed == CUBLAS_OP_T);
static_assert(kBiasEpilogue == CUBLASLT_EPILOGUE_BIAS);
static_assert(kNoReduction == CUBLASLT_REDUCTION_SCHEME_NONE);
static_assert(static_cast<int>(kTransposeA) == CUBLASLT_MATMUL_DESC_TRANSA);
static_assert(static_cast<int>(kEpilogue) == CUBLASLT_MATMUL_DESC_EPILOGUE);
static_assert(static_cast<int>(kBiasPointer) == CUBLASLT_MATMUL_DESC_BIAS_POINTER);
static_assert(static_cast<int>(kMostWorkspaceBytes) == CUBLASLT_MATMUL_PREF_MAX_WORKSPACE_BYTES);
static_assert(static_cast<int>(kReductionSchemes) == CUBLASLT_MATMUL_PREF_REDUCTION_SCHEME_MASK);
static_assert(static_cast<int>(kLeastAlignmentA) == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_A_BYTES);
static_assert(static_cast<int>(kLeastAlignmentB) == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_B_BYTES);
static_assert(static_cast<int>(kLeastAlignmentC) == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_C_BYTES);
static_assert(static_cast<int>(kLeastAlignmentD) == CUBLASLT_MATMUL_PREF_MIN_ALIGNMENT_D_BYTES);
static_assert(static_cast<int>(kAlgoId) == CUBLASLT_ALGO_CONFIG_ID);
static_assert(static_cast<int>(kTileId) == CUBLASLT_ALGO_CONFIG_TILE_ID);
static_assert(static_cast<int>(kSplitK) == CUBLASLT_ALGO_CONFIG_SPLITK_NUM);
static_assert(static_cast<int>(kReductionScheme) == CUBLASLT_ALGO_CONFIG_REDUCTION_SCHEME);
static_assert(static_cast<int>(kSwizzling) == CUBLASLT_ALGO_CONFIG_CTA_SWIZZLING);
static_assert(static_cast<int>(kCustomOption) == CUBLASLT_ALGO_CONFIG_CUSTOM_OPTION);
static_assert(static_cast<int>(kStagesId) == CUBLASLT_ALGO_CONFIG_STAGES_ID);

static_assert(sizeof(Algo) == sizeof(cublasLtMatmulAlgo_t));
static_assert(sizeof(HeuristicResult) == sizeof(cublasLtMatmulHeuristicResult_t));
static_assert(offsetof(HeuristicResult, workspace_bytes) ==
              offsetof(cublasLtMatmulHeuristicResult_t, workspaceSize));
static_assert(offsetof(HeuristicResult, state) == offsetof(cublasLtMatmulHeuristicResult_t, state));

/// Types the library makes are pointers, and enumerations ints, to it and to us.
template <class Ours, class Theirs>
constexpr bool same_parameter() {
  if constexpr (std::is_pointer_v<Ours> && std::is_pointer_v<Theirs>) return true;
  return sizeof(Ours) == sizeof(Theirs) && std::is_pointer_v<Ours> == std::is_pointer_v<Theirs>;
}
template <class Ours, class Theirs>
constexpr bool same_call = false;
template <class R, class... Ours, class T, class... Theirs>
  requires(sizeof...(Ours) == sizeof...(Theirs))
constexpr bool same_call<R (*)(Ours...), T (*)(Theirs...)> =
    same_parameter<R, T>() && (same_parameter<Ours, Theirs>() && ...);

#define ICFAST_SAME(name) \
  static_assert(same_call<decltype(Functions::name), decltype(&cublasLt##name)>)
ICFAST_SAME(GetVersion);
ICFAST_SAME(GetStatusString);
ICFAST_SAME(Create);
ICFAST_SAME(MatmulDescCreate);
ICFAST_SAME(MatmulDescDestroy);
ICFAST_SAME(MatmulDescSetAttribute);
ICFAST_SAME(MatrixLayoutCreate);
ICFAST_SAME(MatrixLayoutDestroy);
ICFAST_SAME(MatmulPreferenceCreate);
ICFAST_SAME(MatmulPreferenceDestroy);
ICFAST_SAME(MatmulPreferenceSetAttribute);
ICFAST_SAME(MatmulAlgoGetHeuristic);
ICFAST_SAME(MatmulAlgoConfigGetAttribute);
ICFAST_SAME(Matmul);
#undef ICFAST_SAME

}  // namespace
}  // namespace icfast::cuda::lt
