// cuBLASLt on the host, as far as csrc/cuda calls it: descriptors that remember, proposals of which
// one alone may be taken, and products that refuse what a device could not do.
#include <cstdint>
#include <cstring>
#include <map>
#include <vector>

#include "../cuda/cublaslt.hpp"

namespace icfast::cuda::lt {

struct Handle {};
struct MatmulDesc {
  int compute, scale;
  std::map<int, std::vector<char>> attributes;
};
struct MatrixLayout {
  int type;
  std::uint64_t rows, columns;
  std::int64_t stride;
};
struct Preference {
  std::map<int, std::vector<char>> attributes;
};

}  // namespace icfast::cuda::lt

namespace {

using namespace icfast::cuda::lt;

constexpr Status kInvalid = 7;
constexpr std::uint64_t kGood = 5;  // of the proposals
// Proposals that do not say whether they split the width.
constexpr std::uint64_t kNoSplit = 7;
constexpr std::uint64_t kNoScheme = 8;
constexpr std::uint64_t kShortSplit = 9;
Handle the_handle;
int heuristics = 0;

template <class T>
bool has(const std::map<int, std::vector<char>>& attributes, int attribute, T value) {
  const auto found = attributes.find(attribute);
  return found != attributes.end() && found->second.size() == sizeof value &&
         std::memcmp(found->second.data(), &value, sizeof value) == 0;
}

void keep(std::map<int, std::vector<char>>& attributes, int attribute, const void* value,
          std::size_t bytes) {
  const auto* from = static_cast<const char*>(value);
  attributes[attribute].assign(from, from + bytes);
}

std::uint64_t size_of(int type) { return type == kReal32 ? 4 : 2; }

float number(const void* numbers, int type, std::uint64_t index) {
  if (type == kReal32) return static_cast<const float*>(numbers)[index];
  const std::uint16_t half = static_cast<const std::uint16_t*>(numbers)[index];
  if (type == kRealBf16) {
    const std::uint32_t bits = std::uint32_t{half} << 16;
    float wide;
    std::memcpy(&wide, &bits, sizeof wide);
    return wide;
  }
  _Float16 narrow;
  std::memcpy(&narrow, &half, sizeof narrow);
  return static_cast<float>(narrow);
}

bool aligned(const void* address, std::uintptr_t bytes) {
  return reinterpret_cast<std::uintptr_t>(address) % bytes == 0;
}

/// logits^T = weight hidden^T, as a device takes it.
bool fits(const MatmulDesc& matmul, const MatrixLayout& a, const MatrixLayout& b,
          const MatrixLayout& c) {
  return matmul.compute == kCompute32 && matmul.scale == kReal32 &&
         has(matmul.attributes, kTransposeA, kTransposed) && a.type == b.type &&
         c.type == kReal32 && a.rows == b.rows && a.columns == c.rows && b.columns == c.columns &&
         a.rows * size_of(a.type) % 16 == 0 && c.stride % 4 == 0;
}

}  // namespace

extern "C" {

std::size_t cublasLtGetVersion() { return 130000; }
const char* cublasLtGetStatusString(Status status) {
  return status == kNotSupported ? "not supported" : "another";
}
Status cublasLtCreate(Handle** handle) {
  *handle = &the_handle;
  return kSuccess;
}
Status cublasLtMatmulDescCreate(MatmulDesc** to, int compute, int scale) {
  *to = new MatmulDesc{compute, scale, {}};
  return kSuccess;
}
Status cublasLtMatmulDescDestroy(MatmulDesc* matmul) {
  delete matmul;
  return kSuccess;
}
Status cublasLtMatmulDescSetAttribute(MatmulDesc* matmul, MatmulAttribute attribute,
                                      const void* value, std::size_t bytes) {
  keep(matmul->attributes, attribute, value, bytes);
  return kSuccess;
}
Status cublasLtMatrixLayoutCreate(MatrixLayout** to, int type, std::uint64_t rows,
                                  std::uint64_t columns, std::int64_t stride) {
  if (stride < static_cast<std::int64_t>(rows)) return kInvalid;
  *to = new MatrixLayout{type, rows, columns, stride};
  return kSuccess;
}
Status cublasLtMatrixLayoutDestroy(MatrixLayout* layout) {
  delete layout;
  return kSuccess;
}
Status cublasLtMatmulPreferenceCreate(Preference** to) {
  *to = new Preference{};
  return kSuccess;
}
Status cublasLtMatmulPreferenceDestroy(Preference* preference) {
  delete preference;
  return kSuccess;
}
Status cublasLtMatmulPreferenceSetAttribute(Preference* preference, PreferenceAttribute attribute,
                                            const void* value, std::size_t bytes) {
  keep(preference->attributes, attribute, value, bytes);
  return kSuccess;
}

Status cublasLtMatmulAlgoGetHeuristic(Handle* handle, MatmulDesc* matmul, MatrixLayout* a,
                                      MatrixLayout* b, MatrixLayout* c, MatrixLayout* d,
                                      Preference* preference, int asked, HeuristicResult* results,
                                      int* found) {
  ++heuristics;
  const auto& wanted = preference->attributes;
  const bool asks = has(wanted, kReductionSchemes, kNoReduction) &&
                    has(wanted, kLeastAlignmentA, std::uint32_t{16}) &&
                    wanted.count(kMostWorkspaceBytes) == 1;
  if (handle != &the_handle || !asks || !fits(*matmul, *a, *b, *c) || c != d) return kInvalid;
  if (a->columns == 17) return kNotSupported;
  std::uint64_t most = 0;
  std::memcpy(&most, wanted.at(kMostWorkspaceBytes).data(), sizeof most);
  *found = 0;
  const auto propose = [&](std::uint64_t id, std::int32_t split, Status state, std::size_t bytes) {
    if (*found == asked) return;
    results[(*found)++] = {{{id, static_cast<std::uint64_t>(split)}}, bytes, state, 1, {}};
  };
  propose(1, 1, kNotSupported, 0);
  propose(2, 4, kSuccess, 0);
  propose(3, 1, kSuccess, most + 1);
  propose(kNoSplit, 1, kSuccess, 0);
  propose(kNoScheme, 1, kSuccess, 0);
  propose(kShortSplit, 1, kSuccess, 0);
  propose(kGood, 1, kSuccess, most);
  propose(6, 1, kSuccess, 0);
  return kSuccess;
}

Status cublasLtMatmulAlgoConfigGetAttribute(const Algo* algo, AlgoAttribute attribute, void* value,
                                            std::size_t bytes, std::size_t* written) {
  std::int32_t found = 0;
  if (attribute == kAlgoId) found = static_cast<std::int32_t>(algo->data[0]);
  if (attribute == kSplitK) found = static_cast<std::int32_t>(algo->data[1]);
  if (bytes != sizeof found) return kInvalid;
  if (attribute == kSplitK && algo->data[0] == kNoSplit) return kNotSupported;
  if (attribute == kReductionScheme && algo->data[0] == kNoScheme) return kNotSupported;
  std::memcpy(value, &found, sizeof found);
  const bool is_short = attribute == kSplitK && algo->data[0] == kShortSplit;
  *written = is_short ? 0 : sizeof found;
  return kSuccess;
}

/// Dot products in fp32, in one sequence.
Status cublasLtMatmul(Handle*, MatmulDesc* matmul, const void* alpha, const void* a,
                      MatrixLayout* a_layout, const void* b, MatrixLayout* b_layout,
                      const void* beta, const void* c, MatrixLayout* c_layout, void* d,
                      MatrixLayout* d_layout, const Algo* algo, void*, std::size_t, CUstream_st*) {
  const bool plain = *static_cast<const float*>(alpha) == 1 &&
                     *static_cast<const float*>(beta) == 0 && c == d && c_layout == d_layout;
  if (!plain || algo->data[0] != kGood || !fits(*matmul, *a_layout, *b_layout, *c_layout) ||
      !aligned(a, 16) || !aligned(b, 256) || !aligned(d, 256)) {
    return kInvalid;
  }
  const float* bias = nullptr;
  if (has(matmul->attributes, kEpilogue, kBiasEpilogue)) {
    std::memcpy(&bias, matmul->attributes.at(kBiasPointer).data(), sizeof bias);
    if (bias == nullptr || !aligned(bias, 256)) return kInvalid;
  }
  auto* to = static_cast<float*>(d);
  for (std::uint64_t row = 0; row < c_layout->columns; ++row) {
    for (std::uint64_t column = 0; column < c_layout->rows; ++column) {
      float sum = 0;
      for (std::uint64_t k = 0; k < a_layout->rows; ++k) {
        sum +=
            number(a, a_layout->type, column * static_cast<std::uint64_t>(a_layout->stride) + k) *
            number(b, b_layout->type, row * static_cast<std::uint64_t>(b_layout->stride) + k);
      }
      to[row * static_cast<std::uint64_t>(c_layout->stride) + column] =
          bias == nullptr ? sum : sum + bias[column];
    }
  }
  return kSuccess;
}

/// How often an algorithm was asked for.
int fake_cublaslt_heuristics() { return heuristics; }

}  // extern "C"
