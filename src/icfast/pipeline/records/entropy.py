"""Records of `icfast entropy`: the corpus, its conventions, and the entropies of every order."""

from __future__ import annotations

from dataclasses import dataclass, field

from icfast.laws.entropy import OrderEntropy
from icfast.laws.matches import MatchEntropy
from icfast.pipeline.records.base import OPTIONAL, Result
from icfast.units import DASH, format_count, format_fixed


@dataclass(frozen=True)
class CountedCorpus:
    """Corpus that was counted.

    Attributes:
        tokens: number of tokens, document ends included.
        documents: number of documents.
        vocab_size: V, number of ids in the vocabulary.
        vocab_size_given: whether V was given, not read from the largest id.
        shards: number of files.
        tokenizer: name of the tokenizer, None if unknown.
        skipped_documents: empty documents that were skipped.
    """

    tokens: int
    documents: int
    vocab_size: int
    vocab_size_given: bool
    shards: int
    tokenizer: str | None
    skipped_documents: int


@dataclass(frozen=True)
class Convention:
    """Conventions that fix the meaning of every figure.

    Attributes:
        name: ``tokens`` or ``kenlm``.
        windows: whether n-token windows stay inside documents.
        boundary: whether the end id ends or starts a document.
        eos_id: id that separates documents, None if there is none.
        unit: unit of information.
        predicted_set: tokens whose loss was measured; absent if none was.
    """

    name: str
    windows: str
    boundary: str
    eos_id: int | None
    unit: str
    predicted_set: str | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True)
class SpectrumRows:
    """Count spectrum of one order.

    Attributes:
        multiplicity: r, how often an n-gram was seen, ascending.
        types: phi_r, number of distinct n-grams that were seen r times.
    """

    multiplicity: tuple[int, ...]
    types: tuple[int, ...]


@dataclass(frozen=True)
class OrderResult(OrderEntropy):
    """Entropies of one order, with their spectrum where it was asked for."""

    spectrum: SpectrumRows | None = field(default=None, metadata=OPTIONAL)


@dataclass(frozen=True, repr=False)
class EntropyResult(Result):
    """Result of `icfast entropy`.

    Attributes:
        schema_version: version of the field names.
        corpus: corpus that was counted.
        convention: conventions of the counts.
        backend: backend that counted.
        threads: number of threads.
        orders: entropies of orders 1..N.
        match_length: entropy rate from match lengths; absent if not asked for.
        warnings: what looks unusual in the corpus but may be right.
    """

    schema_version: int
    corpus: CountedCorpus
    convention: Convention
    backend: str
    threads: int
    orders: tuple[OrderResult, ...]
    match_length: MatchEntropy | None = field(default=None, metadata=OPTIONAL)
    warnings: tuple[str, ...] = ()

    def facts(self) -> dict[str, str]:
        """Return the main figures as text, by name."""
        last = self.orders[-1]
        h = last.conditional_entropy_bits_per_token["bos_padded"]
        return {
            "tokens": format_count(self.corpus.tokens),
            "orders": str(len(self.orders)),
            "plug-in entropy of the last order": f"{format_fixed(h)} bits/token",
            "gate": last.gate or DASH,
        }
