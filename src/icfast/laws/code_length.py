"""Code lengths of a corpus before, while and after a model learns it.

A = D H is the length under the baseline. B is the online (prequential) length: each token is coded
before the model learns from it. C is the length under the final model. For count codes B and C
depend on two spectra only, the counts of (history, token) pairs and of histories. They are exact,
independent of shard order, and take O(rows).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from icfast.errors import OptionError
from icfast.laws.entropy import plug_in_bits_per_token
from icfast.laws.gamma import rising_excess
from icfast.laws.result_table import ResultTable
from icfast.sums.spectrum import Spectra, Spectrum
from icfast.units import nats_to_bits


@dataclass(frozen=True)
class CodeLengths(ResultTable):
    """Three code lengths of the same tokens and their differences, all in bits.

    Built by :func:`code_lengths`, which computes the differences.

    Attributes:
        baseline_bits: A = D H, under the named baseline.
        online_bits: B, each token coded before the model learns from it.
        final_bits: C, under the final model.
        gross_savings_bits: A - C, the D (H - L) of IC-1, which does not charge for the model.
        compression_bits: A - B, saved with a model learned on the way.
        absorbed_bits: B - C, bits that the model absorbed: the area between the loss curve and the
            final loss.
    """

    baseline_bits: float
    online_bits: float
    final_bits: float
    gross_savings_bits: float
    compression_bits: float
    absorbed_bits: float


def code_lengths(baseline_bits: float, online_bits: float, final_bits: float) -> CodeLengths:
    """Return A, B, C and their differences, A - C = (A - B) + (B - C), in bits.

    (An, Song & Li 2024 sec. 2; Rissanen 1984.) All three must be code lengths of the same tokens,
    and B and C of the same model family.

    Raises:
        OptionError: a length is negative or not finite.

    >>> code_lengths(1000.0, 700.0, 600.0).absorbed_bits
    100.0
    """
    for name, bits in (("baseline", baseline_bits), ("online", online_bits), ("final", final_bits)):
        if not (math.isfinite(bits) and bits >= 0):
            raise OptionError(f"{name}_bits must be finite and not negative, found {bits}")
    return CodeLengths(
        baseline_bits=baseline_bits,
        online_bits=online_bits,
        final_bits=final_bits,
        gross_savings_bits=baseline_bits - final_bits,
        compression_bits=baseline_bits - online_bits,
        absorbed_bits=online_bits - final_bits,
    )


def best_description_bits(lengths: CodeLengths, model_bits: float) -> float:
    """Return min(B, C + N), the shorter of the prequential and the two-part code, in bits.

    (Rissanen 1978, 1984.) The two-part code sends the model of N bits first.

    Raises:
        OptionError: model_bits is negative or not finite.

    >>> best_description_bits(code_lengths(1000.0, 700.0, 600.0), 64.0)
    664.0
    """
    if not (math.isfinite(model_bits) and model_bits >= 0):
        raise OptionError(f"model_bits must be finite and not negative, found {model_bits}")
    return min(lengths.online_bits, lengths.final_bits + model_bits)


def minimum_length_order(lengths: Sequence[CodeLengths]) -> int:
    """Return the order with the shortest online code B, the lowest of ties (Rissanen 1984).

    Orders count from 1.

    Args:
        lengths: code lengths of the orders 1, 2, ...

    Raises:
        OptionError: there are no lengths, or their A differ, so they are of different tokens.

    >>> minimum_length_order([code_lengths(9.0, 8.0, 7.0), code_lengths(9.0, 6.5, 5.0)])
    2
    """
    if not lengths:
        raise OptionError("there are no code lengths to choose an order from")
    if len({entry.baseline_bits for entry in lengths}) > 1:
        raise OptionError("baseline lengths differ, so these code lengths are of different tokens")
    return 1 + min(range(len(lengths)), key=lambda i: lengths[i].online_bits)


def plug_in_code_bits(windows: Spectrum, contexts: Spectrum) -> float:
    """Return C = sum_c n_c log2 n_c - sum_cw n_cw log2 n_cw, the code length by the final counts.

    Args:
        windows: counts n_cw of (history, token) pairs.
        contexts: counts n_c of the histories.

    Raises:
        OptionError: nothing was counted, or the two sums differ.

    >>> pairs = Spectrum.from_counts([675_000, 75_000, 75_000, 175_000])
    >>> round(plug_in_code_bits(pairs, Spectrum.from_counts([750_000, 250_000])), 6)
    572069.42
    """
    return windows.windows * plug_in_bits_per_token(windows, contexts)


def dirichlet_code_bits(
    windows: Spectrum, contexts: Spectrum, alphabet_size: int, concentration: float
) -> float:
    """Return the prequential code length with a Dirichlet prior per history, in bits.

    A history with counts c_x that sum to n, alphabet V and concentration a costs
    [lnG(n+aV) - lnG(aV) - sum_x (lnG(c_x+a) - lnG(a))] / ln 2, the sum of
    -log2 (c_x + a)/(n + aV) over its tokens in any order. a = 1/2 is the Krichevsky-Trofimov (1981)
    code, a = 1 Laplace's.

    Args:
        windows: counts of (history, token) pairs.
        contexts: counts of the histories.
        alphabet_size: V, number of possible next tokens.
        concentration: a > 0.

    Raises:
        OptionError: nothing was counted, the two sums differ, V is smaller than the types seen, or
            a is not positive and finite.

    >>> counts = Spectrum.from_counts([4, 3, 1])
    >>> round(dirichlet_code_bits(counts, Spectrum.from_counts([8]), 3, 1.0), 12)
    13.621136113275
    """
    if not (math.isfinite(concentration) and concentration > 0):
        raise OptionError(f"concentration must be positive and finite, found {concentration}")
    final_bits = plug_in_code_bits(windows, contexts)
    if windows.distinct > alphabet_size * contexts.distinct:
        raise OptionError(
            f"{windows.distinct} distinct windows in {contexts.distinct} contexts need an "
            f"alphabet_size of at least {-(-windows.distinct // contexts.distinct)}, "
            f"found {alphabet_size}"
        )
    # Add to C: lnG(N) is of the order N ln N, this difference of the order K ln N.
    learning_nats = rising_excess(contexts, concentration * alphabet_size)
    return final_bits + nats_to_bits(learning_nats - rising_excess(windows, concentration))


def kt_code_bits(windows: Spectrum, contexts: Spectrum, alphabet_size: int) -> float:
    """Return the Krichevsky-Trofimov (1981) code length, :func:`dirichlet_code_bits` at 1/2; bits.

    It is poor for large alphabets such as V = 5e4, because every new history pays for all tokens
    that never follow.

    Raises:
        OptionError: nothing was counted, the two sums differ, or the alphabet is too small.

    >>> round(kt_code_bits(Spectrum.from_counts([3, 2]), Spectrum.from_counts([5]), 2), 12)
    6.415037499279
    """
    return dirichlet_code_bits(windows, contexts, alphabet_size, 0.5)


def kt_code_lengths(spectra: Spectra, order: int, alphabet_size: int) -> CodeLengths:
    """Return code lengths of all D tokens under order-n counts, in bits.

    A = D log2 V, B is the Krichevsky-Trofimov code, C the plug-in code. Every token is predicted
    once; histories begin at the document's start, with a begin mark.

    Args:
        spectra: spectra of a corpus.
        order: n.
        alphabet_size: V.

    Raises:
        OptionError: the order was not counted, there are no tokens, or the alphabet is too small.

    >>> four = Spectra(1, 4, 1, (Spectrum.from_counts([2, 2]),), (), (), (), ())
    >>> lengths = kt_code_lengths(four, 1, 2)
    >>> lengths.baseline_bits, round(lengths.online_bits, 12), lengths.final_bits
    (4.0, 5.415037499279, 4.0)
    """
    windows, contexts = spectra.padded(order), spectra.padded_contexts(order)
    online_bits = kt_code_bits(windows, contexts, alphabet_size)
    return code_lengths(
        spectra.tokens * math.log2(alphabet_size), online_bits, plug_in_code_bits(windows, contexts)
    )
