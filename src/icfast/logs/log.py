"""Training log as arrays, independent of the format."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from icfast.notebook import facts_html
from icfast.units import DASH, format_count

Integers = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class TrainingLog:
    """Losses by tokens seen, in training order; None for columns that the log does not have.

    A training loss is of tokens that the model has not learned from yet: row i is the mean over
    tokens start_tokens[i] to end_tokens[i] of the run. Rows do not overlap. A log with gaps between
    rows is sparse; without gaps the sum of its rows is the online code.

    Attributes:
        format: name of the format.
        steps: i64[rows], optimiser steps as the log counts them, ascending.
        start_tokens: i64[rows], tokens seen before each row.
        end_tokens: i64[rows], tokens seen after it.
        train_loss_nats: f64[rows], nats per token.
        eval_steps: i64[evaluations], steps of the evaluations, ascending.
        eval_tokens: i64[evaluations], tokens seen before each evaluation.
        eval_loss_nats: f64[evaluations], nats per token on the evaluated set, which is not the
            training set.
        learning_rate: f64[rows], None if not logged.
        epoch: f64[rows], epochs completed, 1.0 at the end of the first; None if not logged.
        energy_joules: f64[rows], energy spent so far, None if not logged.
        every_steps: usual number of steps between training rows, None below two rows.
        labels: properties that a reader should know: sparse, smoothed, several epochs, resumed, ...
        pass_reason: why the length of a pass is not known although epochs are logged, else None.
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
    pass_reason: str | None = None

    @property
    def tokens(self) -> int:
        """Number of tokens seen at the end of the log, in all epochs."""
        last = [int(ends[-1]) for ends in (self.end_tokens, self.eval_tokens) if len(ends)]
        return max(last, default=0)

    def __repr__(self) -> str:
        return (
            f"TrainingLog({self.format}, {format_count(self.tokens)} tokens, "
            f"{format_count(len(self.steps))} training losses, "
            f"{format_count(len(self.eval_steps))} evaluations)"
        )

    def _repr_html_(self) -> str:
        columns = ("learning_rate", "epoch", "energy_joules")
        logged = [name for name in columns if getattr(self, name) is not None]
        facts = {
            "format": self.format,
            "tokens seen": format_count(self.tokens),
            "training losses": format_count(len(self.steps)),
            "evaluations": format_count(len(self.eval_steps)),
            "other columns": ", ".join(logged) or DASH,
            "labels": "; ".join(self.labels) or DASH,
        }
        return facts_html("Training log", facts)
