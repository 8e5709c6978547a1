"""What `icfast entropy` reports: spectra of a corpus or table, turned into entropies."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from icfast.corpus import Corpus
from icfast.corpus.documents import all_documents
from icfast.corpus.source import Source
from icfast.laws.entropy import order_entropy
from icfast.ngrams.spectra import spectra_of
from icfast.ngrams.table import CountTable
from icfast.parallel.threads import Work
from icfast.sums.spectrum import Spectra

#: Of result.json and of every --json answer.
SCHEMA_VERSION = 1

#: N where nobody says otherwise.
DEFAULT_ORDER = 5

#: Estimators of every report; ml is a fact about the file, cwj the best estimate.
_ESTIMATORS = (
    "ml",
    "miller_madow",
    "chao_shen",
    "grassberger",
    "zhang",
    "cwj",
    "jackknife",
)


def entropy_result(measured: Corpus | CountTable, order: int | None, work: Work) -> dict[str, Any]:
    """Entropies of orders 1..order of a corpus, or of all orders of a count table.

    Raises:
        CorpusError, ArtefactError, OptionError, ResourceError: as the passes do.
    """
    if isinstance(measured, CountTable):
        spectra, source = measured.spectra(), measured.source
        skipped = 0
    else:
        documents = all_documents(measured)
        spectra = spectra_of(documents, DEFAULT_ORDER if order is None else order, work)
        source, skipped = documents.source(spectra.order), measured.skipped_documents
    return {
        "schema_version": SCHEMA_VERSION,
        "corpus": {
            "tokens": spectra.tokens,
            "documents": spectra.documents,
            "vocab_size": source.vocab_size,
            "vocab_size_given": source.vocab_size_given,
            "shards": len(source.shards),
            "tokenizer": source.tokenizer,
            "skipped_documents": skipped,
        },
        "convention": conventions(source),
        "backend": work.backend.name,
        "threads": work.threads,
        "orders": orders(spectra),
    }


def conventions(source: Source) -> dict[str, Any]:
    """How documents, windows and logarithms are to be read, in words."""
    crossing = "each file is one document" if source.cross_documents else "inside documents"
    return {
        "name": source.convention,
        "windows": crossing,
        "boundary": source.boundary,
        "eos_id": source.eos_id,
        "unit": "bits",
    }


def orders(spectra: Spectra, *, with_spectra: bool = False) -> list[dict[str, Any]]:
    """One record per order, with its spectrum where asked."""
    records = []
    for n in range(1, spectra.order + 1):
        record = asdict(order_entropy(spectra, n, _ESTIMATORS))
        if with_spectra:
            record["spectrum"] = {
                "multiplicity": spectra[n].multiplicity.tolist(),
                "types": spectra[n].types.tolist(),
            }
        records.append(record)
    return records
