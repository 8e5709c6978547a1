"""Scalar quantisation: represent many values by a small codebook with least mean square error.

Lloyd's algorithm (Lloyd 1982; Max 1960) runs on a fine histogram. Its start comes from repeatedly
splitting the cells with the largest errors, since optimal codes have about equal errors (Panter &
Dite 1951). Each code's value is the weighted mean of its members, so weighted sums do not change:
with counts as weights, the loss on the training data stays the same.
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

#: Number of cells of the histogram.
_CELLS = 1 << 20

#: Maximum number of iterations of Lloyd's algorithm.
_ROUNDS = 100


class Codes(NamedTuple):
    """Codebooks and codes of one order.

    Attributes:
        codebooks: i64[2, 2^bits], values of loss codes and of backoff codes in units of 2^-32 nat.
        losses: u16[n], the loss code of each n-gram.
        backoffs: u16[n], the backoff code of each n-gram; empty at order N.
    """

    codebooks: NDArray[np.int64]
    losses: NDArray[np.uint16]
    backoffs: NDArray[np.uint16]


def quantised(levels: Sequence[Level], bits: int) -> list[Codes]:
    """Quantise the losses and backoffs of orders 2..N, with separate codebooks for each order.

    Raises:
        OptionError: bits is not in 1..16.
    """
    if not 1 <= bits <= MAX_BITS:
        raise OptionError(f"bits is {bits}, but must be from 1 to {MAX_BITS}")
    found = []
    for level in levels[1:]:
        used = level.counts.astype(np.float64)
        losses, loss_codes = quantise(level.nats, used, bits)
        # A context backs off once per token that is not among its successors.
        often = used[: len(level.backoffs)] * np.exp(-np.maximum(level.backoffs, 0.0))
        backoffs, backoff_codes = quantise(level.backoffs, often, bits)
        found.append(Codes(to_quanta(np.array([losses, backoffs])), loss_codes, backoff_codes))
    return found


def decoded(levels: Sequence[Level], codes: Sequence[Codes]) -> list[Level]:
    """Return the levels with the values that the compressed model stores."""
    found = [levels[0]]
    for level, own in zip(levels[1:], codes, strict=True):
        losses, backoffs = own.codebooks / QUANTA_PER_NAT
        found.append(level._replace(nats=losses[own.losses], backoffs=backoffs[own.backoffs]))
    return found


def to_quanta(nats: NDArray[np.float64]) -> NDArray[np.int64]:
    """Round losses to whole units of 2^-32 nat."""
    return np.rint(nats * QUANTA_PER_NAT).astype(np.int64)


def quantise(values: F64, weights: F64, bits: int) -> tuple[F64, NDArray[np.uint16]]:
    """Return (codebook f64[2^bits], ascending; code u16 of each value) for finite values.

    If there are no more distinct values than codes, each value keeps its own code, up to the
    resolution of the histogram.

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
    """Return (first cell of codes 1.., value of every code)."""
    below, moments = (np.append(0.0, np.cumsum(each)) for each in (mass, moment))
    if len(mass) <= size:
        edges = np.minimum(np.arange(1, size), len(mass))
        return edges, _means(below, moments, centres, edges)
    edges = _bisected(mass, centres, size)
    for _ in range(_ROUNDS):
        codebook = _means(below, moments, centres, edges)
        # Each boundary is halfway between two values.
        again = np.searchsorted(centres, (codebook[:-1] + codebook[1:]) / 2)
        if np.array_equal(again, edges):
            break
        edges = again
    return edges, _means(below, moments, centres, edges)


def _bisected(mass: F64, centres: F64, size: int) -> NDArray[np.int64]:
    """Return the first cells of codes 1.., after splitting the worst codes at their means."""
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
    """Return the mean of each code's cells. An empty code gets the first centre of its range."""
    bounds = np.concatenate([[0], edges, [len(centres)]])
    held = np.diff(below[bounds])
    empty = held <= 0
    first = centres[np.minimum(bounds[:-1], len(centres) - 1)]
    means = np.where(empty, first, np.diff(moments[bounds]) / np.where(empty, 1.0, held))
    ascending: F64 = np.maximum.accumulate(means)
    return ascending
