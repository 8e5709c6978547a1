"""A neural model beside the n-grams: the held-out tokens once more, and its untrained twin."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.corpus.documents import DocumentSet
from icfast.energy import EnergyMeter
from icfast.errors import CorpusError, IcfastError, OptionError
from icfast.laws.entropy import entropy_bits
from icfast.laws.initial_loss import expected_initial_loss_nats
from icfast.laws.loss import nats_per_token, standard_error
from icfast.neural.token_losses import TokenScores, window_policy
from icfast.neural.token_model import TokenModel
from icfast.parallel.threads import Work
from icfast.pipeline.capacity import Ladder
from icfast.pipeline.energy import Spending
from icfast.pipeline.score import floor_joules, score_record
from icfast.quality.score import score_neural
from icfast.sums.spectrum import Spectrum
from icfast.units import bits_to_nats

_MEANING = (
    "measures tokenizer and initialiser: every corpus gives about ln V + sigma^2/2, so it stands "
    "beside the counted entropy of single tokens, never for it"
)


@dataclass(frozen=True)
class Neural:
    """A neural model to measure, and how.

    Attributes:
        model: an open model.
        options: those of neural models that were set, as `icfast.score` takes them.
        initial_seed: of the same architecture freshly initialised, to score too; None: not.
    """

    model: TokenModel
    options: Mapping[str, Any] = field(default_factory=dict)
    initial_seed: int | None = None


#: Tokens of a document whose logits a fresh model's variance is measured on.
_VARIANCE_TOKENS = 64


def check_neural(documents: DocumentSet, neural: Neural) -> None:
    """Refuse before the work what could not be measured after it.

    Raises:
        OptionError: under this policy the model would leave out the first token of each document,
            which n-grams predict; or it has no architecture to initialise.
    """
    if neural.initial_seed is not None:
        from icfast.neural.fresh import with_architecture

        with_architecture(neural.model)
    names = ("window", "stride", "bos", "packed", "normaliser")
    asked = {name: neural.options[name] for name in names if name in neural.options}
    if window_policy(documents.corpus, neural.model, **asked).bos_id is None:
        raise OptionError(
            f"without a BOS id {neural.model.name} would not predict the first token of each "
            "document, which the n-gram models do; only losses of the same tokens can be compared. "
            "Name one (--bos ID; often the end id), or score the model alone (icfast score)"
        )


def neural_record(
    heldout: DocumentSet,
    neural: Neural,
    below: Ladder,
    unigrams: Spectrum,
    temperature_kelvin: float,
    work: Work,
    meter: EnergyMeter | None = None,
) -> tuple[dict[str, Any], Ladder]:
    """What the held-out tokens cost a neural model, and the ladder with it on top.

    Args:
        below: losses of the same tokens under the n-gram models, its baselines.
        unigrams: of the corpus, for the entropy beside the initial loss.
        meter: of the joules that scoring spends, or None.

    Raises:
        IcfastError: a token has no loss, so there is no mean.
        MergeError, CorpusError, OptionError, ResourceError: as the pass does.
    """
    with Spending(meter, "scoring") as spending:
        scores = score_neural(heldout, neural.model, neural.options, work)
    record = score_record(scores, temperature_kelvin, below)
    record["spent"] = spending.record(floor_joules(record))
    if record["reason"] is not None:
        raise IcfastError(f"{neural.model.name}: {record['reason']}")
    initial = None
    if neural.initial_seed is not None:
        initial = initial_record(heldout, neural, unigrams, work)
    return {**record, "initial_loss": initial}, below.then(scores.model.label, scores.total)


def initial_record(
    documents: DocumentSet, neural: Neural, unigrams: Spectrum, work: Work
) -> dict[str, Any]:
    """Loss of the model's architecture with new weights, beside what the formula expects of it.

    Raises:
        OptionError: no seed, or a model whose architecture nobody can initialise.
    """
    from icfast.neural.fresh import (
        expected_logit_variance,
        fresh,
        measured_logit_variance,
    )

    if neural.initial_seed is None:
        raise OptionError("the seed of the fresh model is missing")
    twin = fresh(neural.model, neural.initial_seed)
    scores = score_neural(documents, twin, neural.options, work)
    variance = expected_logit_variance(twin)
    return {
        "seed": neural.initial_seed,
        "predicted_tokens": scores.total.predicted_tokens,
        "loss_nats_per_token": nats_per_token(scores.total),
        "standard_error_nats_per_token": _standard_error(scores),
        "uniform_nats_per_token": math.log(twin.vocab_size),
        "logit_variance": variance,
        "logit_variance_measured": measured_logit_variance(twin, _some_ids(documents)),
        "expected_nats_per_token": expected_initial_loss_nats(twin.vocab_size, variance),
        "unigram_entropy_nats_per_token": {
            name: bits_to_nats(entropy_bits(unigrams, name)) for name in ("ml", "cwj")
        },
        "note": _MEANING,
    }


def _some_ids(documents: DocumentSet) -> NDArray[np.int64]:
    """i64[1, tokens]: the beginning of the first document that has tokens."""
    for part in documents.by_shard:
        for start, stop in zip(part.starts, part.stops, strict=True):
            if stop > start:
                stop = min(stop, start + _VARIANCE_TOKENS)
                return np.asarray(part.shard.tokens[start:stop], np.int64)[None]
    raise CorpusError("the documents have no tokens to score")


def _standard_error(scores: TokenScores) -> float | None:
    try:
        return standard_error(scores.loss_nats, scores.predicted_tokens)
    except IcfastError:
        return None
