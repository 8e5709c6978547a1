"""Balances of IC-1 and logs of runs that several tests use."""

from __future__ import annotations

import numpy as np

from icfast.logs.log import TrainingLog

#: A solved balance of IC-1: eta N = D (H - L).
BALANCE = {
    "tokens": 3e9,
    "entropy_bits_per_token": 11.0,
    "loss_bits_per_token": 5.0,
    "params": 1.5e9,
    "bits_per_param": 16.0,
    "eta": 0.75,
}

#: Tokens in a step of the runs below.
T = 20
NONE = np.zeros(0, np.int64)


def power(tokens: int, floor: float = 2.0, scale: float = 6.0, exponent: float = 0.35):
    """Return L(t) of each token, t = 1..D."""
    return floor + scale * np.arange(1, tokens + 1) ** -exponent


def logged(losses: np.ndarray, every: int = 1, *, mean: bool = False, **more) -> TrainingLog:
    """Return the log of a run with these token losses: batches, every k-th, or means of k."""
    batches = losses.reshape(-1, T).mean(axis=1)
    starts = np.arange(len(batches)) * T
    if mean:
        batches, starts = batches.reshape(-1, every).mean(axis=1), starts[::every]
        ends = starts + every * T
    else:
        batches, starts = batches[::every], starts[::every]
        ends = starts + T
    return TrainingLog(
        "made", np.arange(len(starts)), starts, ends, batches, NONE, NONE, np.zeros(0), **more
    )


def with_evaluations(losses: list[float], train: bool = True) -> TrainingLog:
    base = logged(power(400))
    at = np.linspace(0, 400, len(losses)).astype(np.int64)
    rows = slice(None) if train else slice(0)
    return TrainingLog(
        "made",
        base.steps[rows],
        base.start_tokens[rows],
        base.end_tokens[rows],
        base.train_loss_nats[rows],
        at // T,
        at,
        np.array(losses),
    )
