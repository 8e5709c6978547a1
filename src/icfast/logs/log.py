"""What a training log says, whoever wrote it. Pure data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TrainingLog:
    """Losses by tokens seen, in the order of training; what the log does not say is None.

    A training loss is of tokens the model has not learned from yet: row i is the mean over tokens
    start_tokens[i] to end_tokens[i] of the run. Rows do not overlap. Where they leave gaps the log
    is sparse; where each begins at the end of the one before, their sum is the online code.

    Attributes:
        format: which reader read it.
        steps: optimiser steps by the log's own count, int64, ascending; one per training loss.
        start_tokens: tokens seen before each row's tokens, int64.
        end_tokens: tokens seen after them, int64.
        train_loss_nats: nats per token, float64.
        eval_steps: steps of the evaluations, int64, ascending.
        eval_tokens: tokens seen before each evaluation, int64.
        eval_loss_nats: nats per token of the evaluated set, which is not the training set.
        learning_rate: of each training row, float64, None where not logged.
        epoch: of each training row, 1.0 at the end of the first pass, None where not logged.
        energy_joules: spent up to each training row, float64, None where not logged.
        every_steps: the usual number of steps from one training row to the next, None below two.
        labels: what a reader should be told: sparse, smoothed, several epochs, resumed, ...
    """

    format: str
    steps: Integers
    start_tokens: Integers
    end_tokens: Integers
    train_loss_nats: Floats
    eval_steps: Integers
    eval_tokens: Integers
    eval_loss_nats: Floats
    learning_rate: Floats | None = None
    epoch: Floats | None = None
    energy_joules: Floats | None = None
    every_steps: int | None = None
    labels: tuple[str, ...] = ()

    @property
    def tokens(self) -> int:
        """Tokens seen when the log ends, every epoch counted."""
        last = [int(ends[-1]) for ends in (self.end_tokens, self.eval_tokens) if len(ends)]
        return max(last, default=0)
