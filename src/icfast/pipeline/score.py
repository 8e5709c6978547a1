"""Records of a score: means with their standard errors, and IC-1 and IC-2 of a neural model."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from icfast.errors import IcfastError
from icfast.laws.loss import (
    bits_per,
    bits_per_byte,
    bits_per_token,
    nats_per_token,
    perplexity,
    standard_error,
    total_log10,
    two_to_the,
)
from icfast.neural.score import NeuralScores
from icfast.pipeline.capacity import (
    HEADLINE,
    Ladder,
    capacity_rows,
    floor_rows,
    headline_joules,
)
from icfast.pipeline.records.capacity import CapacityRow, ScoredFloor
from icfast.pipeline.records.position import LossByPosition
from icfast.pipeline.records.score import (
    NamedPolicy,
    NeuralScore,
    NormalisedLoss,
    Score,
    StandardError,
)
from icfast.sums.loss import DocumentScores, LossSum
from icfast.units import nats_to_bits


def score_record(
    scores: DocumentScores, temperature_kelvin: float = 300.0, below: Ladder | None = None
) -> Score:
    """Return the counts, means and standard error of a score.

    A mean is None if a token has no loss; `reason` then says why.

    Args:
        scores: losses of the documents.
        temperature_kelvin: T of IC-2 for a neural model, kelvin.
        below: losses of the same tokens under simpler models, used as baselines. The default
            baselines are a uniform guess and the bytes of the text.
    """
    loss = scores.total
    reason = _reason(loss)
    means = {name: mean(loss) if reason is None else None for name, mean in _MEANS.items()}
    too_large = _perplexity_reason(means["perplexity"], means["loss_nats_per_token"])
    means |= {"perplexity": None} if too_large else {}
    neural = None
    if isinstance(scores, NeuralScores):
        neural = _neural_score(scores, temperature_kelvin, below)
    return Score(
        predicted_tokens=loss.predicted_tokens,
        documents=loss.documents,
        oov=loss.oov,
        infinite=loss.infinite,
        ignored=loss.ignored,
        nan=loss.nan,
        out_of_range=loss.out_of_range,
        huge=loss.huge,
        text_bytes=loss.text_bytes,
        **means,
        reason=reason,
        perplexity_reason=too_large,
        bits_per_byte=_known(bits_per_byte, loss),
        standard_error=_standard_error(scores),
        neural=neural,
    )


#: Means of a loss. All of them are None if one token has no loss.
_MEANS: dict[str, Callable[[LossSum], float]] = {
    "loss_bits_per_token": bits_per_token,
    "loss_nats_per_token": nats_per_token,
    "total_log10": total_log10,
    "perplexity": perplexity,
}


def floor_joules(score: Score) -> float | None:
    """Return E0 of the bits that a score says were saved, in joules; None if unknown."""
    ic2 = None if score.neural is None else score.neural.ic2
    return None if ic2 is None else ic2.energy_joules


def _reason(loss: LossSum) -> str | None:
    """Return why a loss has no means, None if it has."""
    try:
        for mean in _MEANS.values():
            mean(loss)
    except IcfastError as error:
        return str(error)
    return None


def _known(mean: Callable[[LossSum], float], loss: LossSum) -> float | None:
    try:
        return mean(loss)
    except IcfastError:
        return None


def _standard_error(scores: DocumentScores) -> StandardError | None:
    try:
        nats = standard_error(scores.loss_nats, scores.predicted_tokens)
    except IcfastError:
        return None
    return StandardError(
        clusters=int((scores.predicted_tokens > 0).sum()),
        bits_per_token=nats_to_bits(nats),
        nats_per_token=nats,
    )


def _neural_score(
    scores: NeuralScores, temperature_kelvin: float, below: Ladder | None
) -> NeuralScore:
    loss, unit = scores.total, scores.policy.normaliser
    rows = _capacity_rows(scores, below)
    return NeuralScore(
        policy=NamedPolicy(scores.policy.name, scores.policy),
        counts=scores.counts,
        normalised=_normalised(unit, _known(lambda total: bits_per(unit, total), loss)),
        model=scores.model,
        predicted_set_sha256=scores.predicted_set_sha256,
        by_position=tuple(
            LossByPosition(
                first=row.first,
                last=row.last,
                predicted_tokens=row.loss.predicted_tokens,
                loss_bits_per_token=_known(bits_per_token, row.loss),
            )
            for row in scores.positions.doublings()
        ),
        ic1=rows,
        ic2=None if rows is None else _floor(rows, temperature_kelvin),
        resumed_units=scores.resumed_units,
        refused_files=scores.refused_files,
    )


def _normalised(unit: str, bits: float | None) -> NormalisedLoss:
    if bits is None:
        return NormalisedLoss(unit, None, None, None)
    nats, found = bits * math.log(2.0), two_to_the(bits)
    reason = _perplexity_reason(found, nats)
    return NormalisedLoss(unit, bits, nats, None if reason else found, reason)


def _perplexity_reason(found: float | None, nats: float | None) -> str | None:
    """Return why a perplexity is not stated although the loss is, None if it is."""
    if found is None or nats is None or math.isfinite(found):
        return None
    return f"the perplexity, e^{nats:.6g}, is above the largest floating-point number"


def _capacity_rows(scores: NeuralScores, below: Ladder | None) -> tuple[CapacityRow, ...] | None:
    """Apply IC-1 to the predicted tokens; None if the loss or the model's size is unknown."""
    loss, model = scores.total, scores.model
    if _known(bits_per_token, loss) is None or model.model_bits is None or model.params is None:
        return None
    ladder = (below or Ladder.uniform(loss, model.vocab_size)).then(model.label, loss)
    rows = capacity_rows(ladder, loss.predicted_tokens, model.model_bits, model.params)
    if not loss.ignored:
        return rows
    flag = (
        f"slightly high: the baseline includes the bytes of {loss.ignored} first tokens, which "
        "were not predicted"
    )
    return tuple(
        replace(row, flags=(*row.flags, flag)) if row.baseline == "bytes" else row for row in rows
    )


def _floor(rows: tuple[CapacityRow, ...], temperature_kelvin: float) -> ScoredFloor:
    floors = floor_rows(rows, temperature_kelvin)
    return ScoredFloor(temperature_kelvin, HEADLINE, headline_joules(floors), floors)
