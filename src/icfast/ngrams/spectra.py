"""Spectra of a corpus, without a count table."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from icfast.backends.counting import SortedRun
from icfast.corpus import Corpus
from icfast.corpus.documents import DocumentSet, all_documents
from icfast.ngrams.alphabet import Symbols, list_symbols
from icfast.ngrams.budget import budget
from icfast.ngrams.cost import Table, key_cost, position_cost
from icfast.ngrams.keys import can_pack
from icfast.ngrams.plan import make_plan
from icfast.ngrams.positions import PositionBudget, position_budget, spectra_by_position
from icfast.ngrams.windows import WindowCount, document_ends
from icfast.parallel.cost import Cost
from icfast.parallel.mapped_file import refuses_changes
from icfast.parallel.progress import Progress, silent
from icfast.parallel.threads import Pool, Work
from icfast.sums.spectrum import Spectra

#: Maximum bits of a history that is counted as a packed key, of one or two words. Beyond, counting
#: by position is as fast, needs half the memory, and has no maximum order.
_KEY_BITS = 128


def spectra(
    corpus: Corpus,
    order: int = 5,
    *,
    memory: str | int | None = None,
    temporary: str | Path | None = None,
    threads: int | None = None,
    backend: str = "auto",
    progress: Progress = silent,
) -> Spectra:
    """Count the spectra of orders 1..order exactly, with one sort.

    The spectrum of order n maps a multiplicity r to phi_r, the number of distinct windows of n
    tokens that occur r times. Windows do not cross documents.

    Args:
        order: N, at least 1. There is no maximum.
        memory: maximum bytes that icfast allocates, such as ``"4GiB"``; the default is half of the
            available memory. With less memory icfast reads the corpus more often. The result does
            not depend on it.
        temporary: folder for a temporary file. If the memory would need many passes, icfast writes
            the keys to a file there: 8 bytes per token and 64 bits of history. The file is removed.
        threads: number of threads; the default is one per core.
        backend: "auto", "core", "numba" or "cuda".
        progress: receives the progress of the count.

    Returns:
        :class:`icfast.Spectra`; ``spectra[n]`` is the :class:`icfast.Spectrum` of order n.

    Raises:
        CorpusError: an id is outside the vocabulary, or a document is empty.
        ResourceError: the memory is too little, or the temporary folder is too full.
        OptionError: an argument is invalid.
        BackendError: the backend is not available.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import icfast
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "abracadabra.bin"
    ...     _ = path.write_bytes(b"abracadabra")
    ...     corpus = icfast.open(path, dtype="u1", vocab_size=256)
    ...     found = icfast.spectra(corpus, order=2)
    >>> found[2].windows, found[2].distinct, found[2].singletons
    (10, 7, 4)
    """
    work = Work.of(backend, threads, memory, progress, temporary=temporary)
    return spectra_of(all_documents(corpus), order, work)


def cost(
    corpus: Corpus,
    order: int = 5,
    *,
    table: bool = False,
    convention: str = "tokens",
    memory: str | int | None = None,
    temporary: str | Path | None = None,
    threads: int | None = None,
    backend: str = "auto",
) -> Cost:
    """Return the passes, memory and disk that a count needs, without counting.

    icfast lists the ids, plans the passes, and counts a sample to estimate the share of distinct
    windows.

    Args:
        order: N, at least 1.
        table: whether the count writes a table, as :func:`icfast.count` does.
        convention: "tokens" or "kenlm".
        memory, temporary, threads, backend: as in :func:`icfast.spectra`.

    Raises:
        CorpusError: an id is outside the vocabulary, or a document is empty.
        ResourceError: the memory is too little.
        OptionError: an argument is invalid.
        BackendError: the backend is not available.

    >>> import tempfile
    >>> from pathlib import Path
    >>> import icfast
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "abracadabra.bin"
    ...     _ = path.write_bytes(b"abracadabra")
    ...     corpus = icfast.open(path, dtype="u1", vocab_size=256)
    ...     found = icfast.cost(corpus, order=2)
    >>> found.windows, found.passes, found.temporary_bytes
    (11, 1, 0)
    """
    work = Work.of(backend, threads, memory, temporary=temporary)
    documents = all_documents(corpus, convention)
    with work.pool() as pool:
        symbols = list_symbols(documents, 1, work, pool)
        limits = None if table else _position_budget(documents, symbols, order, work)
        if limits is not None:
            return position_cost(documents, order, limits)
        purpose: Table = "kept" if table else "none"
        count = _planned(documents, symbols.of_order(order), work, pool, purpose)
        return key_cost(count, purpose)


@refuses_changes
def spectra_of(documents: DocumentSet, order: int, work: Work) -> Spectra:
    """Count the spectra of chosen documents."""
    with work.pool() as pool:
        symbols = list_symbols(documents, 1, work, pool)
        limits = _position_budget(documents, symbols, order, work)
        if limits is not None:
            if work.announce is not None:
                work.announce(position_cost(documents, order, limits))
            return spectra_by_position(documents, symbols, order, limits, work, pool)
        count = _planned(documents, symbols.of_order(order), work, pool, "none")
        return count.spectra(keep=_keep_nothing, take=_drop)


def _position_budget(
    documents: DocumentSet, symbols: Symbols, order: int, work: Work
) -> PositionBudget | None:
    """Return the memory budget of a count by position; None if packed keys are the better way."""
    if (order - 1) * symbols.shape.bits <= _KEY_BITS:
        return None
    limits = position_budget(documents, symbols, order, work)
    # With less memory, packed keys take more passes, but each pass needs less.
    if not limits.suffices and can_pack(order, len(symbols.ids)):
        return None
    limits.check(documents, symbols, order)
    return limits


def _keep_nothing(run: SortedRun) -> None:
    """Keep nothing of a run: its spectra are counted already."""


def _drop(kept: None) -> None:
    """Accept what `_keep_nothing` returned."""


@contextmanager
def counting(
    documents: DocumentSet, order: int, work: Work, table: Table = "none"
) -> Iterator[WindowCount]:
    """Plan a count of packed keys, and hold its threads while it runs.

    Args:
        table: the purpose of the sorted runs.
    """
    with work.pool() as pool:
        symbols = list_symbols(documents, order, work, pool)
        yield _planned(documents, symbols, work, pool, table)


def _planned(
    documents: DocumentSet, symbols: Symbols, work: Work, pool: Pool, table: Table
) -> WindowCount:
    """Return a count that is ready to run, after its cost was announced."""
    limits = budget(documents, symbols, work, table != "none")
    ends = document_ends(documents, symbols, work)
    plan = make_plan(documents, symbols, limits, work, pool)
    count = WindowCount(documents, symbols, ends, plan, limits, work, pool)
    if work.announce is not None:
        work.announce(key_cost(count, table))
    return count
