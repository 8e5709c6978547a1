"""Code lengths A, B and C of a training run, computed from its log."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from icfast.energy.joules import JoulesSource, SpentJoules
from icfast.errors import OptionError
from icfast.laws.annealing import Annealing, annealing
from icfast.laws.balance import checked_model_bits, in_bits, require_not_negative, require_positive
from icfast.laws.code_length import code_lengths
from icfast.laws.known_capacities import compared_capacities
from icfast.laws.landauer import Energy, energy, flop_estimate
from icfast.laws.loss_curve import effective_tokens
from icfast.laws.online_code import OnlineCode, online_code
from icfast.laws.saturation import Saturation, saturation, unknown_saturation
from icfast.laws.training_facts import RunFacts
from icfast.laws.training_result import TrainingRun
from icfast.laws.trajectory import (
    Baseline,
    evaluation_points,
    growth_of_eta,
    loss_steps,
    trajectory,
)
from icfast.logs.log import TrainingLog
from icfast.units import nats_to_bits

#: Share of a pass that a log may lack before its first token, because epochs are rounded.
_LEFT_OUT = 0.05


def training_run(
    log: TrainingLog,
    facts: RunFacts | None = None,
    *,
    spent: SpentJoules | None = None,
    seed: int = 0,
    **fields: Any,
) -> TrainingRun:
    """Compute A, B, C, the absorbed bits B - C and eta(D) of a run (arXiv 2411.00660 sec. 2).

    - B sums the losses of *fresh* tokens, each measured before the model learns from the token.
      Later epochs do not count, because they describe no new tokens.
    - C = D L is the code length of the same tokens under the final model. L is the loss given, or
      the log's last evaluation if that used the same tokens. Otherwise L is the mean of the last
      losses: these are of other tokens of the same source, and a flag says so.
    - Evaluations replace training losses only if the log has no training losses.

    With dropout, training losses are higher than what the model without dropout would pay.

    Args:
        log: the log, as a reader of `icfast.logs` returns it.
        facts: facts that the log does not state; see `RunFacts`.
        spent: energy spent, in joules, if the log states none or another figure is meant.
        seed: seed of the bootstrap.
        **fields: fields of `RunFacts`, given by keyword; they override those of facts.

    B, C and their difference are None, with a reason, if the log has no losses of the tokens that
    they describe: a log that begins late, such as one of a resumed run.

    Returns:
        Code lengths in bits, energies in joules, the trajectory, fits and flags.

    Raises:
        UnitError: H and L are in different units.
        OptionError: a value is out of range, predicted sets differ, or a baseline has no H.
    """
    facts = replace(facts or RunFacts(), **fields)
    baseline, final = _checked(facts)
    curve, code = _curve(log)
    tokens, seen, epoch_flags = _unique_tokens(log, code, facts.unique_tokens)
    elsewhere = _other_passes(log, code, tokens)
    loss, source, final_reason = _final_loss(log, code, tokens, final, facts, elsewhere)
    online_reason = elsewhere or code.unknown_beginning(tokens)
    left, right = (None, None) if online_reason else map(nats_to_bits, code.up_to(tokens))
    online = None if left is None or right is None else (left + right) / 2
    final_bits = None if loss is None else tokens * loss
    absorbed = _difference(online, final_bits)
    per_param = baseline.per_param(absorbed)
    fit_from, rate_flags = _learning_rate_peak(log, curve)
    flags = [*log.labels, *epoch_flags, *rate_flags, *_flags(curve, source, absorbed, left, right)]
    flags += [f"B is not known: {online_reason}"] * (online_reason is not None)
    flags += [f"C is not known: {final_reason}"] * (final_reason is not None)
    kelvin = facts.temperature_kelvin
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
        online_reason=online_reason,
        final_loss_bits_per_token=loss,
        final_loss_source=source,
        final_bits=final_bits,
        final_reason=final_reason,
        absorbed_bits=absorbed,
        absorbed_bits_left=_difference(left, final_bits),
        absorbed_bits_right=_difference(right, final_bits),
        absorbed_bits_per_param=per_param,
        compared=() if per_param is None else compared_capacities(per_param),
        baseline=facts.baseline,
        entropy_bits_per_token=baseline.entropy,
        lengths=None
        if baseline.entropy is None or online is None or final_bits is None
        else code_lengths(tokens * baseline.entropy, online, final_bits),
        params=facts.params,
        model_bits=baseline.model_bits,
        eta=baseline.per_bit(baseline.saved(tokens, loss)),
        eta_tokens_seen=baseline.per_bit(baseline.saved(seen, loss)),
        eta_absorbed=baseline.per_bit(absorbed),
        eta_growth_exponent=growth_of_eta(code, baseline, tokens),
        saturation=_saturation(code, tokens, fit_from, facts, seed),
        annealing=_annealing(log, tokens, facts.saturated_below_nats, seed),
        energy=_energy(absorbed, _spent(log, spent), kelvin),
        estimated_energy=_estimated_energy(absorbed, seen, facts),
        trajectory=()
        if absorbed is None or loss is None
        else trajectory(log, code, baseline, tokens, loss, kelvin),
        losses=loss_steps(code, tokens) if online is not None else (),
        evaluations=evaluation_points(log),
        flags=tuple(flags),
    )


def _difference(bits: float | None, other: float | None) -> float | None:
    return None if bits is None or other is None else bits - other


def _checked(facts: RunFacts) -> tuple[Baseline, float | None]:
    """Return H, P and N, and the given L in bits per token; None for each unknown."""
    entropy, final = in_bits(
        (facts.entropy_bits_per_token, facts.final_loss_bits_per_token),
        (facts.entropy_nats_per_token, facts.final_loss_nats_per_token),
    )
    if facts.baseline is not None and entropy is None:
        raise OptionError(
            f"the baseline {facts.baseline!r} has no code length; give entropy_bits_per_token or "
            "entropy_nats_per_token"
        )
    for name, value in (("entropy", entropy), ("final_loss", final)):
        if value is not None:
            require_not_negative(f"{name}_bits_per_token", value)
    model_bits = checked_model_bits(facts.model_bits, facts.params, facts.bits_per_param)
    if model_bits is not None:
        require_positive("model_bits", model_bits)
    return Baseline(entropy, facts.params, model_bits), final


def _curve(log: TrainingLog) -> tuple[str, OnlineCode]:
    if len(log.train_loss_nats):
        return "training", online_code(log.start_tokens, log.end_tokens, log.train_loss_nats)
    code = online_code(log.eval_tokens, log.eval_tokens, log.eval_loss_nats)
    return "evaluations", code


def _unique_tokens(
    log: TrainingLog, code: OnlineCode, given: int | None
) -> tuple[int, int, list[str]]:
    """Return the tokens of one pass that the run saw, the tokens seen, and flags."""
    covered = int(code.knots[-1])
    seen = max(log.tokens, covered)
    if given is not None:
        require_positive("unique_tokens", given)
        return min(int(given), covered), seen, []
    if log.pass_reason is not None:
        raise OptionError(
            f"the number of unique tokens is not known: {log.pass_reason}. Pass --unique-tokens"
        )
    if log.epoch is None:
        return covered, seen, ["epochs are not logged: every token is counted as unique"]
    return max(1, min(round(_pass_tokens(log.epoch, log.end_tokens)), covered)), seen, []


def _pass_tokens(epoch: NDArray[np.float64], ends: NDArray[np.int64]) -> float:
    """Return the tokens of one pass.

    They are the tokens seen at epoch 1, or, in a log that begins elsewhere, the tokens between two
    rows over the difference of their epochs.
    """
    if epoch[0] > 1 or _tokens_left_out(epoch, ends) is not None:
        return _slope(epoch, ends)
    equal = ends[epoch == 1.0]
    if len(equal) > 1:
        # Rounded epochs: the slope of the whole log says where among these rows the pass ends.
        return float(np.clip(ends[-1] / epoch[-1], equal[0], equal[-1]))
    return float(np.interp(1.0, np.r_[0.0, epoch], np.r_[0, ends]))


def _slope(epoch: NDArray[np.float64], ends: NDArray[np.int64]) -> float:
    rise = float(epoch[-1] - epoch[0])
    return float(ends[-1] - ends[0]) / rise if rise > 0 else float(ends[-1] / epoch[-1])


def _tokens_left_out(epoch: NDArray[np.float64], ends: NDArray[np.int64]) -> float | None:
    """Return the tokens before the log's token 0 by its epochs, None if there are hardly any."""
    length = _slope(epoch, ends)
    missing = float(epoch[0] * length - ends[0])
    return missing if missing > _LEFT_OUT * length else None


def _other_passes(log: TrainingLog, code: OnlineCode, tokens: float) -> str | None:
    """Return why no row describes the first tokens of the run, None if rows do."""
    if log.pass_reason is not None:
        return log.pass_reason
    if log.epoch is not None and _tokens_left_out(log.epoch, log.end_tokens) is not None:
        return f"the log counts its tokens from epoch {log.epoch[0]:.3g} on"
    if code.start_tokens[0] >= tokens:
        return "no row of the log is of the first pass"
    return None


def _final_loss(
    log: TrainingLog,
    code: OnlineCode,
    tokens: float,
    given: float | None,
    facts: RunFacts,
    elsewhere: str | None,
) -> tuple[float | None, str | None, str | None]:
    """Return L in bits per token and where it comes from, or None and the reason."""
    online_set, final_set = facts.predicted_set, facts.final_predicted_set
    if given is not None:
        if final_set is not None:
            _require_same_set(online_set, final_set)
        return given, "given", None
    if final_set is not None:
        raise OptionError("final_predicted_set is the hash of a final loss, which is missing")
    if facts.eval_predicted_set is None:
        if elsewhere is not None:
            return None, None, f"{elsewhere}, and no final loss is given"
        return nats_to_bits(code.loss_at(tokens)), "last losses", None
    _require_same_set(online_set, facts.eval_predicted_set)
    if not len(log.eval_loss_nats):
        raise OptionError("eval_predicted_set is given, but the log has no evaluations")
    return nats_to_bits(float(log.eval_loss_nats[-1])), "evaluation", None


def _require_same_set(online: str | None, other: str) -> None:
    if online != other:
        raise OptionError(
            f"B and C are of different tokens: predicted set {online} for B, {other} for C. Their "
            "difference has no meaning; score the tokens that were trained on"
        )


def _saturation(
    code: OnlineCode, tokens: float, fit_from: float | None, facts: RunFacts, seed: int
) -> Saturation:
    """Fit a power law to the midpoints of the fresh rows; D = 0 has no power law."""
    middle = (code.start_tokens + code.end_tokens) / 2
    fresh = (code.end_tokens <= tokens) & (middle > 0)
    if not fresh.any():
        return unknown_saturation(tokens, 0, facts.saturated_below_nats)
    middles = np.maximum(middle[fresh], 0.5)
    return saturation(
        middles,
        code.loss_nats[fresh],
        threshold_nats=facts.saturated_below_nats,
        fit_from_tokens=None if fit_from is None else max(fit_from, middles[-1] / 100),
        seed=seed,
    )


def _learning_rate_peak(log: TrainingLog, curve: str) -> tuple[float | None, list[str]]:
    """Return the tokens at which the learning rate peaks, and a flag if it falls later."""
    rates = log.learning_rate
    if rates is None or curve != "training" or not rates.any():
        return None, []
    flags = []
    if rates[-1] < 0.9 * rates.max():
        flags.append(
            f"the learning rate falls to {rates[-1] / rates.max():.2g} of its peak: annealing "
            "lowers the loss too, so the fit does not describe tokens alone"
        )
    return float(log.start_tokens[int(rates.argmax())]), flags


def _annealing(
    log: TrainingLog, tokens: float, threshold_nats: float, seed: int
) -> Annealing | None:
    """Fit the annealing law to the first epoch; steps count from 1, losses lie mid-row."""
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


def _flags(
    curve: str,
    source: str | None,
    absorbed: float | None,
    left: float | None,
    right: float | None,
) -> list[str]:
    flags = []
    if curve == "evaluations":
        flags.append("B uses held-out losses, because the log has no training losses")
    if source == "last losses":
        flags.append("C uses the last losses, of other tokens than B, so B - C is an estimate")
    if source == "evaluation":
        flags.append("C uses the log's last evaluation")
    if absorbed is not None and absorbed < 0:
        flags.append("nothing absorbed: B < C, so L cannot be of the model that had these losses")
    if left is not None and right is not None and left < right:
        flags.append("the loss rises over the gaps: left and right sums are no bounds")
    return flags


def _energy(
    absorbed: float | None, spent: SpentJoules | None, temperature_kelvin: float
) -> Energy | None:
    if absorbed is None or absorbed < 0:
        return None
    return energy(bits=absorbed, temperature_kelvin=temperature_kelvin, spent=spent)


def _estimated_energy(absorbed: float | None, seen: int, facts: RunFacts) -> Energy | None:
    if facts.joules_per_flop is None:
        return None
    if facts.params is None:
        raise OptionError("joules_per_flop needs params: the estimate is 6 P D FLOP")
    spent = flop_estimate(params=facts.params, tokens=seen, joules_per_flop=facts.joules_per_flop)
    return _energy(absorbed, spent, facts.temperature_kelvin)


def _spent(log: TrainingLog, given: SpentJoules | None) -> SpentJoules | None:
    if given is not None or log.energy_joules is None:
        return given
    source = JoulesSource.MEGATRON_LOG if log.format == "megatron" else JoulesSource.STATED
    return SpentJoules(float(log.energy_joules[-1]), source)
