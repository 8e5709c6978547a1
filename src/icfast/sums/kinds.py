"""Status codes of predicted tokens."""

from __future__ import annotations

from enum import IntEnum


class Kind(IntEnum):
    """Status code of a predicted token. Only the loss of a scored token enters a sum.

    Attributes:
        SCORED: the token has a finite loss.
        IGNORED: the token is not predicted.
        INFINITE: the token has probability 0.
        NAN: the logits give no distribution.
        OUT_OF_RANGE: the model has no logit for the token's id.
        HUGE: the loss is 2^31 nats or more.
    """

    SCORED = 0
    IGNORED = 1
    INFINITE = 2
    NAN = 3
    OUT_OF_RANGE = 4
    HUGE = 5
