"""The corpus laws of a measurement: what spectra, a reading in order and held-out losses say.

Every entry has its formula, unit, convention and gate; one that a corpus does not give has a reason
in its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

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
from icfast.sums.by_position import PositionRow
from icfast.sums.loss import LossSum
from icfast.sums.spectrum import Spectra

Record = dict[str, Any]

#: Of Renyi's entropies; infinity last.
_RENYI_ORDERS = (0.0, 0.5, 1.0, 2.0, math.inf)

#: Heaps' law is fitted from this share of the tokens on: below, every text is new.
_FITTED_FROM = 1e-3

#: A tail needs so many types.
_LEAST_TAIL = 100

#: Of a fact about these tokens: nothing is estimated.
_FACT = "fact"


def corpus_laws(
    spectra: Spectra, grown: Growth, losses: LadderLosses, sides: Split
) -> dict[str, Record]:
    """Every corpus law, by name.

    Args:
        spectra: of all documents.
        grown: types along all documents, and shard by shard.
        losses: of the held-out documents, under models fitted on the others.
        sides: which documents these are, and how many of all are copies.
    """
    return {
        "quality": _law(
            lambda: _quality(spectra, losses.total),
            formula="learnable = H1 - h_n; excess = sum over k <= n of (h_k - h_n)",
            unit="bits per token; excess entropy in bits",
            convention="bos_padded plug-in h_n of all documents; L_n of the held-out ones",
        ),
        "entropy_rate": _law(
            lambda: _entropy_rate(spectra, losses.total),
            formula="h_inf by h + A e^(-cn), h + A n^-g and h + A n^-1/2 through the last three; "
            "their spread is the error",
            unit="bits per token; excess entropy sum (h_n - h_inf) in bits",
            convention="bos_padded plug-in h_n of orders that are no lower bound; held-out L_n",
        ),
        "heaps": _law(
            lambda: _heaps(spectra, grown),
            formula="V(n) = k n^beta; shuffled: sum over types of 1 - C(N-r, n)/C(N, n)",
            unit="types",
            convention="the first n tokens, shard after shard; fitted from N/1000 tokens on",
        ),
        "zipf": _law(
            lambda: _zipf(spectra),
            formula="phi_r ~ r^-alpha from r_min on, by maximum likelihood; s = 1/(alpha - 1)",
            unit="exponents; shares of 1",
            convention="of these r_min the one whose tail is nearest to a power law",
        ),
        "renyi": _law(
            lambda: _renyi(spectra),
            formula="log2(sum p^q)/(1 - q)",
            unit="bits per token",
            convention="plug-in, single tokens of all documents",
        ),
        "repetition": _law(
            lambda: _repetition(spectra, sides),
            formula="1 - distinct/windows; documents whose ids another one before has",
            unit="share of 1",
            convention="complete windows; documents without their end id",
        ),
        "shard_divergence": _law(
            lambda: _divergence(spectra, grown),
            formula="H(sum w p) - sum w H(p); floor (S-1)(K-1)/(2 N ln 2)",
            unit="bits per token",
            convention="single tokens, shards weighted by size, plug-in",
        ),
        "constancy": _law(
            lambda: _constancy(losses.positions[-1], spectra.order),
            formula="mean loss by position; slope over log2 of the position, weighted by tokens",
            unit="bits per token; bits per token and doubling",
            convention="held-out tokens; slope over positions with a whole history",
        ),
    }


def _law(found: Callable[[], Record], **about: str) -> Record:
    try:
        return {**about, "reason": None, **found()}
    except IcfastError as error:
        return {**about, "reason": str(error), "gate": None}


def _order_gate(spectra: Spectra, order: int) -> str | None:
    spectrum = spectra[order]
    return gate(coverage_good(spectrum)) if spectrum.windows else None


def _quality(spectra: Spectra, losses: Sequence[LossSum]) -> Record:
    heldout = [bits_per_token(loss) for loss in losses]
    found = quality(spectra, heldout_bits_per_token=heldout)
    return {
        "gate": _order_gate(spectra, spectra.order),
        "unigram_bits_per_token": found.unigram_bits_per_token,
        "orders": [
            {**asdict(row), "gate": _order_gate(spectra, row.order)} for row in found.orders
        ],
        "noise_floor_low_bits_per_token": found.noise_floor_low_bits_per_token,
        "noise_floor_high_bits_per_token": found.noise_floor_high_bits_per_token,
        "heldout_learnable_bits_per_token": heldout[0] - min(heldout),
        "flags": list(found.flags),
    }


def _entropy_rate(spectra: Spectra, losses: Sequence[LossSum]) -> Record:
    known = []
    for n in range(1, spectra.order + 1):
        if _order_gate(spectra, n) in (None, "lower bound"):
            break
        known.append(bos_padded_bits_per_token(spectra, n))
    heldout = [bits_per_token(loss) for loss in losses]
    return {
        "gate": "upper estimate",
        "from_heldout": _extrapolated(heldout),
        "from_plug_in": _extrapolated(known),
    }


def _extrapolated(values: Sequence[float]) -> Record:
    """The rate that h_1..h_n tend to, or why there is none; and the excess entropy above it."""
    held: Record = {"orders": len(values)}
    try:
        found = extrapolated_entropy_rate(values)
    except IcfastError as error:
        return {**held, "reason": str(error)}
    rate = found.bits_per_token
    excess = None if rate is None or rate < 0 else excess_entropy_bits(values, rate)
    return {**held, "reason": None, **asdict(found), "excess_entropy_bits": excess}


def _heaps(spectra: Spectra, grown: Growth) -> Record:
    shuffled = shuffled_types(spectra[1], grown.tokens)
    fitted = grown.tokens >= max(1.0, _FITTED_FROM * spectra.tokens)
    gaps = grown.types / shuffled - 1.0
    widest = int(np.argmin(gaps))
    return {
        "gate": _FACT,
        "tokens": grown.tokens.tolist(),
        "observed_types": grown.types.tolist(),
        "shuffled_types": shuffled.tolist(),
        "observed_fit": asdict(fit_heaps(grown.tokens[fitted], grown.types[fitted])),
        "shuffled_fit": asdict(fit_heaps(grown.tokens[fitted], shuffled[fitted])),
        "largest_shortfall": {"tokens": int(grown.tokens[widest]), "share": -float(gaps[widest])},
    }


def _zipf(spectra: Spectra) -> Record:
    spectrum = spectra[1]
    record = {
        "hapax_share": hapax_share(spectrum),
        "types": spectrum.distinct,
        "tokens": spectrum.windows,
    }
    tails: list[ZipfTail] = []
    least = 1
    while not tails or spectrum.types[spectrum.multiplicity >= least].sum() >= _LEAST_TAIL:
        tails.append(zipf_tail(spectrum, least))
        least *= 10
    best = min(tails, key=lambda tail: tail.distance)
    # The 5 % level, were the exponent not fitted to the same counts.
    near = best.distance <= 1.36 / math.sqrt(best.types)
    return {
        "gate": "estimate" if near else "no power law",
        **record,
        "tails": [asdict(tail) for tail in tails],
        "best": asdict(best),
    }


def _renyi(spectra: Spectra) -> Record:
    return {
        "gate": _order_gate(spectra, 1),
        "entropies": [
            {"q": None if q == math.inf else q, "bits_per_token": renyi_entropy_bits(spectra[1], q)}
            for q in _RENYI_ORDERS
        ],
        "note": "q null is infinity",
    }


def _repetition(spectra: Spectra, sides: Split) -> Record:
    orders = range(1, spectra.order + 1)
    return {
        "gate": _FACT,
        "orders": [
            {"order": n, "share": 1 - spectra[n].distinct / spectra[n].windows}
            for n in orders
            if spectra[n].windows
        ],
        "documents": sides.repeated_documents,
        "documents_share": sides.repeated_documents / (len(sides.training) + len(sides.heldout)),
        "tokens": sides.repeated_tokens,
        "tokens_share": sides.repeated_tokens / spectra.tokens,
    }


def _divergence(spectra: Spectra, grown: Growth) -> Record:
    if len(grown.shards) < 2:
        return {
            "reason": "one shard: nothing to compare it with",
            "gate": None,
            "shards": len(grown.shards),
        }
    bits = shard_divergence_bits(spectra[1], grown.shards)
    floor = sampling_floor_bits(len(grown.shards), spectra[1].distinct, spectra.tokens)
    return {
        "gate": "apart" if bits > 2 * floor else "at the floor of samples",
        "shards": len(grown.shards),
        "bits_per_token": bits,
        "sampling_floor_bits_per_token": floor,
    }


def _constancy(rows: Sequence[PositionRow], order: int) -> Record:
    record: Record = {
        "gate": _FACT,
        "order": order,
        "rows": [
            {
                "first": row.first,
                "last": row.last,
                "predicted_tokens": row.loss.predicted_tokens,
                "loss_bits_per_token": bits_per_token(row.loss),
            }
            for row in rows
        ],
        "slope_bits_per_doubling": None,
        "range_bits_per_token": None,
    }
    whole = [row for row in rows if row.first >= order - 1]
    if len(whole) < 2:
        reason = "no two ranges of positions with a whole history"
        return {**record, "reason": reason, "gate": None}
    found = entropy_rate_constancy(whole)
    return {
        **record,
        "slope_bits_per_doubling": found.slope_bits_per_doubling,
        "range_bits_per_token": found.range_bits_per_token,
    }
