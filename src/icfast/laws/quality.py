"""Quality of a corpus in separate figures, instead of the one entropy of corollary 4.2.

"Higher entropy, better data" (arXiv 2411.00660 sec. 4.2) rewards noise. Replacing documents by
random ones can leave the unigram entropy unchanged; only the learnable part tells the difference.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from icfast.errors import OptionError
from icfast.laws.balance import require_not_negative
from icfast.laws.code_length import CodeLengths
from icfast.laws.entropy import bos_padded_bits_per_token, prefix_marginal_bits_per_token
from icfast.laws.entropy_rate import excess_entropy_bits
from icfast.laws.result_table import ResultTable
from icfast.sums.spectrum import Spectra

#: Conventions of the conditional entropy h_n: over complete windows, or over all D tokens.
CONVENTIONS = {
    "prefix_marginal": prefix_marginal_bits_per_token,
    "bos_padded": bos_padded_bits_per_token,
}


@dataclass(frozen=True)
class LearnableOrder:
    """Entropy of a token that n - 1 tokens of history remove; in-sample.

    Attributes:
        order: n.
        conditional_bits_per_token: plug-in h_n.
        learnable_bits_per_token: H1 - h_n.
        excess_entropy_bits: sum over k <= n of (h_k - h_n): information that the past gives about
            the future up to n - 1 tokens away, if h_n were the entropy rate.
    """

    order: int
    conditional_bits_per_token: float
    learnable_bits_per_token: float
    excess_entropy_bits: float


@dataclass(frozen=True)
class Quality(ResultTable):
    """Figures of a corpus from counts and losses; built by :func:`quality`.

    Attributes:
        convention: convention of h_n.
        unigram_bits_per_token: H1.
        orders: figures of the orders 1..N.
        noise_floor_low_bits_per_token: plug-in h_N, which is biased low and no bound on the entropy
            rate.
        noise_floor_high_bits_per_token: smallest held-out loss, an upper bound on the entropy rate
            in expectation; None if none was given.
        saved_bits: D (H - L), gross; None without code lengths.
        absorbed_bits: B - C, bits that the model absorbed; None without code lengths.
        surprise_bits_per_token: loss under a trusted reference model, None if not given.
        flags: warnings for the reader, in words.
    """

    convention: str
    unigram_bits_per_token: float
    orders: tuple[LearnableOrder, ...] = field(repr=False)
    noise_floor_low_bits_per_token: float
    noise_floor_high_bits_per_token: float | None
    saved_bits: float | None
    absorbed_bits: float | None
    surprise_bits_per_token: float | None
    flags: tuple[str, ...]


def quality(
    spectra: Spectra,
    *,
    convention: str = "bos_padded",
    heldout_bits_per_token: Sequence[float] = (),
    lengths: CodeLengths | None = None,
    surprise_bits_per_token: float | None = None,
) -> Quality:
    """Return learnable bits, excess entropy, noise floor, bits saved and absorbed, and surprise.

    Args:
        spectra: spectra of the corpus.
        convention: "bos_padded" or "prefix_marginal".
        heldout_bits_per_token: held-out losses L_1, L_2, ... of models of the corpus.
        lengths: A, B and C of the corpus under one model family.
        surprise_bits_per_token: loss of the corpus under a model that is trusted to know good text.

    Raises:
        OptionError: the convention is unknown, nothing was counted, or a loss is negative or not
            finite.

    >>> from icfast.sums.spectrum import Spectrum
    >>> one = Spectra(1, 4, 1, (Spectrum.from_counts([2, 2]),), (), (), (), ())
    >>> quality(one, heldout_bits_per_token=[1.5]).noise_floor_high_bits_per_token
    1.5
    """
    if convention not in CONVENTIONS:
        known = ", ".join(CONVENTIONS)
        raise OptionError(f"convention {convention!r} is unknown; choose one of {known}")
    for loss in heldout_bits_per_token:
        require_not_negative("a held-out loss", loss)
    if surprise_bits_per_token is not None:
        require_not_negative("surprise_bits_per_token", surprise_bits_per_token)
    conditional = [
        CONVENTIONS[convention](spectra, order)
        for order in range(1, spectra.order + 1)
        if convention == "bos_padded" or spectra[order].windows or order == 1
    ]
    low = conditional[-1]
    high = min(heldout_bits_per_token, default=None)
    return Quality(
        convention=convention,
        unigram_bits_per_token=conditional[0],
        orders=tuple(_order(conditional[:n]) for n in range(1, len(conditional) + 1)),
        noise_floor_low_bits_per_token=low,
        noise_floor_high_bits_per_token=high,
        saved_bits=None if lengths is None else lengths.gross_savings_bits,
        absorbed_bits=None if lengths is None else lengths.absorbed_bits,
        surprise_bits_per_token=surprise_bits_per_token,
        flags=_flags(low, high, len(conditional), spectra.tokens),
    )


def _order(conditional: Sequence[float]) -> LearnableOrder:
    last = conditional[-1]
    return LearnableOrder(
        order=len(conditional),
        conditional_bits_per_token=last,
        learnable_bits_per_token=conditional[0] - last,
        excess_entropy_bits=excess_entropy_bits(conditional, last),
    )


def _flags(low: float, high: float | None, order: int, tokens: int) -> tuple[str, ...]:
    flags = []
    if high is None:
        flags.append("no upper bound: the noise floor needs a held-out loss")
    elif high < low:
        flags.append("inverted bracket: the held-out loss is below the plug-in entropy")
    # h_n falls to 0 once windows are unique, at about n h = log2 D.
    if high is not None and order * high >= math.log2(tokens):
        flags.append("collapsing: n L reaches log2 D, so the plug-in h_n is far too low")
    return tuple(flags)
