"""The slow oracle: every count, entropy and model of icfast, straight from its definition.

It imports nothing of icfast and no numpy. It uses plain dictionaries and exact fractions and works
one position at a time, so that it can be checked by eye. A corpus is a list of documents, and a
document is a sequence of ids. An end id, if there is one, is an ordinary token of its document.
Windows never cross documents.
"""

from tests.naive.counts import (
    BEGIN,
    fan_out_counts,
    followed_counts,
    left_neighbour_counts,
    ngram_counts,
    padded_window_counts,
    padded_windows,
    ranks,
    spectrum,
    starting_counts,
    starting_fan_out_counts,
    starting_followed_counts,
)
from tests.naive.entropies import (
    block_entropy_bits,
    bos_padded_bits,
    difference_bits,
    prefix_marginal_bits,
)
from tests.naive.heldout import (
    document_hash,
    fmix64,
    fnv1a_64,
    is_heldout,
)
from tests.naive.kneser_ney import (
    END,
    FALLBACK_DISCOUNTS,
    UNKNOWN,
    KneserNey,
    modified_discounts,
)
from tests.naive.losses import (
    fixed_point_nats,
    token_loss,
)
from tests.naive.matches import (
    cut_matches,
    match_lengths,
)

__all__ = [
    "BEGIN",
    "END",
    "FALLBACK_DISCOUNTS",
    "UNKNOWN",
    "KneserNey",
    "block_entropy_bits",
    "bos_padded_bits",
    "cut_matches",
    "difference_bits",
    "document_hash",
    "fan_out_counts",
    "fixed_point_nats",
    "fmix64",
    "fnv1a_64",
    "followed_counts",
    "is_heldout",
    "left_neighbour_counts",
    "match_lengths",
    "modified_discounts",
    "ngram_counts",
    "padded_window_counts",
    "padded_windows",
    "prefix_marginal_bits",
    "ranks",
    "spectrum",
    "starting_counts",
    "starting_fan_out_counts",
    "starting_followed_counts",
    "token_loss",
]
