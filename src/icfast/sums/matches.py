"""How far what begins at each token of a corpus occurs elsewhere."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class MatchLengths:
    """Match lengths of n tokens in their order, matches staying inside documents.

    Attributes:
        earlier: i32[n], 1 + the longest l such that the l tokens from i on, all of i's document,
            also stand somewhere from an earlier token on; they may overlap.
        anywhere: i32[n], the same from an earlier or a later token on.
        cut_tokens: how many matches of `earlier` run to the end of the document of i.
    """

    earlier: NDArray[np.int32]
    anywhere: NDArray[np.int32]
    cut_tokens: int
