"""Published capacities in bits per parameter, for comparison (arXiv 2411.00660 sec. 5.2)."""

from __future__ import annotations

import math
from dataclasses import dataclass

from icfast.errors import OptionError

#: Facts that a trained model recalls: Allen-Zhu & Li 2024, arXiv 2404.05405.
KNOWLEDGE_BITS_PER_PARAM = 2.0

#: Uniform random strings that a GPT memorises: Morris et al. 2025, arXiv 2505.24832.
MEMORISED_BITS_PER_PARAM = 3.6


@dataclass(frozen=True)
class CapacityComparison:
    """Bits per parameter compared with one published capacity.

    Attributes:
        name: content that was stored in the published experiment.
        source: publication.
        known_bits_per_param: published capacity, bits per parameter.
        ratio: bits per parameter divided by the published capacity.
    """

    name: str
    source: str
    known_bits_per_param: float
    ratio: float


_KNOWN = (
    ("knowledge", "Allen-Zhu & Li 2024, arXiv 2404.05405", KNOWLEDGE_BITS_PER_PARAM),
    ("memorised", "Morris et al. 2025, arXiv 2505.24832", MEMORISED_BITS_PER_PARAM),
)


def compared_capacities(bits_per_param: float) -> tuple[CapacityComparison, ...]:
    """Compare bits per parameter with the published capacities of 2 and 3.6 bits per parameter.

    Both capacities are bits *absorbed*, so compare (B - C) / P from a training log. D (H - L) / P
    counts a stored bit again at every reuse and can be much larger.

    Raises:
        OptionError: bits_per_param is not finite.

    >>> [found.ratio for found in compared_capacities(7.2)]
    [3.6, 2.0]
    """
    if not math.isfinite(bits_per_param):
        raise OptionError(f"bits_per_param must be finite, found {bits_per_param}")
    return tuple(
        CapacityComparison(name, source, known, bits_per_param / known)
        for name, source, known in _KNOWN
    )
