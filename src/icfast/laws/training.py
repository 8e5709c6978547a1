"""A training run by its log: L(D), the three code lengths, what was absorbed, eta on the way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from icfast.energy.joules import JoulesSource, SpentJoules
from icfast.errors import OptionError
from icfast.laws.annealing import Annealing, annealing
from icfast.laws.balance import checked_model_bits, in_bits, require_not_negative, require_positive
from icfast.laws.code_length import code_lengths
from icfast.laws.known_capacities import compared_capacities
from icfast.laws.landauer import Energy, energy, flop_estimate
from icfast.laws.loss_curve import effective_tokens
from icfast.laws.online_code import LossStep, OnlineCode, growth_exponent, online_code
from icfast.laws.run_facts import RunFacts
from icfast.laws.saturation import saturation
from icfast.laws.training_result import EvaluationPoint, TrainingRun, TrajectoryPoint
from icfast.logs.log import TrainingLog
from icfast.units import nats_to_bits

#: Points of the trajectory, evenly in ln D.
_POINTS = 40

#: At most so many evaluations are told one by one.
_EVALUATIONS = 200


@dataclass(frozen=True)
class _Against:
    """What losses are compared with: H in bits, P, N; each may be unknown."""

    entropy: float | None
    params: float | None
    model_bits: float | None

    def saved(self, tokens: float, loss_bits: float) -> float | None:
        return None if self.entropy is None else tokens * (self.entropy - loss_bits)

    def per_param(self, bits: float | None) -> float | None:
        return None if bits is None or self.params is None else bits / self.params

    def per_bit(self, bits: float | None) -> float | None:
        return None if bits is None or self.model_bits is None else bits / self.model_bits


def training_run(
    log: TrainingLog,
    facts: RunFacts | None = None,
    *,
    spent: SpentJoules | None = None,
    seed: int = 0,
    **fields: Any,
) -> TrainingRun:
    """Compute A, B, C, the absorbed bits B - C and eta(D) of a run (arXiv 2411.00660 sec. 2).

    B sums the losses of *fresh* tokens, each before it is learned from: a second epoch is no code
    length. C = D L is the final model's code length of the same tokens; L is given (a fresh pass
    over them), or the log's last evaluation where that is of the same set, or else the mean of the
    last losses, which are of other tokens of the same source, and a flag says so. Evaluations
    stand for training losses only where the log has no others. With dropout, training losses are
    above what the model would have paid.

    Args:
        log: the log, as a reader of `icfast.logs` returns it.
        facts: facts that the log does not state; see `RunFacts`.
        spent: energy spent, J, if the log states none or another figure is meant.
        seed: seed of the bootstrap.
        **fields: fields of `RunFacts`, given by keyword; they override those of facts.

    Raises:
        UnitError: H and L are in different units.
        OptionError: a value is out of range, predicted sets differ, or a baseline has no H.
    """
    facts = replace(facts or RunFacts(), **fields)
    against, final = _known(facts)
    kelvin = facts.temperature_kelvin
    curve, code = _curve(log)
    tokens, seen, epoch_flags = _unique(log, code, facts.unique_tokens)
    loss, source = _final_loss(code, tokens, final, facts)
    if source == "last losses" and facts.eval_predicted_set is not None:
        _same_set(facts.predicted_set, facts.eval_predicted_set)
        loss, source = _last_evaluation(log), "evaluation"
    left, right = (nats_to_bits(nats) for nats in code.up_to(tokens))
    online, final_bits = (left + right) / 2, tokens * loss
    absorbed = online - final_bits
    trajectory = tuple(
        _point(log, code, against, at, recent if at < tokens else loss, kelvin)
        for at, recent in _recent_losses(code, tokens)
    )
    per_param = against.per_param(absorbed)
    saved = against.saved(tokens, loss)
    fresh = _halfway(code, tokens)
    fit_from, rate_flags = _rates(log, curve)
    flags = [*log.labels, *epoch_flags, *rate_flags, *_flags(curve, source, absorbed, left, right)]
    return TrainingRun(
        format=log.format,
        curve=curve,
        tokens_seen=seen,
        unique_tokens=tokens,
        epochs=seen / tokens,
        effective_tokens=effective_tokens(tokens, max(seen / tokens, 1.0)),
        online_bits=online,
        online_bits_left=left,
        online_bits_right=right,
        final_loss_bits_per_token=loss,
        final_loss_source=source,
        final_bits=final_bits,
        absorbed_bits=absorbed,
        absorbed_bits_left=left - final_bits,
        absorbed_bits_right=right - final_bits,
        absorbed_bits_per_param=per_param,
        compared=() if per_param is None else compared_capacities(per_param),
        baseline=facts.baseline,
        entropy_bits_per_token=against.entropy,
        lengths=None
        if against.entropy is None
        else code_lengths(tokens * against.entropy, online, final_bits),
        params=facts.params,
        model_bits=against.model_bits,
        eta=against.per_bit(saved),
        eta_tokens_seen=against.per_bit(against.saved(seen, loss)),
        eta_absorbed=against.per_bit(absorbed),
        eta_growth_exponent=_eta_growth(code, against, tokens),
        saturation=saturation(
            *fresh,
            threshold_nats=facts.saturated_below_nats,
            fit_from_tokens=None if fit_from is None else max(fit_from, fresh[0][-1] / 100),
            seed=seed,
        ),
        annealing=_annealing(log, tokens, facts.saturated_below_nats, seed),
        energy=_energy(absorbed, _spent(log, spent), kelvin),
        estimated_energy=None
        if facts.joules_per_flop is None
        else _energy(absorbed, _estimate(facts.params, seen, facts.joules_per_flop), kelvin),
        trajectory=trajectory,
        losses=_steps(code, tokens),
        evaluations=_evaluations(log),
        flags=tuple(flags),
    )


def _known(facts: RunFacts) -> tuple[_Against, float | None]:
    """Return H, P and N, and L in bits per token; None where a fact is not known."""
    entropy, final = in_bits(
        (facts.entropy_bits_per_token, facts.final_loss_bits_per_token),
        (facts.entropy_nats_per_token, facts.final_loss_nats_per_token),
    )
    if facts.baseline is not None and entropy is None:
        raise OptionError("a baseline needs its code length: entropy_bits_per_token, or in nats")
    for name, value in (("entropy", entropy), ("final_loss", final)):
        if value is not None:
            require_not_negative(f"{name}_bits_per_token", value)
    model_bits = checked_model_bits(facts.model_bits, facts.params, facts.bits_per_param)
    if model_bits is not None:
        require_positive("model_bits", model_bits)
    return _Against(entropy, facts.params, model_bits), final


def _curve(log: TrainingLog) -> tuple[str, OnlineCode]:
    if len(log.train_loss_nats):
        return "training", online_code(log.start_tokens, log.end_tokens, log.train_loss_nats)
    code = online_code(log.eval_tokens, log.eval_tokens, log.eval_loss_nats)
    return "evaluations", code


def _unique(log: TrainingLog, code: OnlineCode, given: int | None) -> tuple[int, int, list[str]]:
    """Tokens of the first pass that have losses, tokens seen, and what to say of it."""
    covered = int(code.knots[-1])
    seen = max(log.tokens, covered)
    if given is not None:
        require_positive("unique_tokens", given)
        return min(int(given), covered), seen, []
    if log.epoch is None:
        return covered, seen, ["epochs are not logged: all tokens are taken for unique ones"]
    first = np.interp(1.0, np.r_[0.0, log.epoch], np.r_[0, log.end_tokens])
    return min(round(float(first)), covered), seen, []


def _final_loss(
    code: OnlineCode, tokens: float, given: float | None, facts: RunFacts
) -> tuple[float, str]:
    final_set = facts.final_predicted_set
    if given is None:
        if final_set is not None:
            raise OptionError("final_predicted_set is the hash of a final loss, which is missing")
        return nats_to_bits(code.loss_at(tokens)), "last losses"
    if final_set is not None:
        _same_set(facts.predicted_set, final_set)
    return given, "given"


def _same_set(online: str | None, other: str) -> None:
    if online != other:
        raise OptionError(
            f"B is of the predicted set {online}, C of {other}: code lengths of different tokens "
            "are not subtracted; score the tokens that were trained on"
        )


def _last_evaluation(log: TrainingLog) -> float:
    if not len(log.eval_loss_nats):
        raise OptionError("eval_predicted_set is given, but the log has no evaluations")
    return nats_to_bits(float(log.eval_loss_nats[-1]))


def _stations(code: OnlineCode, tokens: float) -> list[float]:
    """D of the trajectory: ends of rows, evenly in ln D, the last one included."""
    ends = code.end_tokens[(code.end_tokens > 0) & (code.end_tokens <= tokens)]
    if not len(ends):
        return [float(tokens)]
    wanted = np.geomspace(ends[0], ends[-1], _POINTS)
    found = ends[np.minimum(np.searchsorted(ends, wanted * (1 - 1e-12)), len(ends) - 1)]
    return sorted({*map(float, found), float(tokens)})


def _steps(code: OnlineCode, tokens: float) -> tuple[LossStep, ...]:
    covered = float(code.knots[-1])
    later = code.steps(tokens, covered, _POINTS) if covered > tokens else ()
    return (*code.steps(0.0, tokens), *later)


def _evaluations(log: TrainingLog) -> tuple[EvaluationPoint, ...]:
    found = len(log.eval_tokens)
    kept = np.unique(np.linspace(0, found - 1, min(found, _EVALUATIONS)).round().astype(np.int64))
    return tuple(
        EvaluationPoint(int(log.eval_tokens[i]), nats_to_bits(float(log.eval_loss_nats[i])))
        for i in kept
    )


def _recent_losses(code: OnlineCode, tokens: float) -> Iterator[tuple[float, float]]:
    """D of each point of the trajectory, and the mean of the last losses there, in bits."""
    for at in _stations(code, tokens):
        yield at, nats_to_bits(code.loss_at(at))


def _point(
    log: TrainingLog,
    code: OnlineCode,
    against: _Against,
    tokens: float,
    loss: float,
    temperature_kelvin: float,
) -> TrajectoryPoint:
    online = nats_to_bits(math.fsum(code.up_to(tokens)) / 2)
    absorbed = online - tokens * loss
    saved = against.saved(tokens, loss)
    joules = log.energy_joules
    return TrajectoryPoint(
        tokens,
        loss,
        online,
        absorbed,
        against.per_param(absorbed),
        saved,
        against.per_bit(saved),
        against.per_bit(absorbed),
        None if joules is None else float(np.interp(tokens, log.end_tokens, joules)),
        energy(bits=max(absorbed, 0.0), temperature_kelvin=temperature_kelvin).energy_joules,
    )


def _eta_growth(code: OnlineCode, against: _Against, tokens: float) -> float | None:
    half = tokens / 2
    saved = [against.saved(d, nats_to_bits(code.loss_at(d))) for d in (half, tokens)]
    if saved[0] is None or saved[1] is None:
        return None
    return growth_exponent(saved[0], saved[1], 2.0)


def _halfway(code: OnlineCode, tokens: float) -> tuple[np.ndarray, np.ndarray]:
    """The middle of each fresh row and its loss; none at 0 tokens, where no power law is."""
    middle = (code.start_tokens + code.end_tokens) / 2
    fresh = (code.end_tokens <= tokens) & (middle > 0)
    fresh = fresh if fresh.any() else middle == middle.max()
    return np.maximum(middle[fresh], 0.5), code.loss_nats[fresh]


def _rates(log: TrainingLog, curve: str) -> tuple[float | None, list[str]]:
    """Where the learning rate has risen to its height, and whether it falls after that."""
    rates = log.learning_rate
    if rates is None or curve != "training" or not rates.any():
        return None, []
    flags = []
    if rates[-1] < 0.9 * rates.max():
        flags.append(
            f"the learning rate falls to {rates[-1] / rates.max():.2g} of its height: annealing "
            "takes the loss down too, so the fit is not of tokens alone"
        )
    return float(log.start_tokens[int(rates.argmax())]), flags


def _annealing(
    log: TrainingLog, tokens: float, threshold_nats: float, seed: int
) -> Annealing | None:
    """Of the first epoch's steps, counted from 1; each loss stands in the middle of its tokens."""
    fresh = log.end_tokens <= tokens
    if log.learning_rate is None or not fresh.any():
        return None
    ends = log.end_tokens[fresh]
    steps = log.steps[fresh] + (log.steps[0] == 0)
    middles = (log.start_tokens[fresh] + ends) / 2
    return annealing(
        steps,
        log.learning_rate[fresh],
        log.train_loss_nats[fresh],
        loss_steps=np.interp(middles, np.r_[0, ends], np.r_[0, steps]),
        threshold_nats=threshold_nats,
        seed=seed,
    )


def _flags(curve: str, source: str, absorbed: float, left: float, right: float) -> list[str]:
    flags = []
    if curve == "evaluations":
        flags.append("held-out losses stand for those of training: B is what fresh tokens would")
    if source == "last losses":
        flags.append("C is by the last losses, of other tokens than B: an estimate of B - C")
    if source == "evaluation":
        flags.append("C is by the log's last evaluation")
    if absorbed < 0:
        flags.append("nothing absorbed: B < C, so L is not of the model that these losses led to")
    if left < right:
        flags.append("the loss rises over the gaps: left and right sums are no bounds")
    return flags


def _energy(absorbed: float, spent: SpentJoules | None, temperature_kelvin: float) -> Energy | None:
    if absorbed < 0:
        return None
    return energy(bits=absorbed, temperature_kelvin=temperature_kelvin, spent=spent)


def _spent(log: TrainingLog, given: SpentJoules | None) -> SpentJoules | None:
    if given is not None or log.energy_joules is None:
        return given
    source = JoulesSource.MEGATRON_LOG if log.format == "megatron" else JoulesSource.STATED
    return SpentJoules(float(log.energy_joules[-1]), source)


def _estimate(params: float | None, tokens: float, joules_per_flop: float) -> SpentJoules:
    if params is None:
        raise OptionError("joules_per_flop needs params: the estimate is 6 P D FLOP")
    return flop_estimate(params=params, tokens=tokens, joules_per_flop=joules_per_flop)
