#include "tile_product.hpp"

#include <iterator>

namespace icfast::cuda {
namespace {

constexpr int kProposals = 16;
constexpr std::int64_t kUnreadable = -1;

int type_of(Format format) {
  return format == Format::bf16   ? lt::kRealBf16
         : format == Format::fp16 ? lt::kReal16
                                  : lt::kReal32;
}

/// Returns the status of the first call that fails; later calls are skipped.
template <class... Steps>
lt::Status all(Steps... steps) {
  lt::Status status = lt::kSuccess;
  static_cast<void>(((status = steps(), status == lt::kSuccess) && ...));
  return status;
}

std::int64_t config(const lt::Functions& call, const lt::Algo& algo, lt::AlgoAttribute attribute) {
  std::int32_t value = 0;
  std::size_t written = 0;
  const lt::Status status =
      call.MatmulAlgoConfigGetAttribute(&algo, attribute, &value, sizeof value, &written);
  return status == lt::kSuccess && written == sizeof value ? value : kUnreadable;
}

/// Returns whether an algorithm sums the width in one sequence. One that does not say so may not.
bool is_whole(const lt::Functions& call, const lt::Algo& algo) {
  const std::int64_t split = config(call, algo, lt::kSplitK);
  return (split == 0 || split == 1) && config(call, algo, lt::kReductionScheme) == 0;
}

}  // namespace

Products& products() {
  static Products held;
  return held;
}

const char* name_of_product_error(lt::Status status) { return products().name_of(status); }

const char* Products::name_of(lt::Status status) {
  const std::lock_guard lock(mutex_);
  if (cublaslt_.path.empty()) return "cuBLASLt is not loaded";
  return cublaslt_.functions.GetStatusString(status);
}

bool Products::loaded() {
  const std::lock_guard lock(mutex_);
  return !cublaslt_.path.empty();
}

std::string Products::load(const std::vector<std::string>& folders) {
  const std::lock_guard lock(mutex_);
  if (cublaslt_.path.empty()) cublaslt_ = lt::open(folders);
  return cublaslt_.error;
}

TileProduct::~TileProduct() {
  if (matmul_ != nullptr) call_.MatmulDescDestroy(matmul_);
  for (lt::MatrixLayout* layout : {weight_, hidden_, logits_}) {
    if (layout != nullptr) call_.MatrixLayoutDestroy(layout);
  }
}

/// Row-major matrices are column-major for cuBLASLt: logits^T = weight hidden^T, weights
/// transposed.
lt::Status TileProduct::describe(const LinearPlan& plan, const float* bias) {
  const auto layout = [&](lt::MatrixLayout*& to, int type, std::int64_t rows, std::int64_t columns,
                          std::int64_t stride) {
    return call_.MatrixLayoutCreate(&to, type, static_cast<std::uint64_t>(rows),
                                    static_cast<std::uint64_t>(columns), stride);
  };
  const auto set = [&](lt::MatmulAttribute attribute, const auto& value) {
    return call_.MatmulDescSetAttribute(matmul_, attribute, &value, sizeof value);
  };
  const int type = type_of(plan.format);
  has_bias_ = bias != nullptr;
  return all([&] { return call_.MatmulDescCreate(&matmul_, lt::kCompute32, lt::kReal32); },
             [&] { return set(lt::kTransposeA, lt::kTransposed); },
             [&] { return has_bias_ ? set(lt::kEpilogue, lt::kBiasEpilogue) : lt::kSuccess; },
             [&] { return has_bias_ ? set(lt::kBiasPointer, bias) : lt::kSuccess; },
             [&] { return layout(weight_, type, plan.width, plan.columns, plan.width); },
             [&] { return layout(hidden_, type, plan.width, plan.rows, plan.width); },
             [&] { return layout(logits_, lt::kReal32, plan.columns, plan.rows, plan.stride); });
}

lt::Status TileProduct::choose() {
  lt::Preference* preference = nullptr;
  const auto set = [&](lt::PreferenceAttribute attribute, auto value) {
    return call_.MatmulPreferenceSetAttribute(preference, attribute, &value, sizeof value);
  };
  const auto alignment = [&](lt::PreferenceAttribute attribute, int bytes) {
    return set(attribute, static_cast<std::uint32_t>(bytes));
  };
  lt::HeuristicResult proposals[kProposals] = {};
  int found = 0;
  lt::Status status =
      all([&] { return call_.MatmulPreferenceCreate(&preference); },
          [&] { return set(lt::kMostWorkspaceBytes, std::uint64_t{kWorkspaceBytes}); },
          [&] { return set(lt::kReductionSchemes, lt::kNoReduction); },
          [&] { return alignment(lt::kLeastAlignmentA, kVectorBytes); },
          [&] { return alignment(lt::kLeastAlignmentB, kScratchStep); },
          [&] { return alignment(lt::kLeastAlignmentC, kScratchStep); },
          [&] { return alignment(lt::kLeastAlignmentD, kScratchStep); },
          [&] {
            return call_.MatmulAlgoGetHeuristic(handle_, matmul_, weight_, hidden_, logits_,
                                                logits_, preference, kProposals, proposals, &found);
          });
  if (preference != nullptr) call_.MatmulPreferenceDestroy(preference);
  if (status != lt::kSuccess) return status;
  for (int i = 0; i < found; ++i) {
    const lt::HeuristicResult& proposal = proposals[i];
    if (proposal.state != lt::kSuccess || proposal.workspace_bytes > kWorkspaceBytes) continue;
    if (!is_whole(call_, proposal.algo)) continue;
    algo_ = proposal.algo;
    return lt::kSuccess;
  }
  return lt::kNotSupported;
}

lt::Status TileProduct::make(const LinearPlan& plan, int device, const float* bias) {
  const std::lock_guard lock(products_.mutex_);
  if (products_.cublaslt_.path.empty()) return lt::kNotInitialized;
  lt::Handle*& handle = products_.handles_[device];
  if (handle == nullptr) {
    if (const lt::Status status = call_.Create(&handle); status != lt::kSuccess) {
      handle = nullptr;
      return status;
    }
  }
  handle_ = handle;
  if (const lt::Status status = describe(plan, bias); status != lt::kSuccess) return status;
  const Products::Shape shape{device, plan.format, plan.width, plan.rows, plan.columns, has_bias_};
  if (const auto known = products_.algorithms_.find(shape); known != products_.algorithms_.end()) {
    algo_ = known->second;
    return lt::kSuccess;
  }
  const lt::Status status = choose();
  if (status == lt::kSuccess) products_.algorithms_[shape] = algo_;
  return status;
}

lt::Status TileProduct::run(const void* hidden, const void* weight, const float* bias,
                            float* logits, void* workspace, CUstream_st* stream) {
  constexpr float kOne = 1;
  constexpr float kZero = 0;
  if (has_bias_) {
    const lt::Status status =
        call_.MatmulDescSetAttribute(matmul_, lt::kBiasPointer, &bias, sizeof bias);
    if (status != lt::kSuccess) return status;
  }
  return call_.Matmul(handle_, matmul_, &kOne, weight, weight_, hidden, hidden_, &kZero, logits,
                      logits_, logits, logits_, &algo_, workspace, kWorkspaceBytes, stream);
}

std::string TileProduct::algorithm() const {
  constexpr struct {
    const char* name;
    lt::AlgoAttribute attribute;
  } kParts[] = {{"algorithm", lt::kAlgoId},   {"tile", lt::kTileId},
                {"stages", lt::kStagesId},    {"split_k", lt::kSplitK},
                {"swizzle", lt::kSwizzling},  {"reduction", lt::kReductionScheme},
                {"custom", lt::kCustomOption}};
  std::string text = "cuBLASLt " + std::to_string(call_.GetVersion());
  for (const auto& part : kParts) {
    text +=
        std::string(" ") + part.name + " " + std::to_string(config(call_, algo_, part.attribute));
  }
  return text;
}

}  // namespace icfast::cuda
