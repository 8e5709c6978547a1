"""Sums broken on purpose."""

from tests.mutations.harness import Mutation

MUTATIONS = [
    Mutation(
        "halves of 128 bits are added without the carry",
        "src/icfast/sums/loss.py",
        "high += more_high + (low < more_low)",
        "high += more_high",
        ("sums/test_loss.py", "sums/test_by_position.py"),
    ),
    Mutation(
        "a document with a NaN has a loss",
        "src/icfast/sums/loss.py",
        "(self.nan > 0) | (self.out_of_range > 0)",
        "(self.out_of_range > 0)",
        ("sums/test_loss.py",),
    ),
    Mutation(
        "unknown text sizes count as 0 bytes",
        "src/icfast/sums/loss.py",
        "return None if one is None or other is None else one + other",
        "return (one or 0) + (other or 0)",
        ("sums/test_loss.py",),
    ),
    Mutation(
        "bins of positions are off by a doubling",
        "src/icfast/sums/by_position.py",
        "shift = doubling - (_EXACT_BITS - 1)",
        "shift = doubling - _EXACT_BITS",
        ("sums/test_by_position.py",),
    ),
    Mutation(
        "a fan-out leaves out the starting n-grams of one order",
        "src/icfast/sums/fan_out.py",
        "*self.starting[: order - 1]",
        "*self.starting[: order - 2]",
        ("kneser_ney/test_fan_out.py",),
        "numba",
    ),
]
