"""Laws of a corpus, from its spectra, its growth in reading order, and held-out losses.

Each law has a formula, unit, convention and gate. A law that the corpus does not give has a reason
instead of figures.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from icfast.corpus.heldout import Split
from icfast.errors import IcfastError
from icfast.kneser_ney.ladder import LadderLosses
from icfast.laws.constancy import entropy_rate_constancy
from icfast.laws.divergence import (
    renyi_entropy_bits,
    sampling_floor_bits,
    shard_divergence_bits,
)
from icfast.laws.entropy import bos_padded_bits_per_token, coverage_good, gate
from icfast.laws.entropy_rate import excess_entropy_bits, extrapolated_entropy_rate
from icfast.laws.heaps import fit_heaps, shuffled_types
from icfast.laws.loss import bits_per_token
from icfast.laws.quality import quality
from icfast.laws.zipf import ZipfTail, hapax_share, zipf_tail
from icfast.ngrams.growth import Growth
from icfast.pipeline.records.corpus_laws import (
    Constancy,
    CorpusLaw,
    CorpusLaws,
    EntropyRates,
    ExtrapolatedRate,
    FoundRate,
    GatedOrder,
    LearnableBits,
    RenyiEntropies,
    RenyiEntropy,
    RepeatedWindows,
    Repetition,
    ShardDivergence,
    Shortfall,
    TypeGrowth,
    ZipfTails,
)
from icfast.pipeline.records.position import LossByPosition
from icfast.sums.by_position import PositionRow
from icfast.sums.loss import LossSum
from icfast.sums.spectrum import Spectra

Found = TypeVar("Found")

#: Gate, reason (None if there is none) and figures of a law.
Outcome = tuple[str | None, str | None, Found]

#: Orders of the Renyi entropies.
_RENYI_ORDERS = (0.0, 0.5, 1.0, 2.0, math.inf)

#: Share of the tokens from which Heaps' law is fitted; before it, every text is new.
_FITTED_FROM = 1e-3

#: Smallest number of types in a tail.
_SMALLEST_TAIL = 100

#: Gate of a fact about these tokens, for which nothing is estimated.
_FACT = "fact"


@dataclass(frozen=True)
class _Words:
    """Formula, unit and convention of a law."""

    formula: str
    unit: str
    convention: str


_WORDS = {
    "quality": _Words(
        "learnable = H1 - h_n; excess = sum over k <= n of (h_k - h_n)",
        "bits per token; excess entropy in bits",
        "bos_padded plug-in h_n of all documents; L_n of the held-out ones",
    ),
    "entropy_rate": _Words(
        "h_inf by h + A e^(-cn), h + A n^-g and h + A n^-1/2 through the last three; "
        "their spread is the error",
        "bits per token; excess entropy sum (h_n - h_inf) in bits",
        "bos_padded plug-in h_n of orders that are no lower bound; held-out L_n",
    ),
    "heaps": _Words(
        "V(n) = k n^beta; shuffled: sum over types of 1 - C(N-r, n)/C(N, n)",
        "types",
        "the first n tokens, shard after shard; fitted from N/1000 tokens on",
    ),
    "zipf": _Words(
        "phi_r ~ r^-alpha from r_min on, by maximum likelihood; s = 1/(alpha - 1)",
        "exponents; shares of 1",
        "of these r_min the one whose tail is nearest to a power law",
    ),
    "renyi": _Words(
        "log2(sum p^q)/(1 - q)",
        "bits per token",
        "plug-in, single tokens of all documents",
    ),
    "repetition": _Words(
        "1 - distinct/windows; documents whose ids another one before has",
        "share of 1",
        "complete windows; documents without their end id",
    ),
    "shard_divergence": _Words(
        "H(sum w p) - sum w H(p); floor (S-1)(K-1)/(2 N ln 2)",
        "bits per token",
        "single tokens, shards weighted by size, plug-in",
    ),
    "constancy": _Words(
        "mean loss by position; slope over log2 of the position, weighted by tokens",
        "bits per token; bits per token and doubling",
        "held-out tokens; slope over positions with a whole history",
    ),
}


def corpus_laws(spectra: Spectra, grown: Growth, losses: LadderLosses, sides: Split) -> CorpusLaws:
    """Compute every law of a corpus.

    Args:
        spectra: spectra of all documents.
        grown: growth of the types along all documents, and by shard.
        losses: losses of the held-out documents, under models fitted on the others.
        sides: the split, with the number of copied documents.
    """
    total, by_position = losses.total, losses.positions[-1]
    return CorpusLaws(
        quality=_law("quality", lambda: _quality(spectra, total)),
        entropy_rate=_law("entropy_rate", lambda: _entropy_rate(spectra, total)),
        heaps=_law("heaps", lambda: _heaps(spectra, grown)),
        zipf=_law("zipf", lambda: _zipf(spectra)),
        renyi=_law("renyi", lambda: _renyi(spectra)),
        repetition=_law("repetition", lambda: _repetition(spectra, sides)),
        shard_divergence=_law("shard_divergence", lambda: _divergence(spectra, grown)),
        constancy=_law("constancy", lambda: _constancy(by_position, spectra.order)),
    )


def _law(name: str, found: Callable[[], Outcome[Found]]) -> CorpusLaw[Found]:
    """Compute one law, or take the error as the reason why it has no figures."""
    words = vars(_WORDS[name])
    try:
        trust, reason, figures = found()
    except IcfastError as error:
        return CorpusLaw(**words, reason=str(error), gate=None)
    return CorpusLaw(**words, reason=reason, gate=trust, found=figures)


def _order_gate(spectra: Spectra, order: int) -> str | None:
    spectrum = spectra[order]
    return gate(coverage_good(spectrum)) if spectrum.windows else None


def _quality(spectra: Spectra, losses: Sequence[LossSum]) -> Outcome[LearnableBits]:
    heldout = [bits_per_token(loss) for loss in losses]
    found = quality(spectra, heldout_bits_per_token=heldout)
    figures = LearnableBits(
        unigram_bits_per_token=found.unigram_bits_per_token,
        orders=tuple(
            GatedOrder(**vars(row), gate=_order_gate(spectra, row.order)) for row in found.orders
        ),
        noise_floor_low_bits_per_token=found.noise_floor_low_bits_per_token,
        noise_floor_high_bits_per_token=found.noise_floor_high_bits_per_token,
        heldout_learnable_bits_per_token=heldout[0] - min(heldout),
        flags=found.flags,
    )
    return _order_gate(spectra, spectra.order), None, figures


def _entropy_rate(spectra: Spectra, losses: Sequence[LossSum]) -> Outcome[EntropyRates]:
    known = []
    for n in range(1, spectra.order + 1):
        if _order_gate(spectra, n) in (None, "lower bound"):
            break
        known.append(bos_padded_bits_per_token(spectra, n))
    heldout = [bits_per_token(loss) for loss in losses]
    return "upper estimate", None, EntropyRates(_extrapolated(heldout), _extrapolated(known))


def _extrapolated(values: Sequence[float]) -> ExtrapolatedRate:
    """Extrapolate h_1..h_n to the entropy rate, and compute the excess entropy above it."""
    try:
        found = extrapolated_entropy_rate(values)
    except IcfastError as error:
        return ExtrapolatedRate(len(values), str(error))
    rate = found.bits_per_token
    excess = None if rate is None or rate < 0 else excess_entropy_bits(values, rate)
    return ExtrapolatedRate(len(values), None, FoundRate(**vars(found), excess_entropy_bits=excess))


def _heaps(spectra: Spectra, grown: Growth) -> Outcome[TypeGrowth]:
    shuffled = shuffled_types(spectra[1], grown.tokens)
    fitted = grown.tokens >= max(1.0, _FITTED_FROM * spectra.tokens)
    gaps = grown.types / shuffled - 1.0
    widest = int(np.argmin(gaps))
    figures = TypeGrowth(
        tokens=tuple(grown.tokens.tolist()),
        observed_types=tuple(grown.types.tolist()),
        shuffled_types=tuple(shuffled.tolist()),
        observed_fit=fit_heaps(grown.tokens[fitted], grown.types[fitted]),
        shuffled_fit=fit_heaps(grown.tokens[fitted], shuffled[fitted]),
        largest_shortfall=Shortfall(int(grown.tokens[widest]), -float(gaps[widest])),
    )
    return _FACT, None, figures


def _zipf(spectra: Spectra) -> Outcome[ZipfTails]:
    spectrum = spectra[1]
    share = hapax_share(spectrum)
    tails: list[ZipfTail] = []
    least = 1
    while not tails or spectrum.types[spectrum.multiplicity >= least].sum() >= _SMALLEST_TAIL:
        tails.append(zipf_tail(spectrum, least))
        least *= 10
    best = min(tails, key=lambda tail: tail.distance)
    # The 5 % level of the Kolmogorov test, if the exponent were not fitted to the same counts.
    near = best.distance <= 1.36 / math.sqrt(best.types)
    figures = ZipfTails(share, spectrum.distinct, spectrum.windows, tuple(tails), best)
    return "estimate" if near else "no power law", None, figures


def _renyi(spectra: Spectra) -> Outcome[RenyiEntropies]:
    entropies = tuple(
        RenyiEntropy(None if q == math.inf else q, renyi_entropy_bits(spectra[1], q))
        for q in _RENYI_ORDERS
    )
    return _order_gate(spectra, 1), None, RenyiEntropies(entropies, "q null is infinity")


def _repetition(spectra: Spectra, sides: Split) -> Outcome[Repetition]:
    figures = Repetition(
        orders=tuple(
            RepeatedWindows(n, 1 - spectra[n].distinct / spectra[n].windows)
            for n in range(1, spectra.order + 1)
            if spectra[n].windows
        ),
        documents=sides.repeated_documents,
        documents_share=sides.repeated_documents / (len(sides.training) + len(sides.heldout)),
        tokens=sides.repeated_tokens,
        tokens_share=sides.repeated_tokens / spectra.tokens,
    )
    return _FACT, None, figures


def _divergence(spectra: Spectra, grown: Growth) -> Outcome[ShardDivergence]:
    shards = len(grown.shards)
    if shards < 2:
        return None, "one shard: nothing to compare it with", ShardDivergence(shards)
    bits = shard_divergence_bits(spectra[1], grown.shards)
    floor = sampling_floor_bits(shards, spectra[1].distinct, spectra.tokens)
    apart = "apart" if bits > 2 * floor else "at the floor of samples"
    return apart, None, ShardDivergence(shards, bits, floor)


def _constancy(rows: Sequence[PositionRow], order: int) -> Outcome[Constancy]:
    means = tuple(
        LossByPosition(
            first=row.first,
            last=row.last,
            predicted_tokens=row.loss.predicted_tokens,
            loss_bits_per_token=bits_per_token(row.loss),
        )
        for row in rows
    )
    complete = [row for row in rows if row.first >= order - 1]
    if len(complete) < 2:
        reason = "no two ranges of positions with a whole history"
        return None, reason, Constancy(order, means, None, None)
    found = entropy_rate_constancy(complete)
    slope, spread = found.slope_bits_per_doubling, found.range_bits_per_token
    return _FACT, None, Constancy(order, means, slope, spread)
