"""A training run at growing D: losses, code lengths, eta and energy along the way."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from icfast.laws.landauer import energy
from icfast.laws.online_code import LossStep, OnlineCode, growth_exponent
from icfast.laws.training_result import EvaluationPoint, TrajectoryPoint
from icfast.logs.log import TrainingLog
from icfast.units import nats_to_bits

#: Number of points of the trajectory, evenly spaced in ln D.
_POINTS = 40

#: Largest number of evaluations listed; longer lists are thinned evenly.
_EVALUATIONS = 200


@dataclass(frozen=True)
class Baseline:
    """H in bits per token, P and N in bits; None for each unknown."""

    entropy: float | None
    params: float | None
    model_bits: float | None

    def saved(self, tokens: float, loss_bits: float | None) -> float | None:
        """Return D (H - L) in bits, None without H or L."""
        if self.entropy is None or loss_bits is None:
            return None
        return tokens * (self.entropy - loss_bits)

    def per_param(self, bits: float | None) -> float | None:
        """Return bits / P, None without P."""
        return None if bits is None or self.params is None else bits / self.params

    def per_bit(self, bits: float | None) -> float | None:
        """Return bits / N, None without N."""
        return None if bits is None or self.model_bits is None else bits / self.model_bits


def trajectory(
    log: TrainingLog,
    code: OnlineCode,
    baseline: Baseline,
    tokens: float,
    final_loss_bits: float,
    temperature_kelvin: float,
) -> tuple[TrajectoryPoint, ...]:
    """Return the run at growing D; its last point uses the final loss."""
    points = []
    for at in _stations(code, tokens):
        loss = nats_to_bits(code.loss_at(at)) if at < tokens else final_loss_bits
        points.append(_point(log, code, baseline, at, loss, temperature_kelvin))
    return tuple(points)


def loss_steps(code: OnlineCode, tokens: float) -> tuple[LossStep, ...]:
    """Return L(D) as a step function up to D, followed by the later epochs."""
    covered = float(code.knots[-1])
    later = code.steps(tokens, covered, _POINTS) if covered > tokens else ()
    return (*code.steps(0.0, tokens), *later)


def evaluation_points(log: TrainingLog) -> tuple[EvaluationPoint, ...]:
    """Return the evaluations of a log, thinned evenly if there are many."""
    found = len(log.eval_tokens)
    kept = np.unique(np.linspace(0, found - 1, min(found, _EVALUATIONS)).round().astype(np.int64))
    return tuple(
        EvaluationPoint(int(log.eval_tokens[i]), nats_to_bits(float(log.eval_loss_nats[i])))
        for i in kept
    )


def growth_of_eta(code: OnlineCode, baseline: Baseline, tokens: float) -> float | None:
    """Return d ln eta / d ln D over the last doubling of D.

    It is None without H, if eta <= 0, or if the log begins later.
    """
    half = tokens / 2
    if code.start_tokens[0] >= half:
        return None
    saved = [baseline.saved(d, nats_to_bits(code.loss_at(d))) for d in (half, tokens)]
    if saved[0] is None or saved[1] is None:
        return None
    return growth_exponent(saved[0], saved[1], 2.0)


def _stations(code: OnlineCode, tokens: float) -> list[float]:
    """Return D of each point: row ends, evenly spaced in ln D, and the last D."""
    ends = code.end_tokens[(code.end_tokens > 0) & (code.end_tokens <= tokens)]
    if not len(ends):
        return [float(tokens)]
    wanted = np.geomspace(ends[0], ends[-1], _POINTS)
    found = ends[np.minimum(np.searchsorted(ends, wanted * (1 - 1e-12)), len(ends) - 1)]
    return sorted({*map(float, found), float(tokens)})


def _point(
    log: TrainingLog,
    code: OnlineCode,
    baseline: Baseline,
    tokens: float,
    loss: float,
    temperature_kelvin: float,
) -> TrajectoryPoint:
    online = nats_to_bits(math.fsum(code.up_to(tokens)) / 2)
    absorbed = online - tokens * loss
    saved = baseline.saved(tokens, loss)
    joules = log.energy_joules
    return TrajectoryPoint(
        tokens,
        loss,
        online,
        absorbed,
        baseline.per_param(absorbed),
        saved,
        baseline.per_bit(saved),
        baseline.per_bit(absorbed),
        None if joules is None else float(np.interp(tokens, log.end_tokens, joules)),
        energy(bits=max(absorbed, 0.0), temperature_kelvin=temperature_kelvin).energy_joules,
    )
