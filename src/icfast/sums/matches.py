"""Match lengths: how long the text from each token on also occurs elsewhere in the corpus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icfast.units import format_count


@dataclass(frozen=True, eq=False, repr=False)
class MatchLengths:
    """Match lengths of the n tokens of a corpus, in order. Matches stay inside documents.

    Attributes:
        earlier: i32[n]. For token i: 1 + the largest l such that the l tokens from i on belong to
            i's document and also occur from an earlier token on. The two may overlap.
        anywhere: i32[n], likewise from an earlier or later token on.
        cut_tokens: number of matches in `earlier` that end at the end of i's document.
    """

    earlier: NDArray[np.int32]
    anywhere: NDArray[np.int32]
    cut_tokens: int

    def __repr__(self) -> str:
        return f"MatchLengths({format_count(len(self.earlier))} tokens)"
