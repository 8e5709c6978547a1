"""Fit a Kneser-Ney model on a corpus or a count table."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from icfast.corpus import Corpus
from icfast.corpus.documents import DocumentSet, all_documents
from icfast.files import atomic_path
from icfast.kneser_ney.build import build_model
from icfast.kneser_ney.model import NgramModel
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
        memory, temporary, threads, backend: as in :func:`icfast.spectra`. The trie is built in the
            memory-mapped file, which this memory does not include.
        progress: called with the progress of each stage.

    Raises:
        OptionError: an argument is invalid, or the output can't be written.
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
    target = None if output is None else Path(output)
    if isinstance(corpus, CountTable):
        return fit_table(corpus, work, target)
    return fit_documents(all_documents(corpus, convention), order, work, target)


def fit_documents(
    documents: DocumentSet, order: int, work: Work, output: Path | None = None
) -> NgramModel:
    """Fit a model on chosen documents, through a temporary count table in the model's folder."""
    return fit_counted(documents, order, work, output)[0]


def fit_counted(
    documents: DocumentSet, order: int, work: Work, output: Path | None = None
) -> tuple[NgramModel, Spectra]:
    """Fit a model on chosen documents and return it with the spectra of these documents."""
    with _model_file(output) as new:
        parent = new.temporary.parent
        with tempfile.TemporaryDirectory(prefix=".icfast-", dir=parent) as folder:
            table = count_documents(documents, Path(folder) / "counts", order, work, "temporary")
            spectra = table.spectra()
            _build(table, new.temporary, work)
    return new.load(), spectra


def fit_table(table: CountTable, work: Work, output: Path | None = None) -> NgramModel:
    """Fit a model on a count table."""
    with _model_file(output) as new:
        _build(table, new.temporary, work)
    return new.load()


@dataclass(frozen=True)
class _NewModel:
    """Paths of a new model: where it is built, and where it will be.

    Attributes:
        folder: a temporary folder that is deleted with the model, or None.
    """

    temporary: Path
    final: Path
    folder: Path | None = None

    def load(self) -> NgramModel:
        model = NgramModel.load(self.final)
        if self.folder is not None:
            weakref.finalize(model, shutil.rmtree, self.folder, ignore_errors=True)
        return model


@contextmanager
def _model_file(output: Path | None) -> Iterator[_NewModel]:
    """Prepare the output before the work begins, so that an unwritable output fails at once."""
    if output is not None:
        with atomic_path(output) as temporary:
            yield _NewModel(temporary, output)
        return
    folder = Path(tempfile.mkdtemp(prefix="icfast-"))
    try:
        yield _NewModel(folder / "model.icfast", folder / "model.icfast", folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def _build(table: CountTable, path: Path, work: Work) -> None:
    tokens = table.totals.tokens
    work.progress("fitting", 0, tokens)
    with work.pool() as pool:
        build_model(table, path, work.backend.kernels, pool.for_each)
    work.progress("fitting", tokens, tokens)
