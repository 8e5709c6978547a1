"""A neural model on the held-out tokens of a measurement, and its freshly initialised twin."""

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
from icfast.neural.context_policy import ContextPolicy
from icfast.neural.score import NeuralScores
from icfast.neural.token_model import TokenModel
from icfast.parallel.threads import Work
from icfast.pipeline.capacity import Ladder
from icfast.pipeline.energy import Spending
from icfast.pipeline.records.score import InitialLoss, NeuralResult
from icfast.pipeline.score import floor_joules, score_record
from icfast.quality.score import score_neural
from icfast.sums.spectrum import Spectrum
from icfast.units import bits_to_nats

_MEANING = (
    "measures the tokenizer and the initialiser: every corpus gives about ln V + sigma^2/2, so it "
    "does not replace the counted entropy of single tokens"
)


@dataclass(frozen=True)
class Neural:
    """A neural model to measure, with its options.

    Attributes:
        model: an open model.
        options: options of neural models that were set, as `icfast.score` takes them.
        initial_seed: seed of a freshly initialised model of the same architecture, which is scored
            too; None scores none.
    """

    model: TokenModel
    options: Mapping[str, Any] = field(default_factory=dict)
    initial_seed: int | None = None


#: Tokens of a document on which the variance of a fresh model's logits is measured.
_VARIANCE_TOKENS = 64


def check_neural(documents: DocumentSet, neural: Neural) -> None:
    """Refuse, before the work begins, a model that could not be compared after it.

    Raises:
        OptionError: under this policy the model does not predict the first token of each document,
            which n-grams predict; or its architecture cannot be initialised.
    """
    if neural.initial_seed is not None:
        from icfast.neural.fresh import with_architecture

        with_architecture(neural.model)
    names = ("window", "stride", "bos", "packed", "normaliser")
    asked = {name: neural.options[name] for name in names if name in neural.options}
    if ContextPolicy(**asked).resolve(documents.corpus, neural.model).bos_id is None:
        raise OptionError(
            f"{neural.model.name} has no BOS id, so it would not predict the first token of each "
            "document, as the n-gram models do; only losses of the same tokens can be compared. "
            "Pass --bos ID (often the end id), or score the model alone with icfast score."
        )


def score_heldout(
    heldout: DocumentSet,
    neural: Neural,
    below: Ladder,
    unigrams: Spectrum,
    temperature_kelvin: float,
    work: Work,
    meter: EnergyMeter | None = None,
) -> tuple[NeuralResult, Ladder]:
    """Score the held-out tokens under a neural model; return the ladder with it on top, too.

    Args:
        heldout: the held-out documents.
        neural: the model.
        below: losses of the same tokens under the n-gram models, used as baselines.
        unigrams: spectrum of single tokens of the corpus.
        temperature_kelvin: T of IC-2, kelvin.
        work: how the work runs.
        meter: meter of the energy that scoring spends, or None.

    Raises:
        IcfastError: a token has no loss, so there is no mean.
        MergeError: the model predicted other tokens than the n-gram models.
        CorpusError: an id is outside the model's vocabulary.
        ResourceError: memory does not suffice.
    """
    with Spending(meter, "scoring") as spending:
        scores = score_neural(heldout, neural.model, neural.options, work)
    score = score_record(scores, temperature_kelvin, below)
    if score.reason is not None:
        raise IcfastError(f"{neural.model.name}: {score.reason}")
    initial = None
    if neural.initial_seed is not None:
        initial = initial_loss(heldout, neural, unigrams, work)
    result = NeuralResult(score, spending.record(floor_joules(score)), initial)
    return result, below.then(scores.model.label, scores.total)


def initial_loss(
    documents: DocumentSet, neural: Neural, unigrams: Spectrum, work: Work
) -> InitialLoss:
    """Score the model's architecture with fresh weights, and compute the loss expected of it.

    Raises:
        OptionError: no seed is given, or the architecture cannot be initialised.
    """
    from icfast.neural.fresh import (
        expected_logit_variance,
        fresh,
        measured_logit_variance,
    )

    if neural.initial_seed is None:
        raise OptionError("the seed of the fresh model is missing; pass --initial-seed")
    twin = fresh(neural.model, neural.initial_seed)
    scores = score_neural(documents, twin, neural.options, work)
    variance = expected_logit_variance(twin)
    return InitialLoss(
        seed=neural.initial_seed,
        predicted_tokens=scores.total.predicted_tokens,
        loss_nats_per_token=nats_per_token(scores.total),
        standard_error_nats_per_token=_standard_error(scores),
        uniform_nats_per_token=math.log(twin.vocab_size),
        logit_variance=variance,
        logit_variance_measured=measured_logit_variance(twin, _first_ids(documents)),
        expected_nats_per_token=expected_initial_loss_nats(twin.vocab_size, variance),
        unigram_entropy_nats_per_token={
            name: bits_to_nats(entropy_bits(unigrams, name)) for name in ("ml", "cwj")
        },
        note=_MEANING,
    )


def _first_ids(documents: DocumentSet) -> NDArray[np.int64]:
    """Return the first ids of the first document with tokens, i64[1, tokens]."""
    for part in documents.by_shard:
        for start, stop in zip(part.starts, part.stops, strict=True):
            if stop > start:
                stop = min(stop, start + _VARIANCE_TOKENS)
                return np.asarray(part.shard.tokens[start:stop], np.int64)[None]
    raise CorpusError("the documents have no tokens to score")


def _standard_error(scores: NeuralScores) -> float | None:
    try:
        return standard_error(scores.loss_nats, scores.predicted_tokens)
    except IcfastError:
        return None
