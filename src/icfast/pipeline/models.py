"""Results of commands that make tables and models: count, merge, fit, export, compress."""

from __future__ import annotations

from pathlib import Path

from icfast.corpus import Corpus
from icfast.files import shown_path
from icfast.kneser_ney.compact import CompactModel
from icfast.kneser_ney.compared import compare
from icfast.kneser_ney.discounts import OrderDiscounts
from icfast.kneser_ney.model import NgramModel
from icfast.ngrams.table import CountTable
from icfast.pipeline.records.base import from_json
from icfast.pipeline.records.models import (
    CompressionLoss,
    CompressResult,
    Discounts,
    ExportResult,
    FitResult,
    TableResult,
)


def table_result(table: CountTable, backend: str, corpus: Corpus | None) -> TableResult:
    """Describe a count table.

    Args:
        table: the table.
        backend: name of the backend that counted.
        corpus: the corpus that was counted, None for a merge.
    """
    spectra = table.spectra()
    return TableResult(
        table=shown_path(table.directory),
        order=table.order,
        tokens=table.totals.tokens,
        documents=table.totals.documents,
        ids=len(table.ids),
        windows=tuple(table.totals.windows),
        distinct=tuple(spectra[n].distinct for n in range(1, table.order + 1)),
        backend=backend,
        skipped_files=None if corpus is None else len(corpus.skipped_files),
        skipped_documents=None if corpus is None else corpus.skipped_documents,
        warnings=(table if corpus is None else corpus).warnings,
    )


def fit_result(
    model: NgramModel, arpa: Path | None, backend: str, fitted: Corpus | CountTable
) -> FitResult:
    """Describe a Kneser-Ney model.

    Args:
        model: the model.
        arpa: file of its ARPA text, None if there is none.
        backend: name of the backend that fitted.
        fitted: the corpus or count table that it was fitted to.
    """
    corpus = fitted if isinstance(fitted, Corpus) else None
    source = model.source
    return FitResult(
        model=shown_path(model.path),
        order=model.order,
        convention=model.convention,
        ngram_counts=tuple(model.ngram_counts),
        discounts=tuple(discounts_of(entry) for entry in model.discounts),
        model_bits=model.size_bits,
        params=model.parameters,
        tokens=model.tokens,
        documents=model.documents,
        arpa=None if arpa is None else shown_path(arpa),
        backend=backend,
        skipped_files=None if corpus is None else len(corpus.skipped_files),
        skipped_documents=None if corpus is None else corpus.skipped_documents,
        warnings=fitted.warnings,
        vocab_size=source.vocab_size,
        vocab_size_given=source.vocab_size_given,
    )


def discounts_of(entry: OrderDiscounts) -> Discounts:
    """Return the discounts of one order."""
    lower = entry.lower
    return Discounts(
        order=entry.order,
        top=tuple(entry.top.values),
        top_fallback=entry.top.fallback,
        lower=None if lower is None else tuple(lower.values),
        lower_fallback=None if lower is None else lower.fallback,
    )


def export_result(model: NgramModel, source: Path, output: Path, backend: str) -> ExportResult:
    """Describe the ARPA text of a model.

    Args:
        model: the model.
        source: file of the model.
        output: file of the text.
        backend: name of the backend that exported.
    """
    return ExportResult(
        model=shown_path(source),
        arpa=shown_path(output),
        order=model.order,
        ngrams=sum(model.ngrams),
        bytes=output.stat().st_size,
        backend=backend,
    )


def compress_result(
    model: CompactModel,
    whole: Path,
    output: Path,
    backend: str,
    *,
    bits: int,
    prune: float,
    heldout: Corpus | None,
) -> CompressResult:
    """Describe a compressed model.

    Args:
        model: the compressed model.
        whole: file of the model before compression.
        output: file of the compressed model.
        backend: name of the backend that compressed.
        bits: bits of each probability and each backoff.
        prune: share of perplexity below which n-grams were dropped.
        heldout: corpus on which the loss was measured, or None.
    """
    about = model.about
    return CompressResult(
        model=shown_path(output),
        bytes=output.stat().st_size,
        bits=bits,
        prune=prune,
        ngrams=tuple(model.ngrams),
        whole=shown_path(whole),
        whole_bytes=about["whole_bytes"],
        whole_ngrams=tuple(about["whole_ngrams"]),
        mean_log2_mass=about["mean_log2_mass"],
        heldout=from_json(CompressionLoss | None, about["heldout"]),
        backend=backend,
        skipped_files=None if heldout is None else len(heldout.skipped_files),
        skipped_documents=None if heldout is None else heldout.skipped_documents,
        warnings=() if heldout is None else (*heldout.warnings, *compare(heldout, model).warnings),
    )
