"""Counting by position broken on purpose."""

from tests.mutations.harness import Mutation

SORT = "csrc/cpu/counting/sort_positions.cpp"
SPECTRA = "csrc/cpu/counting/position_spectra.cpp"

MUTATIONS = [
    Mutation(
        "a symbol that is cut is taken for whole",
        SORT,
        "const int whole = bits / width;",
        "const int whole = (bits + width - 1) / width;",
        ("backends/test_positions.py",),
        "core",
    ),
    Mutation(
        "windows of equal codes are not refined",
        SORT,
        "      if (same && symbols < order) shared_[i] |= kOpen;\n",
        "",
        ("backends/test_positions.py",),
        "core",
    ),
    Mutation(
        "a range of orders ends one early",
        SPECTRA,
        "at(kind, last + 1, r) -= times;",
        "at(kind, last, r) -= times;",
        ("backends/test_positions.py",),
        "core",
    ),
    Mutation(
        "a node counts its children one order too high",
        SPECTRA,
        "recorder_.record(kLeftNeighbours, depth, depth, node.children);",
        "recorder_.record(kLeftNeighbours, depth + 1, depth + 1, node.children);",
        ("backends/test_positions.py",),
        "core",
    ),
    Mutation(
        "a document end in a leaf is not counted",
        SPECTRA,
        "    leaf.ends += windows_.ends_document(place_of(word));\n",
        "",
        ("backends/test_positions.py",),
        "core",
    ),
    Mutation(
        "one byte of a code too many counts as shared",
        SORT,
        "std::countl_zero(differing) / 8;",
        "std::countl_zero(differing) / 8 + 1;",
        ("csrc/tests::windows_are_grouped_by_position",),
    ),
]
