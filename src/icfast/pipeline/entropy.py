"""Measurement of `icfast entropy`: spectra of a corpus or a count table, turned into entropies."""

from __future__ import annotations

from icfast.corpus import Corpus
from icfast.corpus.documents import all_documents
from icfast.corpus.source import Source
from icfast.laws.entropy import order_entropy
from icfast.ngrams.spectra import spectra_of
from icfast.ngrams.table import CountTable
from icfast.parallel.threads import Work
from icfast.pipeline.records.base import SCHEMA_VERSION
from icfast.pipeline.records.entropy import (
    Convention,
    CountedCorpus,
    EntropyResult,
    OrderResult,
    SpectrumRows,
)
from icfast.sums.spectrum import Spectra

#: Order of the longest n-grams if none is given.
DEFAULT_ORDER = 5

#: Estimators of every report. ml is exact for the file; cwj is the best estimate for its source.
_ESTIMATORS = (
    "ml",
    "miller_madow",
    "chao_shen",
    "grassberger",
    "zhang",
    "cwj",
    "jackknife",
)


def measure_entropy(measured: Corpus | CountTable, order: int | None, work: Work) -> EntropyResult:
    """Compute entropies of orders 1..order of a corpus, or of every order of a count table.

    Raises:
        CorpusError: the corpus cannot be read.
        ArtefactError: the table is damaged.
        OptionError: the order has no meaning.
        ResourceError: memory does not suffice.
    """
    if isinstance(measured, CountTable):
        spectra, source = measured.spectra(), measured.source
        skipped = 0
    else:
        documents = all_documents(measured)
        spectra = spectra_of(documents, DEFAULT_ORDER if order is None else order, work)
        source, skipped = documents.source(spectra.order), measured.skipped_documents
    return EntropyResult(
        schema_version=SCHEMA_VERSION,
        corpus=CountedCorpus(
            tokens=spectra.tokens,
            documents=spectra.documents,
            vocab_size=source.vocab_size,
            vocab_size_given=source.vocab_size_given,
            shards=len(source.shards),
            tokenizer=source.tokenizer,
            skipped_documents=skipped,
        ),
        convention=convention_of(source),
        backend=work.backend.name,
        threads=work.threads,
        orders=entropy_orders(spectra),
        warnings=measured.warnings,
    )


def convention_of(source: Source, predicted_set: str | None = None) -> Convention:
    """Describe in words how documents, windows and logarithms are read."""
    crossing = "each file is one document" if source.cross_documents else "inside documents"
    return Convention(
        name=source.convention,
        windows=crossing,
        boundary=source.boundary,
        eos_id=source.eos_id,
        unit="bits",
        predicted_set=predicted_set,
    )


def entropy_orders(spectra: Spectra, *, with_spectra: bool = False) -> tuple[OrderResult, ...]:
    """Compute the entropies of every order, with its spectrum if asked."""
    return tuple(
        OrderResult(
            **vars(order_entropy(spectra, n, _ESTIMATORS)),
            spectrum=_rows(spectra, n) if with_spectra else None,
        )
        for n in range(1, spectra.order + 1)
    )


def _rows(spectra: Spectra, order: int) -> SpectrumRows:
    spectrum = spectra[order]
    return SpectrumRows(tuple(spectrum.multiplicity.tolist()), tuple(spectrum.types.tolist()))
