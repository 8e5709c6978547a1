"""Records of commands that make tables and models: count, merge, fit, export, compress."""

from __future__ import annotations

from dataclasses import dataclass, field

from icfast.pipeline.records.base import OPTIONAL, Result
from icfast.units import format_bytes, format_count, format_fixed


@dataclass(frozen=True)
class Discounts:
    """Discounts of one order, for counts of 1, 2, and 3 or more.

    Attributes:
        order: order of the n-grams.
        top: D1, D2, D3+ where this is the longest order.
        top_fallback: whether the counts did not determine them, so that defaults were used.
        lower: D1, D2, D3+ below a longer order; None for the longest.
        lower_fallback: whether those are defaults; None for the longest.
    """

    order: int
    top: tuple[float, ...]
    top_fallback: bool
    lower: tuple[float, ...] | None
    lower_fallback: bool | None


@dataclass(frozen=True, repr=False)
class TableResult(Result):
    """Result of `icfast count` and `icfast merge`.

    Attributes:
        table: folder of the count table.
        order: tokens in its longest n-grams.
        tokens: number of tokens counted.
        documents: number of documents.
        ids: number of different ids that occur.
        windows: complete n-token windows, by order.
        distinct: different n-grams among them, by order.
        backend: backend that counted.
        skipped_files: empty files that were skipped; absent for a merge.
        skipped_documents: empty documents that were skipped; absent for a merge.
        warnings: what looks unusual in the corpus but may be right.
    """

    table: str
    order: int
    tokens: int
    documents: int
    ids: int
    windows: tuple[int, ...]
    distinct: tuple[int, ...]
    backend: str
    skipped_files: int | None = field(default=None, metadata=OPTIONAL)
    skipped_documents: int | None = field(default=None, metadata=OPTIONAL)
    warnings: tuple[str, ...] = ()

    def facts(self) -> dict[str, str]:
        """Return the main figures as text, by name."""
        return {
            "table": self.table,
            "order": str(self.order),
            "tokens": format_count(self.tokens),
            "distinct n-grams": format_count(self.distinct[-1]),
        }


@dataclass(frozen=True, repr=False)
class FitResult(Result):
    """Result of `icfast fit`.

    Attributes:
        model: file of the model.
        order: tokens in its longest n-grams.
        convention: ``tokens`` or ``kenlm``.
        ngram_counts: number of n-grams by order.
        discounts: discounts by order.
        model_bits: N, size of the file, bits.
        params: P, number of parameters.
        tokens: number of tokens it was fitted to.
        documents: number of documents.
        arpa: file of the ARPA text, None if not asked for.
        backend: backend that fitted.
        skipped_files: empty files that were skipped; None for a count table.
        skipped_documents: empty documents that were skipped; None for a count table.
        warnings: what looks unusual in the corpus but may be right.
        vocab_size: V, number of ids in the vocabulary.
        vocab_size_given: whether V was given, not read from the largest id.
    """

    model: str
    order: int
    convention: str
    ngram_counts: tuple[int, ...]
    discounts: tuple[Discounts, ...]
    model_bits: int
    params: int
    tokens: int
    documents: int
    arpa: str | None
    backend: str
    skipped_files: int | None
    skipped_documents: int | None
    warnings: tuple[str, ...] = ()
    vocab_size: int | None = None
    vocab_size_given: bool | None = None

    def facts(self) -> dict[str, str]:
        """Return the main figures as text, by name."""
        return {
            "model": self.model,
            "order": str(self.order),
            "parameters": format_count(self.params),
            "size": format_bytes(self.model_bits // 8),
        }


@dataclass(frozen=True, repr=False)
class ExportResult(Result):
    """Result of `icfast export`.

    Attributes:
        model: file of the model.
        arpa: file of the ARPA text.
        order: tokens in the longest n-grams.
        ngrams: number of n-grams of all orders.
        bytes: size of the ARPA text, bytes.
        backend: backend that exported.
    """

    model: str
    arpa: str
    order: int
    ngrams: int
    bytes: int
    backend: str

    def facts(self) -> dict[str, str]:
        """Return the main figures as text, by name."""
        return {
            "ARPA text": self.arpa,
            "n-grams": format_count(self.ngrams),
            "size": format_bytes(self.bytes),
        }


@dataclass(frozen=True)
class CompressionLoss:
    """Loss of a model before and after compression, on the same held-out tokens.

    Attributes:
        predicted_tokens: tokens predicted.
        documents: number of documents.
        whole_bits_per_token: mean loss before, bits per token.
        bits_per_token: mean loss after, bits per token.
        excess_bits_per_token: difference of the two, bits per token.
    """

    predicted_tokens: int
    documents: int
    whole_bits_per_token: float
    bits_per_token: float
    excess_bits_per_token: float


@dataclass(frozen=True, repr=False)
class CompressResult(Result):
    """Result of `icfast compress`.

    Attributes:
        model: file of the compressed model.
        bytes: its size, bytes.
        bits: bits of each probability and each backoff.
        prune: share of perplexity below which n-grams were dropped.
        ngrams: number of n-grams kept, by order.
        whole: file of the model before compression.
        whole_bytes: its size, bytes.
        whole_ngrams: its number of n-grams, by order.
        mean_log2_mass: mean log2 of the probability mass of a context, 0 for a proper model.
        heldout: loss before and after; None without a held-out corpus.
        backend: backend that compressed.
        skipped_files: empty files that were skipped; None without a held-out corpus.
        skipped_documents: empty documents that were skipped; None without a held-out corpus.
        warnings: what looks unusual in the held-out corpus, and conventions of it that differ from
            the model's.
    """

    model: str
    bytes: int
    bits: int
    prune: float
    ngrams: tuple[int, ...]
    whole: str
    whole_bytes: int
    whole_ngrams: tuple[int, ...]
    mean_log2_mass: float
    heldout: CompressionLoss | None
    backend: str
    skipped_files: int | None
    skipped_documents: int | None
    warnings: tuple[str, ...] = ()

    def facts(self) -> dict[str, str]:
        """Return the main figures as text, by name."""
        lost = None if self.heldout is None else self.heldout.excess_bits_per_token
        return {
            "model": self.model,
            "size": format_bytes(self.bytes),
            "size before": format_bytes(self.whole_bytes),
            "increase in loss": f"{format_fixed(lost)} bits/token",
        }
