"""Entropy from count spectra: block entropies, coverage, and three conditional entropies.

Input: spectra (number of types seen r times). Output: bits. No function expands a spectrum, so each
takes O(rows), and equal spectra give bit-identical results.

Notation: N windows, K types, phi_r types seen r times.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from numpy.typing import ArrayLike

from icfast.errors import OptionError
from icfast.laws.estimator_table import ESTIMATORS
from icfast.laws.estimators import doubleton_share, ml
from icfast.laws.result_table import ResultTable
from icfast.sums.spectrum import Spectra, Spectrum
from icfast.units import nats_to_bits

#: The plug-in value, the best estimate, and a check on it.
DEFAULT_ESTIMATORS = ("ml", "cwj", "grassberger")


def entropy_bits(
    spectrum_or_counts: Spectrum | ArrayLike,
    estimator: str = "cwj",
    alphabet_size: int | None = None,
) -> float:
    """Estimate the entropy of the distribution that the counts were drawn from, in bits per type.

    ``ml`` is the plug-in estimate ln N - (1/N) sum phi_r r ln r, which is biased low.
    ``miller_madow``, ``jackknife``, ``zhang``, ``grassberger``, ``schurmann``, ``chao_shen`` and
    ``cwj`` (Chao, Wang & Jost 2013) correct it for unseen types. ``james_stein``, ``jeffreys``,
    ``laplace``, ``perks``, ``minimax`` and ``nsb`` need the alphabet size and are for unigrams.
    Modules icfast.laws.estimators and icfast.laws.alphabet_estimators give each formula and source.

    Args:
        spectrum_or_counts: a Spectrum, or a 1-D array of counts; zeros are ignored.
        estimator: a name in ESTIMATORS.
        alphabet_size: number of cells, unseen ones included, for estimators that need it.

    Raises:
        OptionError: the estimator is unknown, nothing was counted, or the alphabet size is missing,
            smaller than the types seen, or given to an estimator that does not use it.

    >>> counts = [4, 2, 3, 0, 2, 4, 0, 0, 2, 1, 1]
    >>> round(entropy_bits(counts, "ml"), 12), round(entropy_bits(counts), 12)
    (2.839775539646, 3.169768413748)
    """
    if estimator not in ESTIMATORS:
        known = ", ".join(sorted(ESTIMATORS))
        raise OptionError(f"estimator {estimator!r} is unknown; choose one of {known}")
    spectrum = _as_spectrum(spectrum_or_counts)
    entry = ESTIMATORS[estimator]
    if not entry.needs_alphabet:
        if alphabet_size is not None:
            raise OptionError(
                f"estimator {estimator!r} does not use alphabet_size (found {alphabet_size}); "
                "leave it out"
            )
        return nats_to_bits(entry.nats(spectrum))
    if alphabet_size is None or alphabet_size < spectrum.distinct:
        raise OptionError(
            f"estimator {estimator!r} needs an alphabet_size of at least the "
            f"{spectrum.distinct} types seen, found {alphabet_size}"
        )
    return nats_to_bits(entry.nats(spectrum, alphabet_size))


def _as_spectrum(spectrum_or_counts: Spectrum | ArrayLike) -> Spectrum:
    if isinstance(spectrum_or_counts, Spectrum):
        spectrum = spectrum_or_counts
    else:
        spectrum = Spectrum.from_counts(spectrum_or_counts)
    if spectrum.windows == 0:
        raise OptionError("the spectrum is empty: nothing was counted, so nothing can be estimated")
    return spectrum


def coverage_good(spectrum: Spectrum) -> float:
    """Return Good's (1953) coverage 1 - phi_1/N, the probability of the types seen, in 0..1.

    Raises:
        OptionError: the spectrum is empty.

    >>> round(coverage_good(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 10)
    0.8947368421
    """
    total = _as_spectrum(spectrum).windows
    return (total - spectrum.singletons) / total


def coverage_chao_jost(spectrum: Spectrum) -> float:
    """Return Chao and Jost's (2012) coverage, the probability of the types seen, in 0..1.

    1 - (phi_1/N)(1 - A) with A = 2 phi_2/((N-1) phi_1 + 2 phi_2), or if phi_2 = 0
    A = 2/((N-1)(phi_1-1) + 2); 1 if phi_1 = 0.

    Raises:
        OptionError: the spectrum is empty.

    >>> round(coverage_chao_jost(Spectrum.from_counts([4, 2, 3, 2, 4, 2, 1, 1])), 10)
    0.9097744361
    """
    once = Fraction(spectrum.singletons, _as_spectrum(spectrum).windows)
    return float(1 - once * (1 - doubleton_share(spectrum)))


def gate(coverage: float) -> str:
    """Classify an entropy by its coverage (Good's, 0..1).

    A coverage of at least .99 is "reliable", of at least .9 an "estimate", below it a "lower
    bound".

    Raises:
        OptionError: the coverage is not in 0..1.

    >>> gate(0.999), gate(0.95), gate(0.5)
    ('reliable', 'estimate', 'lower bound')
    """
    if not 0.0 <= coverage <= 1.0:
        raise OptionError(f"coverage must be in 0..1, found {coverage}")
    if coverage >= 0.99:
        return "reliable"
    return "estimate" if coverage >= 0.9 else "lower bound"


def plug_in_bits_per_token(windows: Spectrum, contexts: Spectrum) -> float:
    """Return [sum_c n_c log2 n_c - sum_cw n_cw log2 n_cw] / N in bits per token.

    This is the mean in-sample code length of a token under the maximum-likelihood conditionals
    (Shannon 1951). It is biased low, and collapses once most pairs are unique.

    Args:
        windows: counts n_cw of (context, token) pairs; they sum to N.
        contexts: counts n_c of their contexts; they sum to N.

    Raises:
        OptionError: nothing was counted, the sums differ, or there are more contexts than windows,
            as when the two are swapped.

    >>> pairs = Spectrum.from_counts([675_000, 75_000, 75_000, 175_000])
    >>> round(plug_in_bits_per_token(pairs, Spectrum.from_counts([750_000, 250_000])), 12)
    0.57206942
    """
    total, of_contexts = _as_spectrum(windows).windows, contexts.windows
    if total != of_contexts:
        raise OptionError(
            f"the counts of contexts must sum to the {total} windows, found {of_contexts}; take "
            "both from the same order of the same spectra"
        )
    if contexts.distinct > windows.distinct:
        raise OptionError(
            f"{windows.distinct} distinct windows cannot have {contexts.distinct} distinct "
            "contexts; pass windows first, contexts second"
        )
    return nats_to_bits(ml(windows) - ml(contexts))


def prefix_marginal_bits_per_token(spectra: Spectra, order: int) -> float:
    """Return the conditional entropy over complete windows inside documents, bits per token.

    [sum_c n_c log2 n_c - sum_cw n_cw log2 n_cw] / M_n, where c is the first n-1 tokens of a window
    and n_c is counted over complete windows too; order 1 gives H_1.

    Raises:
        OptionError: the order was not counted, or no document is that long.

    >>> cycle = Spectrum.from_counts([2, 2])
    >>> prefix_marginal_bits_per_token(Spectra(1, 4, 1, (cycle,), (), (), (), ()), 1)
    1.0
    """
    return plug_in_bits_per_token(spectra[order], spectra.contexts(order))


def bos_padded_bits_per_token(spectra: Spectra, order: int) -> float:
    """Return the conditional entropy over all D tokens, bits per token.

    The formula is that of :func:`prefix_marginal_bits_per_token`, with every token predicted once
    and divided by D. Histories begin at the document's start, with a begin mark. Use this
    convention for totals, because it can be multiplied by D.

    Raises:
        OptionError: the order was not counted, or there are no tokens.

    >>> cycle = Spectrum.from_counts([2, 2])
    >>> bos_padded_bits_per_token(Spectra(1, 4, 1, (cycle,), (), (), (), ()), 1)
    1.0
    """
    return plug_in_bits_per_token(spectra.padded(order), spectra.padded_contexts(order))


def difference_bits_per_token(spectra: Spectra, order: int) -> float:
    """Return H_n - H_{n-1}, plug-in over M_n and M_{n-1} windows, H_0 = 0; bits per token.

    Raises:
        OptionError: the order was not counted, or no document is that long.

    >>> cycle = Spectrum.from_counts([2, 2])
    >>> difference_bits_per_token(Spectra(1, 4, 1, (cycle,), (), (), (), ()), 1)
    1.0
    """
    block = entropy_bits(spectra[order], "ml")
    return block - entropy_bits(spectra[order - 1], "ml") if order > 1 else block


@dataclass(frozen=True)
class OrderEntropy(ResultTable):
    """Entropies and coverage of one order; None where nothing was counted.

    Attributes:
        order: n.
        windows: M_n, number of complete windows of n tokens.
        distinct: number of distinct windows.
        singletons: phi_1, windows seen once.
        doubletons: phi_2, windows seen twice.
        coverage: Good's coverage.
        coverage_chao_jost: Chao and Jost's coverage.
        gate: "reliable", "estimate" or "lower bound", from Good's coverage.
        block_entropy_bits: H_n by estimator, bits per window.
        conditional_entropy_bits_per_token: h_n by convention: difference, prefix_marginal and
            bos_padded. The last does not need a complete window.
    """

    order: int
    windows: int
    distinct: int
    singletons: int
    doubletons: int
    coverage: float | None
    coverage_chao_jost: float | None
    gate: str | None
    block_entropy_bits: dict[str, float | None]
    conditional_entropy_bits_per_token: dict[str, float | None]


def order_entropy(
    spectra: Spectra, order: int, estimators: Sequence[str] = DEFAULT_ESTIMATORS
) -> OrderEntropy:
    """Return all entropies and coverages of one order, in bits.

    Args:
        spectra: spectra of a corpus.
        order: n.
        estimators: estimators of the block entropy, names in ESTIMATORS.

    Raises:
        OptionError: the order was not counted, or an estimator is unknown.

    >>> cycle = Spectrum.from_counts([2, 2])
    >>> order_entropy(Spectra(1, 4, 1, (cycle,), (), (), (), ()), 1, ["ml"]).block_entropy_bits
    {'ml': 1.0}
    """
    block = spectra[order]
    seen = block.windows > 0
    coverage = coverage_good(block) if seen else None
    return OrderEntropy(
        order=order,
        windows=block.windows,
        distinct=block.distinct,
        singletons=block.singletons,
        doubletons=block.doubletons,
        coverage=coverage,
        coverage_chao_jost=coverage_chao_jost(block) if seen else None,
        gate=None if coverage is None else gate(coverage),
        block_entropy_bits={
            name: entropy_bits(block, name) if seen else None for name in estimators
        },
        conditional_entropy_bits_per_token={
            "difference": difference_bits_per_token(spectra, order) if seen else None,
            "prefix_marginal": prefix_marginal_bits_per_token(spectra, order) if seen else None,
            "bos_padded": bos_padded_bits_per_token(spectra, order) if spectra.tokens else None,
        },
    )
