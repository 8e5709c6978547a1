"""Measurement of `icfast score`: losses of a corpus, written per document and summed up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from icfast.corpus import Corpus
from icfast.corpus.documents import all_documents
from icfast.energy import EnergyMeter
from icfast.errors import OptionError, needs_extra
from icfast.files import Output, check_outputs, new_file, shown_path
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

#: Key and value in the metadata of a Parquet file of scores.
_MARK, _SCORES = "icfast", "scores of documents"
#: Columns of that file.
_COLUMNS = (
    "shard",
    "document",
    "predicted_tokens",
    "loss_nats",
    "oov",
    "infinite",
    "ignored",
    "nan",
    "out_of_range",
    "huge",
)


def score_corpus(
    corpus: Corpus,
    model: NgramModel | CompactModel | TokenModel,
    *,
    options: Mapping[str, Any],
    output: Path | None,
    inputs: Iterable[Path] = (),
    overwrite: bool = False,
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
        inputs: files and folders of the model.
        overwrite: whether to replace an output that icfast wrote.
        initial_seed: seed of the same architecture with fresh weights, which is scored too; None
            scores none.
        temperature_kelvin: T of IC-2 for a neural model, kelvin.
        meter: meter of the energy that scoring spends, or None.
        work: how the work runs.

    Raises:
        OptionError: an option has no meaning for this model, or the output exists or cannot be
            written.
        OutputError: the output is also an input, or is not what icfast wrote.
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
    checkpoint = _checkpoint(options)
    read = [*corpus.files, *inputs]
    if checkpoint is not None:
        written = [] if output is None else [_scores(output)]
        check_outputs([checkpoint, *written], read, overwrite)
    with _table_writer(output, read, overwrite) as write:
        with Spending(meter, "scoring") as spending:
            scores = score_model(corpus, model, options, work)
        write(scores)
    score = score_record(scores, temperature_kelvin)
    return ScoreResult(
        score=score,
        spent=spending.record(floor_joules(score)),
        initial_loss=_initial(corpus, model, options, initial_seed, work),
        backend=work.backend.name,
        output=None if output is None else shown_path(output),
        skipped_files=len(corpus.skipped_files),
        skipped_documents=corpus.skipped_documents,
        **_vocabulary(model),
        fitted_shards=scores.fitted_shards,
        warnings=scores.warnings,
    )


def _vocabulary(model: NgramModel | CompactModel | TokenModel) -> dict[str, Any]:
    """Return the size of a model's vocabulary, and whether it was stated."""
    if isinstance(model, NgramModel | CompactModel):
        source = model.source
        return {"vocab_size": source.vocab_size, "vocab_size_given": source.vocab_size_given}
    return {"vocab_size": model.vocab_size, "vocab_size_given": True}


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
def _table_writer(
    output: Path | None, inputs: Iterable[Path], overwrite: bool
) -> Iterator[Callable[[DocumentScores], None]]:
    """Yield a function that writes the loss of each document, or ignores it without an output.

    The file is opened before the work, so that an output that cannot be written is refused at once.
    """
    if output is None:
        yield lambda scores: None
        return
    with needs_extra("arrow", "--output writes Parquet, which"):
        from pyarrow import parquet
    with new_file(_scores(output), inputs, overwrite) as target:

        def write(scores: DocumentScores) -> None:
            table = scores.to_arrow().replace_schema_metadata({_MARK: _SCORES})
            # pyarrow accepts no name that is not UTF-8.
            with target.open("wb") as file:
                parquet.write_table(table, file)

        yield write


def _scores(output: Path) -> Output:
    return Output(output, "Parquet", _is_ours, (".parquet", ".pq"))


def _is_ours(path: Path) -> bool:
    """Return whether icfast wrote a Parquet file; version 0.1.0 left no mark in it."""
    from pyarrow import ArrowException, parquet

    try:
        with path.open("rb") as file:
            schema = parquet.read_schema(file)
    except (ArrowException, OSError):
        return False
    if schema.metadata is None:
        return tuple(schema.names) == _COLUMNS
    return bool(schema.metadata.get(_MARK.encode()) == _SCORES.encode())


def _checkpoint(options: Mapping[str, Any]) -> Output | None:
    folder = options.get("checkpoint")
    if folder is None:
        return None
    return Output(Path(folder), "a checkpoint", lambda _: True, folder=True, resumed=True)
