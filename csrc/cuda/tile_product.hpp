// Tiles of logits by cuBLASLt, with one algorithm for each device and shape of tile, chosen once.
#pragma once
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "cublaslt.hpp"
#include "linear_plan.hpp"

namespace icfast::cuda {

/// Handles of devices and algorithms of shapes, kept until the process ends.
class Products {
 public:
  /// Loads the library if necessary. Returns an empty string, or the places tried and their errors.
  std::string load(const std::vector<std::string>& folders);
  /// Returns whether the library is loaded.
  bool loaded();
  const char* name_of(lt::Status status);

 private:
  friend class TileProduct;
  using Shape = std::tuple<int, Format, std::int64_t, std::int64_t, std::int64_t, bool>;

  std::mutex mutex_;
  lt::Library cublaslt_;
  std::map<int, lt::Handle*> handles_;
  std::map<Shape, lt::Algo> algorithms_;
};

Products& products();

/// Returns the name of a status of cuBLASLt.
const char* name_of_product_error(lt::Status status);

/// logits[rows, columns] = hidden[rows, width] weight[columns, width]^T + bias[columns], of one
/// plan. The algorithm sums a dot product in one sequence, without a split of the width. It is the
/// first that the library proposes for the tile's shape and the plan's alignment, and does not
/// depend on the batch.
class TileProduct {
 public:
  explicit TileProduct(Products& of) : products_(of), call_(of.cublaslt_.functions) {}
  ~TileProduct();
  TileProduct(const TileProduct&) = delete;
  TileProduct& operator=(const TileProduct&) = delete;

  /// `device` must be current. `bias` may be any of the biases of later calls.
  lt::Status make(const LinearPlan& plan, int device, const float* bias);
  lt::Status run(const void* hidden, const void* weight, const float* bias, float* logits,
                 void* workspace, CUstream_st* stream);
  /// Returns the configuration of the chosen algorithm in cuBLASLt's numbers.
  std::string algorithm() const;

 private:
  lt::Status choose();
  lt::Status describe(const LinearPlan& plan, const float* bias);

  Products& products_;
  const lt::Functions& call_;
  lt::Handle* handle_ = nullptr;
  lt::MatmulDesc* matmul_ = nullptr;
  lt::MatrixLayout* weight_ = nullptr;
  lt::MatrixLayout* hidden_ = nullptr;
  lt::MatrixLayout* logits_ = nullptr;
  bool has_bias_ = false;
  lt::Algo algo_{};
};

}  // namespace icfast::cuda
