"""Records of `icfast score`: losses of n-gram and neural models."""

from __future__ import annotations

from dataclasses import dataclass, field

from icfast.neural.context_policy import ContextCounts, ResolvedPolicy
from icfast.neural.token_model import ModelRecord
from icfast.pipeline.records.base import FLAT, OPTIONAL, Result
from icfast.pipeline.records.capacity import CapacityRow, ScoredFloor
from icfast.pipeline.records.position import LossByPosition
from icfast.pipeline.records.spending import SpentEnergy
from icfast.units import format_count, format_fixed, format_perplexity


@dataclass(frozen=True)
class StandardError:
    """Standard error of a mean loss, with documents as clusters.

    Attributes:
        clusters: number of documents with predicted tokens.
        bits_per_token: standard error, bits per token.
        nats_per_token: standard error, nats per token.
    """

    clusters: int
    bits_per_token: float
    nats_per_token: float


@dataclass(frozen=True)
class NamedPolicy:
    """Context policy of a neural model, with its name."""

    name: str
    policy: ResolvedPolicy = field(metadata=FLAT)


@dataclass(frozen=True)
class NormalisedLoss:
    """Mean loss per token, byte or word.

    Attributes:
        per: unit that the loss is divided by.
        bits: mean loss, bits; None if it has no mean.
        nats: mean loss, nats.
        perplexity: 2 to the power of the mean loss in bits; None if that is above the largest
            floating-point number.
        perplexity_reason: why the perplexity is None although the loss is not.
    """

    per: str
    bits: float | None
    nats: float | None
    perplexity: float | None
    perplexity_reason: str | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class NeuralScore:
    """What only the score of a neural model has.

    Attributes:
        policy: how tokens were fed to the model.
        counts: contexts and tokens that the policy made of the corpus.
        normalised: mean loss in the unit of the policy.
        model: the model.
        predicted_set_sha256: hash of the predicted tokens; losses can be compared only if it and
            the policy are equal.
        by_position: mean loss by position in the document, positions in doublings.
        ic1: IC-1 against every baseline; None if the loss or the size of the model is unknown.
        ic2: IC-2 of those rows; None without them.
        resumed_units: units of work that a checkpoint already held.
        refused_files: damaged checkpoint files, whose units were computed again.
    """

    policy: NamedPolicy
    counts: ContextCounts
    normalised: NormalisedLoss
    model: ModelRecord
    predicted_set_sha256: str
    by_position: tuple[LossByPosition, ...]
    ic1: tuple[CapacityRow, ...] | None
    ic2: ScoredFloor | None
    resumed_units: int
    refused_files: tuple[str, ...]


@dataclass(frozen=True)
class Score:
    """Mean loss of a corpus under a model, with counts of what has no loss.

    Attributes:
        predicted_tokens: tokens predicted.
        documents: number of documents.
        oov: predicted tokens that the model never saw.
        infinite: predicted tokens of probability 0.
        ignored: tokens that were not predicted.
        nan: predicted tokens without a distribution (NaN or +inf among their logits).
        out_of_range: predicted tokens for which the model has no logit.
        huge: predicted tokens with a loss of 2^31 nats or more.
        text_bytes: UTF-8 bytes of the text, None if unknown.
        loss_bits_per_token: mean loss, bits per token; None if a token has no loss.
        loss_nats_per_token: mean loss, nats per token.
        total_log10: log10 of the probability of all tokens.
        perplexity: 2 to the power of the mean loss in bits; None if that is above the largest
            floating-point number.
        reason: why there is no mean, None if there is one.
        bits_per_byte: mean loss, bits per byte of text; None if unknown.
        standard_error: standard error of the mean loss; None for fewer than two documents.
        neural: what only the score of a neural model has.
        perplexity_reason: why the perplexity is None although the loss is not.
    """

    predicted_tokens: int
    documents: int
    oov: int
    infinite: int
    ignored: int
    nan: int
    out_of_range: int
    huge: int
    text_bytes: int | None
    loss_bits_per_token: float | None
    loss_nats_per_token: float | None
    total_log10: float | None
    perplexity: float | None
    reason: str | None
    bits_per_byte: float | None
    standard_error: StandardError | None
    neural: NeuralScore | None = field(default=None, metadata=FLAT)
    perplexity_reason: str | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class InitialLoss:
    """Loss of the same architecture with fresh random weights (corollary 4.1).

    Attributes:
        seed: seed of the weights.
        predicted_tokens: tokens predicted.
        loss_nats_per_token: mean loss, nats per token.
        standard_error_nats_per_token: its standard error, nats per token; None if unknown.
        uniform_nats_per_token: ln V, nats per token.
        logit_variance: sigma^2 of the logits, from the initialiser; None if unknown.
        logit_variance_measured: sigma^2 of the logits, measured.
        expected_nats_per_token: ln V + sigma^2 / 2, nats per token; None if unknown.
        unigram_entropy_nats_per_token: counted entropy of single tokens by estimator, nats.
        note: what the figure says.
    """

    seed: int
    predicted_tokens: int
    loss_nats_per_token: float
    standard_error_nats_per_token: float | None
    uniform_nats_per_token: float
    logit_variance: float | None
    logit_variance_measured: float | None
    expected_nats_per_token: float | None
    unigram_entropy_nats_per_token: dict[str, float]
    note: str


@dataclass(frozen=True)
class NeuralResult:
    """A neural model on the held-out tokens of a measurement.

    Attributes:
        score: its loss.
        spent: energy that scoring spent; None if not metered.
        initial_loss: loss of the same architecture with fresh weights; None if not asked for.
    """

    score: Score = field(metadata=FLAT)
    spent: SpentEnergy | None
    initial_loss: InitialLoss | None


@dataclass(frozen=True, repr=False, kw_only=True)
class ScoreResult(Result):
    """Result of `icfast score`.

    Attributes:
        score: loss of the corpus.
        spent: energy that scoring spent; None if not metered.
        initial_loss: loss of the same architecture with fresh weights; absent if not asked for.
        backend: backend that scored.
        output: file with the loss of each document, None if not asked for.
        skipped_files: empty files that were skipped.
        skipped_documents: empty documents that were skipped.
        vocab_size: V of the model, number of ids in its vocabulary.
        vocab_size_given: whether V was given when the model was fitted, not read from the largest
            id. True for a neural model.
        fitted_shards: names of the shards that the n-gram model was fitted on, by their digests.
        warnings: what looks unusual in the corpus, conventions of it that differ from the model's,
            and whether the model was fitted on it.
    """

    score: Score = field(metadata=FLAT)
    spent: SpentEnergy | None
    initial_loss: InitialLoss | None = field(default=None, metadata=OPTIONAL)
    backend: str
    output: str | None
    skipped_files: int
    skipped_documents: int
    vocab_size: int | None = None
    vocab_size_given: bool | None = None
    fitted_shards: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()

    def facts(self) -> dict[str, str]:
        """Return the main figures as text, by name."""
        score = self.score
        return {
            "loss": f"{format_fixed(score.loss_bits_per_token)} bits/token",
            "perplexity": format_perplexity(score.perplexity, score.loss_nats_per_token),
            "tokens": format_count(score.predicted_tokens),
            "documents": format_count(score.documents),
        }
