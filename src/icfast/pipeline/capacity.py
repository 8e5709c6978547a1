"""IC-1 and IC-2 of one predicted set: every baseline against one model.

H(baseline) and L are code lengths of the same held-out tokens, under models fitted on the rest.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise
from typing import Any

from icfast.errors import MergeError
from icfast.laws.capacity import capacity
from icfast.laws.landauer import energy
from icfast.laws.loss import bits_per_token
from icfast.sums.loss import LossSum

_NAMES = {0: "uniform", 1: "unigram", 2: "bigram"}

#: The baseline of the headline figures: what a model with no information pays.
HEADLINE = "uniform"


@dataclass(frozen=True)
class Rung:
    """The mean loss of one model on the ladder's tokens; order is None where it has none."""

    model: str
    order: int | None
    loss_bits_per_token: float


@dataclass(frozen=True)
class Ladder:
    """Losses of the same tokens, from knowing nothing to the model in question.

    Attributes:
        tokens: D, tokens predicted.
        rungs: L_0 = log2 V, then L_k of the order-k model, then what stands above.
        bytes_bits_per_token: eight bits for each byte of their text, where known.
    """

    tokens: int
    rungs: tuple[Rung, ...]
    bytes_bits_per_token: float | None

    @classmethod
    def of(cls, sums: Sequence[LossSum], vocab_size: int) -> Ladder:
        """From the summed losses of orders 1..N."""
        ladder = cls.uniform(sums[0], vocab_size)
        orders = (
            Rung(_NAMES.get(k, f"{k}-gram"), k, bits_per_token(loss))
            for k, loss in enumerate(sums, start=1)
        )
        return replace(ladder, rungs=(*ladder.rungs, *orders))

    @classmethod
    def uniform(cls, loss: LossSum, vocab_size: int) -> Ladder:
        """The lowest rung alone: log2 V a token."""
        rung = Rung(_NAMES[0], 0, math.log2(vocab_size))
        return cls(loss.predicted_tokens, (rung,), _bytes_bits_per_token(loss))

    def then(self, model: str, loss: LossSum) -> Ladder:
        """The ladder with one more model above it.

        Raises:
            MergeError: the model predicted other tokens.
        """
        if loss.predicted_tokens != self.tokens:
            raise MergeError(
                f"{model} predicted {loss.predicted_tokens} tokens, the models below it "
                f"{self.tokens}; only losses of the same tokens can be compared"
            )
        return replace(self, rungs=(*self.rungs, Rung(model, None, bits_per_token(loss))))

    @property
    def loss_bits_per_token(self) -> float:
        """L, of the highest rung."""
        return self.rungs[-1].loss_bits_per_token

    @property
    def baselines(self) -> dict[str, float]:
        """H in bits per token, by baseline: the rungs below the highest, and the bytes."""
        uniform, *below = self.rungs[:-1]
        named = {uniform.model: uniform.loss_bits_per_token}
        if self.bytes_bits_per_token is not None:
            named["bytes"] = self.bytes_bits_per_token
        return named | {rung.model: rung.loss_bits_per_token for rung in below}

    def as_json(self) -> list[dict[str, Any]]:
        """One record per rung; gains telescope to D (log2 V - L)."""
        losses = [rung.loss_bits_per_token for rung in self.rungs]
        gains = [None, *(a - b for a, b in pairwise(losses))]
        return [
            {
                **asdict(rung),
                "gain_bits_per_token": gain,
                "gain_bits": None if gain is None else self.tokens * gain,
            }
            for rung, gain in zip(self.rungs, gains, strict=True)
        ]


def _bytes_bits_per_token(loss: LossSum) -> float | None:
    return None if loss.text_bytes is None else 8 * loss.text_bytes / loss.predicted_tokens


def ic1_rows(ladder: Ladder, tokens: int, model_bits: int, params: int) -> list[dict[str, Any]]:
    """IC-1 over D = tokens for every baseline of the ladder."""
    rows = []
    for name, entropy in ladder.baselines.items():
        found = capacity(
            tokens=tokens,
            entropy_bits_per_token=entropy,
            loss_bits_per_token=ladder.loss_bits_per_token,
            model_bits=model_bits,
            params=params,
        )
        rows.append(
            {
                "baseline": name,
                "tokens": tokens,
                "entropy_bits_per_token": entropy,
                "loss_bits_per_token": ladder.loss_bits_per_token,
                "model_bits": model_bits,
                "params": params,
                "bits_saved": found.bits_saved,
                "bits_per_param": found.bits_per_param,
                "eta": found.eta,
                "flags": list(found.flags),
            }
        )
    return rows


def ic2_rows(rows: Sequence[dict[str, Any]], temperature_kelvin: float) -> list[dict[str, Any]]:
    """IC-2 for every row of IC-1; no energy where nothing was saved."""
    return [
        {
            "baseline": row["baseline"],
            "bits": row["bits_saved"],
            "energy_joules": energy(
                bits=row["bits_saved"], temperature_kelvin=temperature_kelvin
            ).energy_joules
            if row["bits_saved"] >= 0
            else None,
        }
        for row in rows
    ]


def ic2(
    heldout: Sequence[dict[str, Any]],
    training: Sequence[dict[str, Any]],
    temperature_kelvin: float,
) -> dict[str, Any]:
    """E0 of every baseline; the headline is the held-out one against the uniform baseline."""
    measured = ic2_rows(heldout, temperature_kelvin)
    return {
        **ic2_headline(measured, temperature_kelvin),
        "heldout": measured,
        "training": ic2_rows(training, temperature_kelvin),
    }


def ic2_headline(rows: Sequence[dict[str, Any]], temperature_kelvin: float) -> dict[str, Any]:
    """E0 in joules against the uniform baseline, out of the rows of IC-2."""
    headline = next(row for row in rows if row["baseline"] == HEADLINE)
    return {
        "temperature_kelvin": temperature_kelvin,
        "baseline": HEADLINE,
        "energy_joules": headline["energy_joules"],
    }
