// Tiles of logits by cuBLASLt: one algorithm for each shape of tile and device, chosen once.
#pragma once
#include <map>
#include <mutex>
#include <string>
#include <tuple>
#include <vector>

#include "cublaslt.hpp"
#include "linear_plan.hpp"

namespace icfast::cuda {

/// Handles of devices and algorithms of shapes, for as long as the process lives.
class Products {
 public:
  /// Loads the library where it was not; empty, or what was tried and why nothing came of it.
  std::string load(const std::vector<std::string>& folders);
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

/// What a status of cuBLASLt is called.
const char* name_of_product_error(lt::Status status);

/// logits[rows, columns] = hidden[rows, width] weight[columns, width]^T + bias[columns], of one
/// plan. The algorithm adds a dot product in one sequence (no split of the width), and is the first
/// that the library proposes for the tile's shape and what alignment the plan grants; never that of
/// a batch.
class TileProduct {
 public:
  explicit TileProduct(Products& of) : products_(of), call_(of.cublaslt_.functions) {}
  ~TileProduct();
  TileProduct(const TileProduct&) = delete;
  TileProduct& operator=(const TileProduct&) = delete;

  /// `device` must be current. A bias is any of those that will be given.
  lt::Status make(const LinearPlan& plan, int device, const float* bias);
  lt::Status run(const void* hidden, const void* weight, const float* bias, float* logits,
                 void* workspace, CUstream_st* stream);
  /// The chosen algorithm's configuration, as cuBLASLt numbers it.
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
