"""How many bits a parameter was found to hold elsewhere, to compare with (arXiv 2411.00660 5.2)."""

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
    """Bits per parameter against one published capacity.

    Attributes:
        name: what was stored there.
        source: who measured it.
        known_bits_per_param: the capacity found there.
        ratio: the bits per parameter at hand, divided by it.
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
    """Bits per parameter divided by 2 and by 3.6 bits per parameter.

    Both are bits *absorbed*, so the figure to compare is (B - C) / P where a training log gives it.
    D (H - L) / P counts a stored bit again at every reuse and may be far above them.

    Raises:
        OptionError: not finite.

    >>> [found.ratio for found in compared_capacities(7.2)]
    [3.6, 2.0]
    """
    if not math.isfinite(bits_per_param):
        raise OptionError(f"bits_per_param must be finite, found {bits_per_param}")
    return tuple(
        CapacityComparison(name, source, known, bits_per_param / known)
        for name, source, known in _KNOWN
    )
