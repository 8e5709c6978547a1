"""Scalar quantisation: few values that stand for many, at the least mean square error.

Lloyd's algorithm (Lloyd 1982; Max 1960) on a fine histogram, begun where splitting whatever errs
most has left about equal errors, as the best codes have (Panter & Dite 1951). A value is the
weighted mean of those it stands for, so their weighted sum stays the same: where weights are
counts, the loss on what was counted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from icfast.errors import OptionError
from icfast.kneser_ney.compression.levels import Level
from icfast.kneser_ney.validate import MAX_BITS
from icfast.sums.loss import QUANTA_PER_NAT

F64 = NDArray[np.float64]

#: Cells of the histogram.
_CELLS = 1 << 20

#: Rounds of Lloyd's algorithm at most.
_ROUNDS = 100


class Codes(NamedTuple):
    """What stands for the losses (0) and the backoffs (1) of one order, and which for which."""

    codebooks: NDArray[np.int64]
    losses: NDArray[np.uint16]
    backoffs: NDArray[np.uint16]


def quantised(levels: Sequence[Level], bits: int) -> list[Codes]:
    """Codes of orders 2..N, each order with codebooks of its own.

    Raises:
        OptionError: bits is not 1..16.
    """
    if not 1 <= bits <= MAX_BITS:
        raise OptionError(f"bits {bits} must be from 1 to {MAX_BITS}")
    found = []
    for level in levels[1:]:
        used = level.counts.astype(np.float64)
        losses, loss_codes = quantise(level.nats, used, bits)
        # A context is backed off from as often as something new follows it.
        often = used[: len(level.backoffs)] * np.exp(-np.maximum(level.backoffs, 0.0))
        backoffs, backoff_codes = quantise(level.backoffs, often, bits)
        found.append(Codes(to_quanta(np.array([losses, backoffs])), loss_codes, backoff_codes))
    return found


def decoded(levels: Sequence[Level], codes: Sequence[Codes]) -> list[Level]:
    """The levels as the compressed model knows them."""
    found = [levels[0]]
    for level, own in zip(levels[1:], codes, strict=True):
        losses, backoffs = own.codebooks / QUANTA_PER_NAT
        found.append(level._replace(nats=losses[own.losses], backoffs=backoffs[own.backoffs]))
    return found


def to_quanta(nats: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round losses to whole units of 2^-32 nat."""
    return np.rint(nats * QUANTA_PER_NAT).astype(np.int64)


def quantise(values: F64, weights: F64, bits: int) -> tuple[F64, NDArray[np.uint16]]:
    """(codebook f64[2^bits], ascending; the code of each value), for finite values.

    Values of which there are no more than codes keep their own, to the histogram's resolution.

    >>> codebook, codes = quantise(np.array([1.0, 2.0, 9.0, 9.5]), np.array([3.0, 1, 1, 1]), 1)
    >>> codebook.tolist(), codes.tolist()
    ([1.25, 9.25], [0, 0, 1, 1])
    """
    size = 1 << bits
    if not len(values):
        return np.zeros(size), np.zeros(0, np.uint16)
    low, high = float(values.min()), float(values.max())
    step = (high - low) / (_CELLS - 1) or 1.0
    cells = ((values - low) / step).astype(np.int32)
    used = np.flatnonzero(np.bincount(cells, minlength=_CELLS))
    mass: F64 = np.bincount(cells, weights, _CELLS)[used].astype(np.float64)
    moment: F64 = np.bincount(cells, weights * values, _CELLS)[used].astype(np.float64)
    centres = (low + (used + 0.5) * step).astype(np.float64)
    edges, codebook = _lloyd(mass, moment, centres, size)
    code_of = np.zeros(_CELLS, np.uint16)
    code_of[used] = np.searchsorted(edges, np.arange(len(used)), "right")
    return codebook, code_of[cells]


def _lloyd(mass: F64, moment: F64, centres: F64, size: int) -> tuple[NDArray[np.int64], F64]:
    """(first cell of codes 1.., value of every code)."""
    below, moments = (np.append(0.0, np.cumsum(each)) for each in (mass, moment))
    if len(mass) <= size:
        edges = np.minimum(np.arange(1, size), len(mass))
        return edges, _means(below, moments, centres, edges)
    edges = _bisected(mass, centres, size)
    for _ in range(_ROUNDS):
        codebook = _means(below, moments, centres, edges)
        # Halfway between two values begins the next one's.
        again = np.searchsorted(centres, (codebook[:-1] + codebook[1:]) / 2)
        if np.array_equal(again, edges):
            break
        edges = again
    return edges, _means(below, moments, centres, edges)


def _bisected(mass: F64, centres: F64, size: int) -> NDArray[np.int64]:
    """First cells of codes 1.., each round splitting at its mean whatever errs most."""
    powers = (mass, mass * centres, mass * centres**2)
    below, moments, squares = (np.append(0.0, np.cumsum(power)) for power in powers)
    bounds = np.array([0, len(mass)])
    while len(bounds) <= size:
        held, moment, square = (np.diff(each[bounds]) for each in (below, moments, squares))
        errors = np.where(np.diff(bounds) > 1, np.maximum(square - moment**2 / held, 0.0), -1.0)
        most = min(size + 1 - len(bounds), len(bounds) // 2)
        worst = np.argsort(-errors, kind="stable")[:most]
        worst = worst[errors[worst] >= 0]
        cuts = np.searchsorted(centres, moment[worst] / held[worst])
        cuts = np.clip(cuts, bounds[worst] + 1, bounds[worst + 1] - 1)
        bounds = np.sort(np.append(bounds, cuts))
    return bounds[1:-1]


def _means(below: F64, moments: F64, centres: F64, edges: NDArray[np.int64]) -> F64:
    """The mean of each code's cells; an empty code takes the centre its range begins at."""
    bounds = np.concatenate([[0], edges, [len(centres)]])
    held = np.diff(below[bounds])
    empty = held <= 0
    first = centres[np.minimum(bounds[:-1], len(centres) - 1)]
    means = np.where(empty, first, np.diff(moments[bounds]) / np.where(empty, 1.0, held))
    ascending: F64 = np.maximum.accumulate(means)
    return ascending
