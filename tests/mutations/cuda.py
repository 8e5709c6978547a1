"""Kernels of the CUDA part broken on purpose; their tests run on the host."""

from tests.mutations.harness import Mutation

SWEEP = "csrc/cuda/row_sweep.hpp"
TILES = "csrc/cuda/linear_tiles.hpp"
PLAN = "csrc/cuda/linear_plan.hpp"

MUTATIONS = [
    Mutation(
        "rounding errors of sums are not kept",
        SWEEP,
        "    low += (high - (sum - part)) + (term - part);\n",
        "",
        ("csrc/tests::cuda_",),
    ),
    Mutation(
        "a reference that lags is not noticed",
        SWEEP,
        "return t > k_ + 8;",
        "return t > k_ + 1000;",
        ("csrc/tests::cuda_rows",),
    ),
    Mutation(
        "entropy does not move with the reference",
        SWEEP,
        "(weighted_.value() + sum_.value() * gap) * scale",
        "weighted_.value() * scale",
        ("csrc/tests::cuda_rows",),
    ),
    Mutation(
        "a cap makes -inf finite",
        SWEEP,
        "return std::isinf(x) ? x : t;",
        "return t;",
        ("csrc/tests::cuda_rows",),
    ),
    Mutation(
        "ties are ranked",
        SWEEP,
        "larger_ += x > static_cast<float>(scale_.target);",
        "larger_ += x >= static_cast<float>(scale_.target);",
        ("csrc/tests::cuda_rows",),
    ),
    Mutation(
        "what fp32 cannot hold is dropped",
        SWEEP,
        "return add_vector_wide(words);",
        "return;",
        ("csrc/tests::cuda_rows",),
    ),
    Mutation(
        "a NaN without a reference is lost",
        SWEEP,
        "  if (!(fast.sum == fast.sum)) sums.wide = {0, kNotANumber, kNotANumber};\n",
        "",
        ("csrc/tests::cuda_",),
    ),
    Mutation(
        "bf16: the odd number of a word is read twice",
        SWEEP,
        "e % 2 == 0 ? words[e / 2] & 0xffff : words[e / 2] >> 16",
        "words[e / 2] >> 16",
        ("csrc/tests::cuda_",),
    ),
    Mutation(
        "a last tile goes beyond the weights",
        PLAN,
        "return std::min(tile * columns, vocabulary - columns);",
        "return tile * columns;",
        ("csrc/tests::cuda_linear",),
    ),
    Mutation(
        "columns of two tiles are swept twice",
        TILES,
        "const std::int64_t from = plan_.first_of(tile);",
        "const std::int64_t from = begin;",
        ("csrc/tests::cuda_linear",),
    ),
    Mutation(
        "a last tile has the biases of an earlier one",
        TILES,
        "                         plan_.begin_of(tile) * bytes_of(linear_.bias.format);",
        "                         plan_.first_of(tile) * bytes_of(linear_.bias.format);",
        ("csrc/tests::cuda_linear",),
    ),
    Mutation(
        "operands are not padded to whole vectors",
        PLAN,
        "plan.width = up_to(hidden.columns, kVectorBytes / size);",
        "plan.width = hidden.columns;",
        ("csrc/tests::cuda_linear",),
    ),
    Mutation(
        "ranks come from the first pass, before the target is known",
        TILES,
        "const int passes = linear_.out.ranks != nullptr ? 2 : 1;",
        "const int passes = 1;",
        ("csrc/tests::cuda_linear",),
    ),
    Mutation(
        "weights of another format are not converted",
        PLAN,
        "weight.format != plan.format || ",
        "",
        ("csrc/tests::cuda_linear",),
    ),
]
