"""Results of a training run: the whole run, its trajectory, its evaluations."""

from __future__ import annotations

from dataclasses import dataclass, field

from icfast.laws.annealing import Annealing
from icfast.laws.code_length import CodeLengths
from icfast.laws.known_capacities import CapacityComparison
from icfast.laws.landauer import Energy
from icfast.laws.online_code import LossStep
from icfast.laws.result_table import ResultTable
from icfast.laws.saturation import Saturation


@dataclass(frozen=True)
class EvaluationPoint:
    """Loss on another set than the training set.

    Attributes:
        tokens: tokens seen before the evaluation.
        loss_bits_per_token: loss on that set.
    """

    tokens: int
    loss_bits_per_token: float


@dataclass(frozen=True)
class TrajectoryPoint:
    """State of a run after D fresh tokens, as if it had ended there.

    Attributes:
        tokens: D.
        loss_bits_per_token: L(D), mean loss of the last 1 % of D; at the end the final loss.
        online_bits: B(D), mean of the left and right sums.
        absorbed_bits: B(D) - D L(D).
        absorbed_bits_per_param: absorbed bits / P, None without P.
        gross_savings_bits: D (H - L(D)), None without H.
        eta: gross savings / N, None without H or N.
        eta_absorbed: absorbed bits / N, None without N.
        energy_joules: energy spent so far, None if not logged.
        floor_joules: Landauer's bound for the absorbed bits, 0 if these are negative.
    """

    tokens: float
    loss_bits_per_token: float
    online_bits: float
    absorbed_bits: float
    absorbed_bits_per_param: float | None
    gross_savings_bits: float | None
    eta: float | None
    eta_absorbed: float | None
    energy_joules: float | None
    floor_joules: float


@dataclass(frozen=True)
class TrainingRun(ResultTable):
    """Result of :func:`training_run`. Code lengths are of the unique tokens, in bits.

    Attributes:
        format: format of the log.
        curve: ``training`` losses, or ``evaluations`` if the log has no others.
        tokens_seen: tokens seen in all epochs.
        unique_tokens: D, tokens of the first epoch.
        epochs: tokens seen / unique tokens.
        effective_tokens: D' of these epochs (Muennighoff et al. 2023).
        online_bits: B, mean of the left and right sums.
        online_bits_left: B if gaps of the log have the loss before them, an upper bound if the loss
            falls.
        online_bits_right: B if gaps have the loss after them, a lower bound if the loss falls.
        final_loss_bits_per_token: L of the final model.
        final_loss_source: ``given``, ``evaluation`` on the same tokens, or ``last losses``.
        final_bits: C = D L.
        final_reason: why L and C are None, else None.
        absorbed_bits: B - C.
        absorbed_bits_left: B - C with the left sum.
        absorbed_bits_right: B - C with the right sum.
        absorbed_bits_per_param: absorbed bits / P, None without P.
        compared: absorbed bits per parameter compared with published capacities; empty without P.
        baseline: name of the baseline that H refers to, None if not given.
        entropy_bits_per_token: H, None if not given.
        lengths: A, B, C and their differences, None without H.
        params: P, None if not given.
        model_bits: N, None if not given.
        eta: gross D (H - L)/N over unique tokens, None without H or N.
        eta_tokens_seen: the same over tokens seen, which counts repeated tokens again.
        eta_absorbed: (B - C)/N, None without N.
        eta_growth_exponent: d ln eta/d ln D over the last doubling; 1 is linear growth.
        saturation: power-law fit and verdict on more tokens.
        annealing: fit that includes the learning rate, None if it is not logged.
        energy: Landauer's bound for the absorbed bits and the energy spent, None if B < C or if
            B - C is not known.
        estimated_energy: the same with 6 P D FLOP, D the tokens seen; None if not requested.
        trajectory: the run at growing D; empty without B or C.
        losses: L(D) as a step function, whose areas up to D are the left and right sums; later
            epochs follow. Empty without B.
        evaluations: losses on another set, thinned evenly if there are many.
        flags: warnings for the reader, the log's labels first.
    """

    format: str
    curve: str
    tokens_seen: int
    unique_tokens: int
    epochs: float
    effective_tokens: float
    online_bits: float | None
    online_bits_left: float | None
    online_bits_right: float | None
    online_reason: str | None
    final_loss_bits_per_token: float | None
    final_loss_source: str | None
    final_bits: float | None
    final_reason: str | None
    absorbed_bits: float | None
    absorbed_bits_left: float | None
    absorbed_bits_right: float | None
    absorbed_bits_per_param: float | None
    compared: tuple[CapacityComparison, ...]
    baseline: str | None
    entropy_bits_per_token: float | None
    lengths: CodeLengths | None
    params: float | None
    model_bits: float | None
    eta: float | None
    eta_tokens_seen: float | None
    eta_absorbed: float | None
    eta_growth_exponent: float | None
    saturation: Saturation
    annealing: Annealing | None
    energy: Energy | None
    estimated_energy: Energy | None
    trajectory: tuple[TrajectoryPoint, ...] = field(repr=False)
    losses: tuple[LossStep, ...] = field(repr=False)
    evaluations: tuple[EvaluationPoint, ...] = field(repr=False)
    flags: tuple[str, ...]
