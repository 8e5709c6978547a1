"""What a score says of a corpus: means with their error, and of neural models IC-1 and IC-2 too."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from icfast.errors import IcfastError
from icfast.laws.loss import (
    bits_per,
    bits_per_byte,
    bits_per_token,
    nats_per_token,
    perplexity,
    standard_error,
    total_log10,
)
from icfast.neural.token_losses import TokenScores
from icfast.pipeline.capacity import Ladder, ic1_rows, ic2_headline, ic2_rows
from icfast.sums.loss import DocumentScores, LossSum
from icfast.units import nats_to_bits

#: Losses as a result states them; all of them null where one symbol has none.
_MEANS: dict[str, Callable[[LossSum], float]] = {
    "loss_bits_per_token": bits_per_token,
    "loss_nats_per_token": nats_per_token,
    "total_log10": total_log10,
    "perplexity": perplexity,
}


def score_record(
    scores: DocumentScores, temperature_kelvin: float = 300.0, below: Ladder | None = None
) -> dict[str, Any]:
    """Counts, means and their standard error; what is not known is None, and `reason` says why.

    Args:
        temperature_kelvin: T of IC-2, for a neural model.
        below: losses of the same tokens under simpler models, its baselines; by default those a
            corpus has by itself: a uniform guess, and its bytes.
    """
    loss = scores.total
    record: dict[str, Any] = {
        "predicted_tokens": loss.predicted_tokens,
        "documents": loss.documents,
        "oov": loss.oov,
        "infinite": loss.infinite,
        "ignored": loss.ignored,
        "nan": loss.nan,
        "out_of_range": loss.out_of_range,
        "huge": loss.huge,
        "text_bytes": loss.text_bytes,
        **dict.fromkeys(_MEANS),
        "reason": None,
        "bits_per_byte": _known(bits_per_byte, loss),
        "standard_error": _standard_error(scores),
    }
    try:
        record |= {name: mean(loss) for name, mean in _MEANS.items()}
    except IcfastError as error:
        record["reason"] = str(error)
    if isinstance(scores, TokenScores):
        record |= _token_record(scores, temperature_kelvin, below)
    return record


def floor_joules(record: dict[str, Any]) -> float | None:
    """E0 of what a score's record says was saved; None where it says nothing."""
    ic2 = record.get("ic2")
    return None if ic2 is None else ic2["energy_joules"]


def _known(mean: Callable[[LossSum], float], loss: LossSum) -> float | None:
    try:
        return mean(loss)
    except IcfastError:
        return None


def _standard_error(scores: DocumentScores) -> dict[str, Any] | None:
    """Of the mean loss, by document; None where there is none."""
    try:
        nats = standard_error(scores.loss_nats, scores.predicted_tokens)
    except IcfastError:
        return None
    return {
        "clusters": int((scores.predicted_tokens > 0).sum()),
        "bits_per_token": nats_to_bits(nats),
        "nats_per_token": nats,
    }


def _token_record(
    scores: TokenScores, temperature_kelvin: float, below: Ladder | None
) -> dict[str, Any]:
    loss, unit = scores.total, scores.policy.normaliser
    bits = _known(lambda total: bits_per(unit, total), loss)
    rows = _ic1(scores, below)
    return {
        "policy": {"name": scores.policy.name, **asdict(scores.policy)},
        "counts": asdict(scores.counts),
        "normalised": {
            "per": unit,
            "bits": bits,
            "nats": None if bits is None else bits * math.log(2.0),
            "perplexity": None if bits is None else math.pow(2.0, bits),
        },
        "model": asdict(scores.model),
        "predicted_set_sha256": scores.predicted_set_sha256,
        "by_position": [
            {
                "first": row.first,
                "last": row.last,
                "predicted_tokens": row.loss.predicted_tokens,
                "loss_bits_per_token": _known(bits_per_token, row.loss),
            }
            for row in scores.positions.doublings()
        ],
        "ic1": rows,
        "ic2": None if rows is None else _ic2(rows, temperature_kelvin),
        "resumed_units": scores.resumed_units,
        "refused_files": list(scores.refused_files),
    }


def _ic1(scores: TokenScores, below: Ladder | None) -> list[dict[str, Any]] | None:
    """IC-1 over the predicted tokens; None where the loss or the model's bits are not known."""
    loss, model = scores.total, scores.model
    if _known(bits_per_token, loss) is None or model.model_bits is None or model.params is None:
        return None
    ladder = (below or Ladder.uniform(loss, model.vocab_size)).then(model.label, loss)
    rows = ic1_rows(ladder, loss.predicted_tokens, model.model_bits, model.params)
    for row in rows:
        if row["baseline"] == "bytes" and loss.ignored:
            row["flags"].append(
                f"a little high: the bytes of {loss.ignored} first tokens, which were not "
                "predicted, are in the baseline"
            )
    return rows


def _ic2(rows: list[dict[str, Any]], temperature_kelvin: float) -> dict[str, Any]:
    energies = ic2_rows(rows, temperature_kelvin)
    return {**ic2_headline(energies, temperature_kelvin), "rows": energies}
