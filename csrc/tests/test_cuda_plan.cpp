// The plan of tiles for hidden states on a device, and the choice of products, on the host.
#include "../cuda/architectures.hpp"
#include "cuda_linear.hpp"

namespace icfast::tests {
namespace {

constexpr std::int64_t kBudget = 256 << 20;

Linear layer(std::int64_t rows, std::int64_t width, std::int64_t columns, Format hidden,
             Format weight, bool bias) {
  return {{nullptr, hidden, rows, width, width},
          {nullptr, weight, columns, width, width},
          {nullptr, Format::fp32, 1, bias ? columns : 0, columns},
          {},
          {columns, 0, 1, kIgnored},
          {},
          {2048, 4224},
          nullptr,
          0};
}

TEST(cuda_linear_tiles_have_every_column_once_and_stay_within_the_weights) {
  for (const std::int64_t columns :
       {1, 2, 63, 64, 65, 4223, 4224, 4225, 32000, 50257, 128256, 131072, 151936, 262144}) {
    for (const std::int64_t width : {1, 40, 4096, 16384}) {
      const Case named("columns", columns, "width", width);
      const LinearPlan plan =
          LinearPlan::of(layer(5, width, columns, Format::bf16, Format::bf16, true));
      std::int64_t next = 0;
      for (std::int64_t tile = 0; tile < plan.tiles; ++tile) {
        const std::int64_t begin = plan.begin_of(tile);
        CHECK(begin >= 0 && begin + plan.columns <= columns);
        CHECK_EQUAL(next, plan.first_of(tile));
        CHECK(begin <= next && next < begin + plan.columns);
        next = begin + plan.columns;
      }
      CHECK_EQUAL(columns, next);
      CHECK(plan.columns <= plan.stride && plan.stride % 64 == 0);
      // As few as can be, and no more than a step each beyond what there is.
      CHECK(plan.tiles * plan.columns <= columns + plan.tiles * cuda::kColumnStep);
    }
  }
}

TEST(cuda_linear_scratch_is_within_its_budget_and_the_same_for_any_batch) {
  for (const Format format : {Format::bf16, Format::fp16, Format::fp32}) {
    for (const std::int64_t width : {64, 4096, 5120, 8192, 16384, 65536}) {
      for (const std::int64_t columns : {1000, 128256, 262144}) {
        for (const bool bias : {false, true}) {
          const Case named("width", width, "columns", columns, "format", static_cast<int>(format));
          Linear linear = layer(1, width, columns, format, Format::fp32, bias);
          linear.weight.stride = width + 1;  // so that weights are staged
          const LinearPlan one = LinearPlan::of(linear);
          CHECK(one.stages_weight && one.scratch_bytes <= kBudget);
          linear.hidden.rows = std::int64_t{1} << 40;
          CHECK_EQUAL(one.scratch_bytes, LinearPlan::of(linear).scratch_bytes);
          CHECK_EQUAL(one.rows, LinearPlan::of(linear).rows);
          linear.weight.stride = width;
          CHECK_EQUAL(one.columns, LinearPlan::of(linear).columns);
        }
      }
    }
  }
}

TEST(cuda_linear_weights_are_read_where_they_lie_if_products_can) {
  const auto staged = [](Format hidden, Format weight, std::int64_t width, std::int64_t stride,
                         std::uintptr_t address) {
    Linear linear = layer(1, width, 1000, hidden, weight, false);
    linear.weight.stride = stride;
    linear.weight.data = reinterpret_cast<const void*>(address);
    return LinearPlan::of(linear).stages_weight;
  };
  CHECK(!staged(Format::bf16, Format::bf16, 64, 64, 4096 + 16));
  CHECK(staged(Format::bf16, Format::bf16, 64, 64, 4096 + 8));
  CHECK(staged(Format::bf16, Format::bf16, 64, 72, 4096));
  CHECK(staged(Format::bf16, Format::bf16, 60, 60, 4096));
  CHECK(staged(Format::fp32, Format::bf16, 64, 64, 4096));
  CHECK(!staged(Format::bf16, Format::fp32, 64, 64, 4096));
  CHECK(!staged(Format::fp32, Format::fp32, 60, 60, 4096));
}

TEST(cuda_architectures_of_a_build_cover_devices) {
  using cuda::covers;
  CHECK(covers("90", 9, 0) && covers("90", 10, 0) && covers("90", 12, 0) && !covers("90", 8, 9));
  CHECK(covers("80-real", 8, 0) && covers("80-real", 8, 6) && !covers("80-real", 9, 0));
  CHECK(!covers("86-real", 8, 0) && !covers("80-real", 7, 5));
  CHECK(covers("80-virtual", 8, 0) && covers("80-virtual", 12, 0) && !covers("90-virtual", 8, 6));
  CHECK(covers("90a", 9, 0) && covers("90a-real", 9, 0) && !covers("90a", 10, 0));
  CHECK(covers("100f", 10, 3) && !covers("100f", 12, 0) && !covers("100f", 9, 0));
  const char* standard = "80-real 86-real 89-real 90-real 100-real 120";
  CHECK(covers(standard, 8, 0) && covers(standard, 8, 7) && covers(standard, 9, 0));
  CHECK(covers(standard, 10, 3) && covers(standard, 12, 1) && covers(standard, 13, 0));
  CHECK(!covers(standard, 7, 5) && !covers(standard, 11, 0) && !covers("", 9, 0));
  CHECK(covers("all-major", 5, 0));
}

// Products --------------------------------------------------------------------------------------

int heuristics() {
  void* library = dlopen("libcublasLt.so.13", RTLD_NOW | RTLD_NOLOAD);
  auto* asked = reinterpret_cast<int (*)()>(dlsym(library, "fake_cublaslt_heuristics"));
  const int times = asked();
  dlclose(library);
  return times;
}

TEST(cuda_linear_says_where_it_looked_for_products) {
  const auto open = [](const std::vector<std::string>& folders) { return cuda::lt::open(folders); };
  const auto has = [](const std::string& text, const std::string& part) {
    return text.find(part) != std::string::npos;
  };
  const cuda::lt::Library none = open({"/nowhere", ICFAST_BARE_CUBLASLT});
  if (none.path.empty()) {  // this machine may have a real one
    CHECK(has(none.error, "/nowhere/libcublasLt.so.13"));
    CHECK(has(none.error, "/nowhere/libcublasLt.so.11"));
    CHECK(has(none.error, std::string(ICFAST_BARE_CUBLASLT) +
                              "/libcublasLt.so.12: missing function cublasLtGetStatusString"));
    CHECK(has(none.error, "\n  libcublasLt.so.13: "));
  }
  const cuda::lt::Library found = open({"/nowhere", ICFAST_FAKE_CUBLASLT});
  CHECK_EQUAL(std::string(), found.error);
  CHECK_EQUAL(std::string(ICFAST_FAKE_CUBLASLT) + "/libcublasLt.so.13", found.path);
  // What a process has is taken again.
  CHECK_EQUAL(std::string("libcublasLt.so.13"), open({"/nowhere"}).path);
}

TEST(cuda_linear_has_one_algorithm_a_shape) {
  const auto algorithm = [](const LinearPlan& plan, int device) {
    cuda::TileProduct product(fake());
    CHECK_EQUAL(cuda::lt::kSuccess, product.make(plan, device, nullptr));
    return product.algorithm();
  };
  const auto plan_of = [](std::int64_t rows, std::int64_t columns) {
    return LinearPlan::of(layer(rows, 40, columns, Format::bf16, Format::bf16, false));
  };
  const int before = heuristics();
  for (const std::int64_t rows : {1, 7, 100000}) {
    // The first that is whole, says that it is unsplit and is content with its room.
    CHECK_EQUAL(std::string("cuBLASLt 130000 algorithm 5 tile 0 stages 0 split_k 1 swizzle 0 "
                            "reduction 0 custom 0"),
                algorithm(plan_of(rows, 100), 0));
  }
  CHECK_EQUAL(before + 1, heuristics());
  algorithm(plan_of(1, 101), 0);
  algorithm(plan_of(1, 100), 1);
  CHECK_EQUAL(before + 3, heuristics());
  cuda::TileProduct product(fake());
  CHECK_EQUAL(cuda::lt::kNotSupported, product.make(plan_of(1, 17), 0, nullptr));
  cuda::Products none;
  cuda::TileProduct without(none);
  CHECK_EQUAL(cuda::lt::kNotInitialized, without.make(plan_of(1, 100), 0, nullptr));
}

}  // namespace
}  // namespace icfast::tests
