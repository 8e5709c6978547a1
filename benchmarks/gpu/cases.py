"""Rows that have hurt someone, their losses in fp64 by numpy, and how far off an answer may be."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

#: Vectors and warps and their ragged ends, and vocabularies of real models.
COLUMNS = (1, 2, 7, 8, 9, 255, 1025, 4097, 32000, 50257, 50304, 128256, 151936, 256000, 262144)
DTYPES = ("float32", "bfloat16", "float16", "float64")
OPTIONS: tuple[dict[str, float], ...] = ({}, {"softcap": 30.0}, {"temperature": 0.7})


class Losses(NamedTuple):
    """A number a row."""

    nll_nats: NDArray[np.float64]
    logsumexp_nats: NDArray[np.float64]
    entropy_nats: NDArray[np.float64]
    rank: NDArray[np.int64]


def make_rows(columns: int, seed: int) -> NDArray[np.float64]:
    """A row of each kind, before it is rounded to a dtype."""
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((8, columns))
    at = np.arange(columns)
    x[1] *= 5
    x[2] *= 20
    x[3] += 1e4
    x[4] = 5 * x[4] - 1e4
    x[5, columns // 3] += 60
    x[6, -1] += 300
    x[7, : columns // 2] = -np.inf
    ramp = np.linspace(-700, 700, columns)
    striped = np.where(at // 100 % 2 == 1, -np.inf, generator.standard_normal(columns))
    masked = np.where(at < columns // 2, -3e4, generator.standard_normal(columns))
    return np.array([*x, ramp, -ramp, striped, masked, np.zeros(columns), np.full(columns, 0.7)])


def define(
    logits: NDArray[np.float64],
    targets: NDArray[np.int64],
    softcap: float | None = None,
    temperature: float = 1.0,
) -> Losses:
    """-ln softmax, by the formula, a row at a time."""
    found = []
    for stored, target in zip(logits, targets, strict=True):
        x = stored
        if softcap:
            x = np.where(np.isinf(stored), stored, softcap * np.tanh(stored / softcap))
        below = (x - x.max()) / temperature
        shares = np.exp(below)
        total = shares.sum()
        has = shares > 0
        entropy = np.log(total) - shares[has] @ below[has] / total
        found.append(
            (
                np.log(total) - below[target],
                x.max() / temperature + np.log(total),
                entropy,
                np.count_nonzero(stored > stored[target]),
            )
        )
    nll, logsumexp, entropies, ranks = zip(*found, strict=True)
    return Losses(np.array(nll), np.array(logsumexp), np.array(entropies), np.array(ranks))


def share_of_budget(found: Any, expected: NDArray[np.float64]) -> float:
    """The largest error as a share of 2e-6 + 4e-7 |nats|; infinite where one is no number."""
    found = np.asarray(found, np.float64)
    number = np.isfinite(expected)
    if not np.array_equal(found[~number], expected[~number], equal_nan=True):
        return float("inf")
    error = np.abs(found[number] - expected[number])
    shares = error / (2e-6 + 4e-7 * np.abs(expected[number]))
    return float(np.nan_to_num(shares, nan=np.inf).max(initial=0))


@dataclass(frozen=True)
class Check:
    """One thing that was tried, and what came of it."""

    name: str
    passed: bool
    detail: str = ""


def compare(name: str, found: Any, expected: Losses) -> Check:
    """All four fields: numbers within the budget, ranks equal."""
    shares = {
        field: share_of_budget(getattr(found, field), getattr(expected, field))
        for field in ("nll_nats", "logsumexp_nats", "entropy_nats")
    }
    ranks = np.array_equal(np.asarray(found.rank), expected.rank)
    worst = max(shares, key=lambda field: shares[field])
    detail = f"{shares[worst]:.3f} of the budget ({worst})" + ("" if ranks else ", ranks differ")
    return Check(name, ranks and shares[worst] <= 1, detail)
