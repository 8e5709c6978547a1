"""Record of a loss by position in the document."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LossByPosition:
    """Mean loss in one range of positions in the document.

    Attributes:
        first: first position of the range, from 0.
        last: last position of the range.
        predicted_tokens: number of tokens predicted.
        loss_bits_per_token: mean loss, bits per token; None if it has no mean.
    """

    first: int
    last: int
    predicted_tokens: int
    loss_bits_per_token: float | None
