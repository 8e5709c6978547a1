"""Losses of logits, and the fixed point of sums of losses."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple


def fixed_point_nats(nll: float) -> int:
    """The loss in units of 2^-32 nat, rounded half to even."""
    return round(nll * 2**32)


class TokenLoss(NamedTuple):
    """Of one row of logits: what became of it, and what is known of the rest."""

    kind: str
    nll_nats: float
    logsumexp_nats: float = math.nan
    entropy_nats: float = math.nan
    rank: int = -1


def token_loss(
    logits: Sequence[float],
    target: int,
    ignore_index: int = -100,
    softcap: float | None = None,
    temperature: float = 1.0,
) -> TokenLoss:
    """-ln softmax(logits)[target], each probability by itself and their sum rounded once."""
    targeted = target != ignore_index and 0 <= target < len(logits)
    missing = TokenLoss("out_of_range", math.nan)
    if target == ignore_index:
        missing = TokenLoss("ignored", 0.0)
    largest = max(logits)
    if any(math.isnan(x) for x in logits) or math.isinf(largest):
        return TokenLoss("nan", math.nan) if targeted else missing
    capped = [
        x if softcap is None or math.isinf(x) else softcap * math.tanh(x / softcap) for x in logits
    ]
    # Differences first: a logit of -inf has probability 0, and an offset common to all is nothing.
    largest = max(capped)
    below = [(x - largest) / temperature for x in capped]
    log_sum = math.log(math.fsum(map(math.exp, below)))
    logs = [x - log_sum for x in below]
    entropy = -math.fsum(math.exp(x) * x for x in logs if x > -math.inf)
    distribution = (largest / temperature + log_sum, entropy)
    if not targeted:
        return TokenLoss(*missing[:2], *distribution)
    rank = sum(x > logits[target] for x in logits)
    kind = "infinite" if logs[target] == -math.inf else "scored"
    return TokenLoss(kind, -logs[target], *distribution, rank)
