"""Pitman-Yor count codes: cost of learning a corpus under a prior that expects Zipf's law.

The Dirichlet code charges every history for all V tokens; this code charges for a new token when
it appears. It needs three spectra: counts of (history, token) pairs, counts of histories, and the
fan-out (number of distinct successors of each history). It is therefore exact, independent of
shard order, and takes O(rows).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from itertools import product

import numpy as np

from icfast.errors import OptionError
from icfast.laws.code_length import CodeLengths, code_lengths, plug_in_code_bits
from icfast.laws.gamma import F64, rising_excess
from icfast.laws.result_table import ResultTable
from icfast.sums.fan_out import FanOut
from icfast.sums.spectrum import Spectra, Spectrum
from icfast.units import nats_to_bits

#: Default grid of discounts and strengths.
DISCOUNTS = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
STRENGTHS = (0.1, 1.0, 10.0, 100.0, 1000.0)


def pitman_yor_code_bits(
    windows: Spectrum,
    contexts: Spectrum,
    fan_out: Spectrum,
    alphabet_size: int,
    discount: float,
    strength: float,
) -> float:
    """Return the prequential code length with a Pitman-Yor prior per history, in bits.

    A history with counts c_x that sum to n, with K types and alphabet V, costs
    -[sum_{i=1}^{K-1} ln(th + i d) + lnG(th+1) - lnG(th+n) + sum_x (lnG(c_x-d) - lnG(1-d))] / ln 2
    + [lnG(V+1) - lnG(V-K+1)] / ln 2. In any order, a token seen c times before costs
    -log2 (c - d)/(th + n), and a new one -log2 (th + K d)/(th + n) + log2 (V - K). (Pitman & Yor
    1997; Teh 2006.) New types keep some probability even if K = V, which lengthens the code
    slightly.

    Args:
        windows: counts of (history, token) pairs.
        contexts: counts of the histories.
        fan_out: number of distinct tokens of each history.
        alphabet_size: V.
        discount: d, 0 <= d < 1. A negative d with strength -d V gives the Dirichlet code of
            concentration -d.
        strength: th > -d.

    Raises:
        OptionError: nothing was counted, the spectra are of different corpora, V is smaller than
            the types seen, or d or th is out of range.

    >>> counts, histories = Spectrum.from_counts([4, 3, 1]), Spectrum.from_counts([8])
    >>> fan_out = Spectrum.from_counts([3])
    >>> round(pitman_yor_code_bits(counts, histories, fan_out, 16, 0.5, 1.0), 12)
    24.936637939003
    """
    _check_prior(discount, strength, alphabet_size)
    code = _Code(windows, contexts, fan_out, alphabet_size)
    return code.bits(discount, strength)


@dataclass(frozen=True)
class PitmanYorCode(ResultTable):
    """Best code of a grid; built by :func:`pitman_yor_code_lengths`.

    Attributes:
        order: n.
        discount: d.
        strength: th.
        parameter_bits: log2 of the size of the grid, the cost of sending d and th; part of B.
        lengths: A, B and C, in bits.
    """

    order: int
    discount: float
    strength: float
    parameter_bits: float
    lengths: CodeLengths


def pitman_yor_code_lengths(
    spectra: Spectra,
    fan_out: FanOut,
    order: int,
    alphabet_size: int,
    discounts: Sequence[float] = DISCOUNTS,
    strengths: Sequence[float] = STRENGTHS,
) -> PitmanYorCode:
    """Return code lengths of all D tokens under order-n counts, in bits.

    A = D log2 V. B is the shortest Pitman-Yor code over the grid plus log2 of the grid's size. C is
    the plug-in code. Every token is predicted once; histories begin at the document's start, with a
    begin mark.

    Args:
        spectra: spectra of a corpus.
        fan_out: fan-out of the same corpus: ``icfast.fan_out(model)`` of a model fitted to it, or
            for order 1 ``FanOut.of_unigrams(spectra)``.
        order: n.
        alphabet_size: V.
        discounts: values of d in the grid.
        strengths: values of th in the grid.

    Raises:
        OptionError: the order was not counted, the spectra are of different corpora, the alphabet
            is too small, or the grid is empty or has a value out of range.

    >>> four = Spectra(1, 4, 1, (Spectrum.from_counts([3, 1]),), (), (), (), ())
    >>> found = pitman_yor_code_lengths(four, FanOut.of_unigrams(four), 1, 2, [0.0], [1.0])
    >>> round(found.lengths.online_bits, 12)  # 1/2 for the first, then 1/2, 2/3 and 1/4: log2 24
    4.584962500721
    """
    grid = list(product(discounts, strengths))
    if not grid:
        raise OptionError("the grid is empty; give at least one discount and one strength")
    for discount, strength in grid:
        _check_prior(discount, strength, alphabet_size)
    windows, contexts = spectra.padded(order), spectra.padded_contexts(order)
    code = _Code(windows, contexts, fan_out.padded(order), alphabet_size)
    bits, discount, strength = min((code.bits(d, th), d, th) for d, th in grid)
    parameter_bits = math.log2(len(grid))
    baseline_bits = spectra.tokens * math.log2(alphabet_size)
    lengths = code_lengths(baseline_bits, bits + parameter_bits, code.final_bits)
    return PitmanYorCode(order, discount, strength, parameter_bits, lengths)


class _Code:
    """Code lengths of one order; terms of d alone and of th alone are cached for the grid."""

    def __init__(
        self, windows: Spectrum, contexts: Spectrum, fan_out: Spectrum, alphabet_size: int
    ) -> None:
        self.final_bits = plug_in_code_bits(windows, contexts)
        _check_fan_out(windows, contexts, fan_out, alphabet_size)
        self._windows, self._contexts, self._fan_out = windows, contexts, fan_out
        self._steps = np.arange(int(fan_out.multiplicity[-1]), dtype=np.float64)
        self._which_type = np.log(alphabet_size - self._steps)
        self._of_strength = cache(self._strength_nats)
        self._of_discount = cache(self._discount_nats)

    def bits(self, discount: float, strength: float) -> float:
        # Add to C, as for Dirichlet codes: the whole code would subtract large numbers.
        learning_nats = self._of_strength(strength) - self._of_discount(discount)
        # The first token of a history has probability 1 of being new.
        new_type = np.append(0.0, np.log(strength + discount * self._steps[1:]))
        places = self._fan_out.multiplicity.astype(np.int64) - 1
        naming = np.cumsum(self._which_type - new_type)[places]
        return self.final_bits + nats_to_bits(learning_nats + _sum(self._fan_out, naming))

    def _strength_nats(self, strength: float) -> float:
        logs = np.log(_rows(self._contexts) + strength)
        return rising_excess(self._contexts, strength + 1.0) - _sum(self._contexts, logs)

    def _discount_nats(self, discount: float) -> float:
        logs = np.log(_rows(self._windows) - discount)
        return rising_excess(self._windows, 1.0 - discount) - _sum(self._windows, logs)


def _check_prior(discount: float, strength: float, alphabet_size: int) -> None:
    if not (math.isfinite(strength) and discount < 1 and strength > -discount):
        raise OptionError(
            "a Pitman-Yor code needs discount < 1 and strength > -discount, found "
            f"discount {discount} and strength {strength}"
        )
    dirichlet = -discount * alphabet_size
    if discount < 0 and not math.isclose(strength, dirichlet, rel_tol=1e-12):
        raise OptionError(
            f"a discount below 0 needs strength -discount * alphabet_size = {dirichlet}, "
            f"found {strength}"
        )


def _check_fan_out(
    windows: Spectrum, contexts: Spectrum, fan_out: Spectrum, alphabet_size: int
) -> None:
    if (fan_out.windows, fan_out.distinct) != (windows.distinct, contexts.distinct):
        raise OptionError(
            f"{fan_out.distinct} contexts with {fan_out.windows} successors are not the fan-out of "
            f"{contexts.distinct} contexts and {windows.distinct} distinct windows; take all three "
            "from one corpus, order and convention"
        )
    widest = int(fan_out.multiplicity[-1])
    if widest > alphabet_size:
        raise OptionError(
            f"a context with {widest} distinct successors needs an alphabet_size of at least "
            f"that, found {alphabet_size}"
        )


def _rows(spectrum: Spectrum) -> F64:
    return spectrum.multiplicity.astype(np.float64)


def _sum(spectrum: Spectrum, terms: F64) -> float:
    return math.fsum((spectrum.types.astype(np.float64) * terms).tolist())
