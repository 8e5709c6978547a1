"""Fit a Kneser-Ney model on a corpus or a count table."""

from __future__ import annotations

import shutil
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from icfast.corpus import Corpus
from icfast.corpus.documents import DocumentSet, all_documents
from icfast.files import kept_folder, new_files, scratch_folder
from icfast.kneser_ney.arpa import arpa_output, export_arpa
from icfast.kneser_ney.build import build_model
from icfast.kneser_ney.model import NgramModel
from icfast.kneser_ney.model_file import model_output
from icfast.ngrams.count import count_documents
from icfast.ngrams.table import CountTable
from icfast.parallel.progress import Progress, silent
from icfast.parallel.threads import Work
from icfast.sums.spectrum import Spectra


def fit(
    corpus: Corpus | CountTable,
    order: int = 5,
    *,
    output: str | Path | None = None,
    convention: str = "tokens",
    overwrite: bool = False,
    memory: str | int | None = None,
    temporary: str | Path | None = None,
    threads: int | None = None,
    backend: str = "auto",
    progress: Progress = silent,
) -> NgramModel:
    """Fit interpolated modified Kneser-Ney models of all orders 1..order.

    Args:
        corpus: a corpus or a count table.
        order: the highest order N. Ignored for a table, which was counted with an order.
        output: file for the model. By default the model is in a temporary file, which is deleted
            with the model.
        convention: "tokens" or "kenlm". Ignored for a table, which was counted with one.
        overwrite: whether to replace a model that icfast wrote there.
        memory, temporary, threads, backend: as in :func:`icfast.spectra`. The trie is built in the
            memory-mapped file, which this memory does not include.
        progress: called with the progress of each stage.

    Raises:
        OptionError: an argument is invalid, or the output exists or can't be written.
        OutputError: the output is also an input, or is not a model.
        ResourceError: there is too little memory or disk space.
        ArtefactError: the table is damaged.

    >>> import tempfile
    >>> import icfast
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "abracadabra.bin"
    ...     _ = path.write_bytes(b"abracadabra")
    ...     corpus = icfast.open(path, dtype="u1", vocab_size=256)
    ...     model = icfast.fit(corpus, order=2)
    >>> model.ngrams  # five letters; seven pairs, and the begin mark with the first letter
    (5, 8)
    """
    work = Work.of(backend, threads, memory, progress, temporary=temporary)
    source = corpus if isinstance(corpus, CountTable) else all_documents(corpus, convention)
    if output is not None:
        return fit_into(source, order, work, Path(output), overwrite=overwrite)
    if isinstance(source, CountTable):
        return fit_table(source, work)
    return fit_documents(source, order, work)


def fit_documents(
    documents: DocumentSet, order: int, work: Work, file: Path | None = None
) -> NgramModel:
    """Fit a model on chosen documents; see `fit_counted`."""
    return fit_counted(documents, order, work, file)[0]


def fit_counted(
    documents: DocumentSet, order: int, work: Work, file: Path | None = None
) -> tuple[NgramModel, Spectra]:
    """Fit a model on chosen documents and return it with the spectra of these documents.

    A temporary count table goes into the folder of the model.

    Args:
        documents: the documents.
        order: the highest order.
        work: how the work runs.
        file: the file to write directly. By default it is temporary, and removed with the model.
    """
    with _model_file(file) as path:
        with scratch_folder(path.parent, "counts") as folder:
            table = count_documents(documents, folder / "counts", order, work, "temporary")
            spectra = table.spectra()
            _build(table, path, work)
        return _loaded(path, file), spectra


def fit_table(table: CountTable, work: Work, file: Path | None = None) -> NgramModel:
    """Fit a model on a count table; see `fit_counted`."""
    with _model_file(file) as path:
        _build(table, path, work)
        return _loaded(path, file)


def fit_into(
    source: DocumentSet | CountTable,
    order: int,
    work: Work,
    output: Path,
    arpa: Path | None = None,
    overwrite: bool = False,
) -> NgramModel:
    """Fit a model and publish its file, together with its ARPA text if that is asked for.

    Args:
        source: documents or a count table.
        order: the highest order. Ignored for a table.
        work: how the work runs.
        output: file for the model.
        arpa: file for the ARPA text, or None.
        overwrite: whether to replace files that icfast wrote there.

    Raises:
        OptionError, OutputError: an output is refused, see `icfast.files.check_outputs`.
        ResourceError: there is too little memory or disk space.
    """
    inputs = [source.directory] if isinstance(source, CountTable) else source.corpus.files
    outputs = [model_output(output), *([] if arpa is None else [arpa_output(arpa)])]
    with new_files(outputs, inputs, overwrite) as (file, *texts):
        if isinstance(source, CountTable):
            model = fit_table(source, work, file)
        else:
            model = fit_documents(source, order, work, file)
        for text in texts:
            export_arpa(model, text, work)
    return replace(model, file=model.file.moved_to(output))


@contextmanager
def _model_file(file: Path | None) -> Iterator[Path]:
    """Yield the path at which a model is built, by default in a new temporary folder."""
    if file is not None:
        yield file
        return
    folder = kept_folder("icfast-model")
    try:
        yield folder / "model.icfast"
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _loaded(path: Path, file: Path | None) -> NgramModel:
    model = NgramModel.load(path)
    if file is None:
        weakref.finalize(model, shutil.rmtree, path.parent, ignore_errors=True)
    return model


def _build(table: CountTable, path: Path, work: Work) -> None:
    tokens = table.totals.tokens
    work.progress("fitting", 0, tokens)
    with work.pool() as pool:
        build_model(table, path, work.backend.kernels, pool.for_each)
    work.progress("fitting", tokens, tokens)
