"""What a training run's log says, in frozen results: the whole run, its trajectory, evaluations."""

from __future__ import annotations

from dataclasses import dataclass

from icfast.laws.annealing import Annealing
from icfast.laws.code_length import CodeLengths
from icfast.laws.known_capacities import CapacityComparison
from icfast.laws.landauer import Energy
from icfast.laws.online_code import LossStep
from icfast.laws.saturation import Saturation


@dataclass(frozen=True)
class EvaluationPoint:
    """A loss of another set than the one trained on.

    Attributes:
        tokens: seen before it.
        loss_bits_per_token: of that set.
    """

    tokens: int
    loss_bits_per_token: float


@dataclass(frozen=True)
class TrajectoryPoint:
    """A run up to D fresh tokens, as if it had ended there.

    Attributes:
        tokens: D.
        loss_bits_per_token: L(D), the mean of the last hundredth of D; at the end the final loss.
        online_bits: B(D), the mean of its left and right sum.
        absorbed_bits: B(D) - D L(D).
        absorbed_bits_per_param: that over P, None without P.
        gross_savings_bits: D (H - L(D)), None without H.
        eta: gross savings over N, None without H or N.
        eta_absorbed: absorbed bits over N, None without N.
        energy_joules: spent up to there, None where not logged.
        floor_joules: Landauer's floor of the absorbed bits, 0 where these are below 0.
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
class TrainingRun:
    """Result of :func:`training_run`. Code lengths are of the unique tokens, in bits.

    Attributes:
        format: of the log.
        curve: ``training`` losses, or ``evaluations`` where the log has nothing else.
        tokens_seen: every epoch counted.
        unique_tokens: D, of the first pass over the data.
        epochs: tokens seen over unique ones.
        effective_tokens: D' of these epochs (Muennighoff et al. 2023).
        online_bits: B, the mean of the next two.
        online_bits_left: gaps of the log at the loss before them: the most, where the loss falls.
        online_bits_right: gaps at the loss after them: the least.
        final_loss_bits_per_token: L of the final model.
        final_loss_source: ``given``, ``evaluation`` of the same set, or ``last losses``.
        final_bits: C = D L.
        absorbed_bits: B - C.
        absorbed_bits_left: with the left sum.
        absorbed_bits_right: with the right sum.
        absorbed_bits_per_param: over P, None without P.
        compared: that beside published capacities; empty without P.
        baseline: what H is measured under, None without H.
        entropy_bits_per_token: H, None where not given.
        lengths: A, B, C and their differences, None without H.
        params: P, None where not given.
        model_bits: N, None where not given.
        eta: gross D (H - L)/N over unique tokens, None without H or N.
        eta_tokens_seen: the same over tokens seen: a second copy saves again, and tells nothing.
        eta_absorbed: (B - C)/N, None without N.
        eta_growth_exponent: d ln eta/d ln D over the last doubling; 1 is linear growth.
        saturation: what a fit says of more tokens.
        annealing: what a fit under the learning rates says; None where they are not logged.
        energy: Landauer's floor of the absorbed bits beside what was spent; None if B < C.
        estimated_energy: the same beside 6 P D FLOP, D the tokens seen; None where not asked for.
        trajectory: the run at growing D.
        losses: L(D) in steps, whose areas up to D are the left and right sums; later epochs follow.
        evaluations: losses of another set, evenly thinned where there are many.
        flags: what a reader should be told, the log's labels first.
    """

    format: str
    curve: str
    tokens_seen: int
    unique_tokens: int
    epochs: float
    effective_tokens: float
    online_bits: float
    online_bits_left: float
    online_bits_right: float
    final_loss_bits_per_token: float
    final_loss_source: str
    final_bits: float
    absorbed_bits: float
    absorbed_bits_left: float
    absorbed_bits_right: float
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
    trajectory: tuple[TrajectoryPoint, ...]
    losses: tuple[LossStep, ...]
    evaluations: tuple[EvaluationPoint, ...]
    flags: tuple[str, ...]
