"""Measurement of `icfast score`: losses of a corpus, written per document and summed up."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from icfast.corpus import Corpus
from icfast.corpus.documents import all_documents
from icfast.energy import EnergyMeter
from icfast.errors import OptionError, needs_extra
from icfast.files import atomic_path
from icfast.kneser_ney.compact import CompactModel
from icfast.kneser_ney.model import NgramModel
from icfast.laws.landauer import energy
from icfast.neural.token_model import TokenModel
from icfast.ngrams.spectra import spectra_of
from icfast.parallel.threads import Work
from icfast.pipeline.energy import Spending
from icfast.pipeline.neural import Neural, initial_loss
from icfast.pipeline.records.score import InitialLoss, ScoreResult
from icfast.pipeline.score import floor_joules, score_record
from icfast.quality.score import score_model
from icfast.sums.loss import DocumentScores


def score_corpus(
    corpus: Corpus,
    model: NgramModel | CompactModel | TokenModel,
    *,
    options: Mapping[str, Any],
    output: Path | None,
    initial_seed: int | None,
    temperature_kelvin: float,
    meter: EnergyMeter | None,
    work: Work,
) -> ScoreResult:
    """Score a corpus under an open model.

    Args:
        corpus: an open corpus.
        model: an n-gram or neural model.
        options: options of neural models that were set, as `icfast.score` takes them.
        output: Parquet file for the loss of each document, or None.
        initial_seed: seed of the same architecture with fresh weights, which is scored too; None
            scores none.
        temperature_kelvin: T of IC-2 for a neural model, kelvin.
        meter: meter of the energy that scoring spends, or None.
        work: how the work runs.

    Raises:
        OptionError: an option has no meaning for this model, or the output cannot be written.
        MissingExtraError: the output needs pyarrow, which is not installed.
        CorpusError: an id is outside the model's vocabulary.
        MergeError: the corpus and the model have different tokenizers.
        ResourceError: memory or disk do not suffice.
    """
    energy(bits=0, temperature_kelvin=temperature_kelvin)  # refuses a wrong T before the work
    if initial_seed is not None and isinstance(model, NgramModel | CompactModel):
        raise OptionError(
            "--initial-seed needs a neural model; an n-gram model has no initial weights"
        )
    with _table_writer(output) as write:
        with Spending(meter, "scoring") as spending:
            scores = score_model(corpus, model, options, work)
        write(scores)
    score = score_record(scores, temperature_kelvin)
    return ScoreResult(
        score=score,
        spent=spending.record(floor_joules(score)),
        initial_loss=_initial(corpus, model, options, initial_seed, work),
        backend=work.backend.name,
        output=None if output is None else str(output),
        skipped_files=len(corpus.skipped_files),
        skipped_documents=corpus.skipped_documents,
        fitted_shards=scores.fitted_shards,
        warnings=scores.warnings,
    )


def _initial(
    corpus: Corpus,
    model: NgramModel | CompactModel | TokenModel,
    options: Mapping[str, Any],
    seed: int | None,
    work: Work,
) -> InitialLoss | None:
    """Score the same architecture with fresh weights, if a seed is given."""
    if seed is None or isinstance(model, NgramModel | CompactModel):
        return None
    documents = all_documents(corpus)
    unigrams = spectra_of(documents, 1, work)[1]
    return initial_loss(documents, Neural(model, options, seed), unigrams, work)


@contextmanager
def _table_writer(output: Path | None) -> Iterator[Callable[[DocumentScores], None]]:
    """Yield a function that writes the loss of each document, or ignores it without an output.

    The file is opened before the work, so that an output that cannot be written is refused at once.
    """
    if output is None:
        yield lambda scores: None
        return
    with needs_extra("arrow", "--output writes Parquet, which"):
        from pyarrow import parquet
    with atomic_path(output) as target:
        yield lambda scores: parquet.write_table(scores.to_arrow(), target)
