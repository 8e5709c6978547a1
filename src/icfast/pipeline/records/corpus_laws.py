"""Records of the corpus laws."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Generic, TypeVar

from icfast.laws.entropy_rate import EntropyRate
from icfast.laws.heaps import HeapsLaw
from icfast.laws.quality import LearnableOrder
from icfast.laws.zipf import ZipfTail
from icfast.pipeline.records.base import FLAT, OPTIONAL
from icfast.pipeline.records.position import LossByPosition

Found = TypeVar("Found")


@dataclass(frozen=True)
class CorpusLaw(Generic[Found]):
    """One law of a corpus, or the reason why the corpus does not give it.

    Attributes:
        formula: formula of the law.
        unit: unit of its figures.
        convention: documents and conventions of the figures.
        reason: why the law could not be computed, None if it was.
        gate: how far the figures can be trusted, None if there are none.
        found: the figures, None if there are none.
    """

    formula: str
    unit: str
    convention: str
    reason: str | None
    gate: str | None
    found: Found | None = field(default=None, metadata=FLAT)


@dataclass(frozen=True)
class GatedOrder(LearnableOrder):
    """What context of n - 1 tokens makes learnable, with the gate of its order."""

    gate: str | None


@dataclass(frozen=True)
class LearnableBits:
    """Learnable and unlearnable parts of the corpus.

    Attributes:
        unigram_bits_per_token: H1, bits per token.
        orders: learnable bits by order.
        noise_floor_low_bits_per_token: plug-in h_n; not a bound. Bits per token.
        noise_floor_high_bits_per_token: smallest held-out loss, an upper bound. Bits per token.
        heldout_learnable_bits_per_token: L_1 minus the smallest L_n, bits per token.
        flags: warnings.
    """

    unigram_bits_per_token: float
    orders: tuple[GatedOrder, ...]
    noise_floor_low_bits_per_token: float
    noise_floor_high_bits_per_token: float | None
    heldout_learnable_bits_per_token: float
    flags: tuple[str, ...]


@dataclass(frozen=True)
class FoundRate(EntropyRate):
    """Extrapolated entropy rate, with the excess entropy above it in bits."""

    excess_entropy_bits: float | None


@dataclass(frozen=True)
class ExtrapolatedRate:
    """Entropy rate from one series of conditional entropies.

    Attributes:
        orders: number of orders used.
        reason: why there is no rate, None if there is one.
        found: the rate, None if there is none.
    """

    orders: int
    reason: str | None
    found: FoundRate | None = field(default=None, metadata=FLAT)


@dataclass(frozen=True)
class EntropyRates:
    """Entropy rate from held-out losses and from plug-in entropies."""

    from_heldout: ExtrapolatedRate
    from_plug_in: ExtrapolatedRate


@dataclass(frozen=True)
class Shortfall:
    """Largest share by which the observed types are fewer than in shuffled text.

    Attributes:
        tokens: where that is, in tokens from the start.
        share: share of the shuffled types that is missing.
    """

    tokens: int
    share: float


@dataclass(frozen=True)
class TypeGrowth:
    """Distinct types among the first n tokens.

    Attributes:
        tokens: n.
        observed_types: types among the first n tokens.
        shuffled_types: exact mean over all orders of the same tokens.
        observed_fit: Heaps' law fitted to the observed types.
        shuffled_fit: Heaps' law fitted to the shuffled types.
        largest_shortfall: largest difference between the two.
    """

    tokens: tuple[int, ...]
    observed_types: tuple[int, ...]
    shuffled_types: tuple[float, ...]
    observed_fit: HeapsLaw
    shuffled_fit: HeapsLaw
    largest_shortfall: Shortfall


@dataclass(frozen=True)
class ZipfTails:
    """Power laws fitted to the tail of the counts.

    Attributes:
        hapax_share: share of types that were seen once.
        types: number of types.
        tokens: number of tokens.
        tails: fits by smallest count, each ten times the one before.
        best: the fit with the smallest Kolmogorov distance.
    """

    hapax_share: float
    types: int
    tokens: int
    tails: tuple[ZipfTail, ...]
    best: ZipfTail


@dataclass(frozen=True)
class RenyiEntropy:
    """Renyi entropy of single tokens.

    Attributes:
        q: order of the entropy, None for infinity.
        bits_per_token: entropy, bits per token.
    """

    q: float | None
    bits_per_token: float


@dataclass(frozen=True)
class RenyiEntropies:
    """Renyi entropies of single tokens by their order."""

    entropies: tuple[RenyiEntropy, ...]
    note: str


@dataclass(frozen=True)
class RepeatedWindows:
    """Share of the n-token windows that occurred before.

    Attributes:
        order: n.
        share: 1 - distinct / windows.
    """

    order: int
    share: float


@dataclass(frozen=True)
class Repetition:
    """Repeated windows and copied documents.

    Attributes:
        orders: repeated windows by order.
        documents: documents whose ids equal those of an earlier document.
        documents_share: their share of all documents.
        tokens: tokens in them.
        tokens_share: their share of all tokens.
    """

    orders: tuple[RepeatedWindows, ...]
    documents: int
    documents_share: float
    tokens: int
    tokens_share: float


@dataclass(frozen=True)
class ShardDivergence:
    """Divergence between the token distributions of shards.

    Attributes:
        shards: number of shards.
        bits_per_token: Jensen-Shannon divergence, bits per token; absent for a single shard.
        sampling_floor_bits_per_token: expected divergence of independent samples of one source,
            bits per token; absent for a single shard.
    """

    shards: int
    bits_per_token: float | None = field(default=None, metadata=OPTIONAL)
    sampling_floor_bits_per_token: float | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class Constancy:
    """Held-out loss by position in the document.

    Attributes:
        order: order of the model.
        rows: mean loss by position, positions in doublings.
        slope_bits_per_doubling: slope over log2 of the position, bits per token; None if fewer
            than two ranges have a complete history.
        range_bits_per_token: largest minus smallest mean loss, bits per token.
    """

    order: int
    rows: tuple[LossByPosition, ...]
    slope_bits_per_doubling: float | None
    range_bits_per_token: float | None


@dataclass(frozen=True)
class CorpusLaws:
    """Every law of a corpus."""

    quality: CorpusLaw[LearnableBits]
    entropy_rate: CorpusLaw[EntropyRates]
    heaps: CorpusLaw[TypeGrowth]
    zipf: CorpusLaw[ZipfTails]
    renyi: CorpusLaw[RenyiEntropies]
    repetition: CorpusLaw[Repetition]
    shard_divergence: CorpusLaw[ShardDivergence]
    constancy: CorpusLaw[Constancy]
