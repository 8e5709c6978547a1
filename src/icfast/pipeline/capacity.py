"""IC-1 and IC-2 on one predicted set: every baseline of a ladder against its best model.

H (baseline) and L (model) are code lengths of the same held-out tokens, under models fitted on the
other documents.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

from icfast.errors import MergeError
from icfast.laws.capacity import capacity
from icfast.laws.landauer import energy
from icfast.laws.loss import bits_per_token
from icfast.pipeline.records.capacity import CapacityRow, FloorRow, LadderRow
from icfast.sums.loss import LossSum

_NAMES = {0: "uniform", 1: "unigram", 2: "bigram"}

#: Baseline of the headline figures: the loss of a model without information.
HEADLINE = "uniform"


@dataclass(frozen=True)
class Rung:
    """Mean loss of one model on the tokens of the ladder.

    Attributes:
        model: name of the model.
        order: order of an n-gram model, None for other models.
        loss_bits_per_token: mean loss, bits per token.
    """

    model: str
    order: int | None
    loss_bits_per_token: float


@dataclass(frozen=True)
class Ladder:
    """Losses of the same tokens under better and better models.

    Attributes:
        tokens: D, number of tokens predicted.
        rungs: L_0 = log2 V, then L_k of the order-k models, then other models.
        bytes_bits_per_token: eight bits for each byte of their text, None if unknown.
    """

    tokens: int
    rungs: tuple[Rung, ...]
    bytes_bits_per_token: float | None

    @classmethod
    def of(cls, sums: Sequence[LossSum], vocab_size: int) -> Ladder:
        """Build the ladder from the summed losses of orders 1..N."""
        ladder = cls.uniform(sums[0], vocab_size)
        orders = (
            Rung(_NAMES.get(k, f"{k}-gram"), k, bits_per_token(loss))
            for k, loss in enumerate(sums, start=1)
        )
        return replace(ladder, rungs=(*ladder.rungs, *orders))

    @classmethod
    def uniform(cls, loss: LossSum, vocab_size: int) -> Ladder:
        """Build a ladder with the lowest rung only: log2 V bits per token."""
        rung = Rung(_NAMES[0], 0, math.log2(vocab_size))
        return cls(loss.predicted_tokens, (rung,), _bytes_bits_per_token(loss))

    def then(self, model: str, loss: LossSum) -> Ladder:
        """Return the ladder with one more model on top.

        Raises:
            MergeError: the model predicted other tokens.
        """
        if loss.predicted_tokens != self.tokens:
            raise MergeError(
                f"{model} predicted {loss.predicted_tokens} tokens, but the other models of the "
                f"ladder predicted {self.tokens}. Only losses of the same tokens can be compared."
            )
        return replace(self, rungs=(*self.rungs, Rung(model, None, bits_per_token(loss))))

    @property
    def loss_bits_per_token(self) -> float:
        """L, loss of the highest rung, bits per token."""
        return self.rungs[-1].loss_bits_per_token

    @property
    def baselines(self) -> dict[str, float]:
        """H in bits per token by baseline: every rung but the highest, and the bytes."""
        uniform, *below = self.rungs[:-1]
        named = {uniform.model: uniform.loss_bits_per_token}
        if self.bytes_bits_per_token is not None:
            named["bytes"] = self.bytes_bits_per_token
        return named | {rung.model: rung.loss_bits_per_token for rung in below}

    def rows(self) -> tuple[LadderRow, ...]:
        """Return one record per rung; their gains add up to D (log2 V - L)."""
        losses = [rung.loss_bits_per_token for rung in self.rungs]
        gains = [None, *(a - b for a, b in pairwise(losses))]
        return tuple(
            LadderRow(
                model=rung.model,
                order=rung.order,
                loss_bits_per_token=rung.loss_bits_per_token,
                gain_bits_per_token=gain,
                gain_bits=None if gain is None else self.tokens * gain,
            )
            for rung, gain in zip(self.rungs, gains, strict=True)
        )


def _bytes_bits_per_token(loss: LossSum) -> float | None:
    return None if loss.text_bytes is None else 8 * loss.text_bytes / loss.predicted_tokens


def capacity_rows(
    ladder: Ladder, tokens: int, model_bits: int, params: int, note: str | None = None
) -> tuple[CapacityRow, ...]:
    """Apply IC-1 to D = tokens for every baseline of the ladder."""
    rows = []
    for name, entropy in ladder.baselines.items():
        found = capacity(
            tokens=tokens,
            entropy_bits_per_token=entropy,
            loss_bits_per_token=ladder.loss_bits_per_token,
            model_bits=model_bits,
            params=params,
        )
        row = CapacityRow(
            baseline=name,
            tokens=tokens,
            entropy_bits_per_token=entropy,
            loss_bits_per_token=ladder.loss_bits_per_token,
            model_bits=model_bits,
            params=params,
            bits_saved=found.bits_saved,
            bits_per_param=found.bits_per_param,
            eta=found.eta,
            flags=found.flags,
            note=note,
        )
        rows.append(row)
    return tuple(rows)


def floor_rows(rows: Sequence[CapacityRow], temperature_kelvin: float) -> tuple[FloorRow, ...]:
    """Apply IC-2 to every row of IC-1; a row that saved no bits has no energy."""
    return tuple(
        FloorRow(row.baseline, row.bits_saved, _floor(row.bits_saved, temperature_kelvin))
        for row in rows
    )


def _floor(bits: float, temperature_kelvin: float) -> float | None:
    if bits < 0:
        return None
    return energy(bits=bits, temperature_kelvin=temperature_kelvin).energy_joules


def headline_joules(rows: Sequence[FloorRow]) -> float | None:
    """Return E0 against the headline baseline, in joules."""
    return next(row for row in rows if row.baseline == HEADLINE).energy_joules
