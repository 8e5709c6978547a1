"""Kernels of the compiled core broken on purpose."""

from tests.mutations.harness import Mutation

MUTATIONS = [
    Mutation(
        "a merge keeps equal keys apart",
        "csrc/cpu/counting/merge_runs.cpp",
        "left <= right, right <= left",
        "left <= right, right < left",
        ("backends/test_merging.py",),
        "core",
    ),
    Mutation(
        "documents share one separator",
        "csrc/cpu/counting/documents.cpp",
        "*symbols++ = separator++;",
        "*symbols++ = separator;",
        ("backends/test_suffixes.py",),
        "core",
    ),
    Mutation(
        "backoffs of longer contexts are left out",
        "csrc/cpu/models/score.cpp",
        "return below[longest_ngram] * backoffs;",
        "return below[longest_ngram];",
        ("backends/test_scoring.py",),
        "core",
    ),
    Mutation(
        "the history of a token is one symbol short",
        "csrc/cpu/models/score.cpp",
        "if (size_ < capacity_) ++size_;",
        "if (size_ + 1 < capacity_) ++size_;",
        ("backends/test_scoring.py",),
        "core",
    ),
    Mutation(
        "a negative loss does not borrow from the high half",
        "csrc/cpu/losses/add_losses.cpp",
        "sum.add_signed(loss_quanta(nll_nats[r]));",
        "sum.add_quanta(static_cast<std::uint64_t>(loss_quanta(nll_nats[r])));",
        ("losses/test_add_losses.py",),
        "core",
    ),
]
