"""Kneser-Ney models broken on purpose."""

from tests.mutations.harness import Mutation

MUTATIONS = [
    Mutation(
        "the discount of counts of 3 and more uses n1 for n4",
        "src/icfast/kneser_ney/discounts.py",
        "counts = (n1, n2, n3, n4)",
        "counts = (n1, n2, n3, n1)",
        ("kneser_ney/test_discounts.py",),
    ),
    Mutation(
        "tops use the discounts of lower orders",
        "src/icfast/kneser_ney/discounts.py",
        "table[1, entry.order, 1:] = entry.top.values",
        "table[1, entry.order, 1:] = (entry.lower or entry.top).values",
        ("kneser_ney/test_kneser_ney.py",),
        "core",
    ),
    Mutation(
        "continuation counts leave out starting n-grams",
        "src/icfast/kneser_ney/discounts.py",
        "lower = Spectrum.total([spectra.left_neighbours[order - 1], starting])",
        "lower = spectra.left_neighbours[order - 1]",
        ("kneser_ney/test_discounts.py", "kneser_ney/test_kneser_ney.py"),
        "core",
    ),
    Mutation(
        "a fan-out counts starting n-grams as complete",
        "src/icfast/kneser_ney/fan_out.py",
        "np.arange(last - first) == 0",
        "np.arange(last - first) < 0",
        ("kneser_ney/test_fan_out.py",),
        "core",
    ),
    Mutation(
        "a fan-out reads the row before",
        "src/icfast/kneser_ney/fan_out.py",
        "    row = 1\n",
        "    row = 0\n",
        ("kneser_ney/test_fan_out.py",),
        "core",
    ),
    Mutation(
        "positions: the tokens before a span are not taken off",
        "src/icfast/kneser_ney/ladder.py",
        "        if low and order > 1:\n",
        "        if False:\n",
        ("kneser_ney/test_ladder.py",),
        "core",
    ),
    Mutation(
        "positions: the history of a span is one token short",
        "src/icfast/kneser_ney/ladder.py",
        "max(low - (order - 1), 0)",
        "max(low - (order - 2), 0)",
        ("kneser_ney/test_ladder.py",),
        "core",
    ),
]
