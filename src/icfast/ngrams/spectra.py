"""Spectra of a corpus, no table kept."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

from icfast.backends.counting import Ends, SortedRun
from icfast.corpus import Corpus
from icfast.corpus.documents import DocumentSet, all_documents
from icfast.ngrams.alphabet import Symbols, list_symbols
from icfast.ngrams.cost import Forecast, Table
from icfast.ngrams.keys import can_pack
from icfast.ngrams.plan import budget, make_plan
from icfast.ngrams.position_cost import position_cost
from icfast.ngrams.positions import PositionBudget, position_budget, spectra_by_position
from icfast.ngrams.scan import SpectraScan, self_check, window_totals
from icfast.ngrams.windows import Group, Sorter, document_ends
from icfast.parallel.cost import Cost
from icfast.parallel.progress import Progress, silent
from icfast.parallel.threads import Pool, Work
from icfast.sums.spectrum import Spectra

Kept = TypeVar("Kept")

#: Histories of up to so many bits are counted as packed keys of one or two words. Beyond, windows
#: known by their position take no longer, in half the memory, and the order is not bounded.
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
    """Count spectra of orders 1..order, exactly, from one sorted pass.

    Args:
        order: N, at least 1; there is no upper bound.
        memory: what icfast may allocate, such as ``"4GiB"``; the default is half of what is
            available. Smaller caps read the corpus more often; the result is the same integers.
        temporary: a folder; where a cap would mean many readings, keys go into one file there
            instead (8 bytes a token and 64 bits of history), which is gone afterwards.
        threads: how many; the default is every core.
        backend: auto, core, numba or cuda.

    Returns:
        ``spectra[n]`` is the :class:`Spectrum` of order n: windows inside documents.

    Raises:
        CorpusError: an id is outside the vocabulary, or a document is empty.
        ResourceError: the memory cap is too small, or the temporary folder too full.
        OptionError: an argument has no meaning.

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
    """Say what counting will take: the ids are listed and passes planned, nothing is counted.

    Args:
        table: with a table written, as :func:`icfast.count` does.
        convention: tokens or kenlm, as in :func:`icfast.count`.
        memory, temporary, threads, backend: as in :func:`spectra`.

    Raises:
        CorpusError, ResourceError, OptionError: as counting itself would.

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
        limits = None if table else _positions(documents, symbols, order, work)
        if limits is not None:
            return position_cost(documents, symbols, order, limits, work)
        keys = symbols.of_order(order)
        return _planned(documents, keys, work, pool, "kept" if table else "none").forecast.cost


def spectra_of(documents: DocumentSet, order: int, work: Work) -> Spectra:
    """Spectra of chosen documents."""
    with work.pool() as pool:
        symbols = list_symbols(documents, 1, work, pool)
        limits = _positions(documents, symbols, order, work)
        if limits is not None:
            if work.announce is not None:
                work.announce(position_cost(documents, symbols, order, limits, work))
            return spectra_by_position(documents, symbols, order, limits, work, pool)
        count = _planned(documents, symbols.of_order(order), work, pool)
        return count.spectra(keep=_nothing, take=_drop)


def _positions(
    documents: DocumentSet, symbols: Symbols, order: int, work: Work
) -> PositionBudget | None:
    """How memory is shared out where windows are counted by position; None for packed keys."""
    if (order - 1) * symbols.shape.bits <= _KEY_BITS:
        return None
    limits = position_budget(documents, symbols, order, work)
    # Below that cap keys need more passes, but less at a time.
    if not limits.suffices and can_pack(order, len(symbols.ids)):
        return None
    limits.check(documents, symbols, order)
    return limits


def _nothing(run: SortedRun) -> None:
    """Keep nothing of a run beyond its spectra."""


def _drop(kept: None) -> None:
    """Nothing was kept."""


@dataclass(frozen=True)
class Counting:
    """A counting pass that is planned and ready to run."""

    documents: DocumentSet
    symbols: Symbols
    ends: Ends
    sorter: Sorter
    forecast: Forecast

    def spectra(self, keep: Callable[[SortedRun], Kept], take: Callable[[Kept], None]) -> Spectra:
        """Count the spectra; hand keep(run) of every sorted run to `take`, in key order.

        keep is called in the threads and must copy what it returns.
        """
        kernels, shape = self.sorter.work.backend.kernels, self.symbols.shape
        new = partial(SpectraScan, kernels, shape, self.ends)
        total, scans = new(), _ThreadScans(new)

        def consume(group: Group) -> tuple[SortedRun | None, Kept]:
            if not group.whole:
                return group.run, keep(group.run)
            scans.here().add(group.run, flush=True)
            return None, keep(group.run)

        for part, kept in self.sorter.map(consume):
            if part is not None:
                # A lead in several groups has n-grams across their edges: scanned here, in order.
                total.add(part)
            take(kept)
        total.flush()
        for scan in scans.all:
            total.absorb(scan)
        spectra = total.spectra(self.documents.tokens, len(self.documents))
        self_check(spectra, window_totals(self.documents.lengths, shape.order))
        return spectra


class _ThreadScans:
    """One scan for each thread, of all its whole groups."""

    def __init__(self, new: Callable[[], SpectraScan]) -> None:
        self._new = new
        self._here = threading.local()
        self.all: list[SpectraScan] = []

    def here(self) -> SpectraScan:
        """The scan of this thread."""
        if not hasattr(self._here, "scan"):
            self._here.scan = self._new()
            self.all.append(self._here.scan)
        scan: SpectraScan = self._here.scan
        return scan


@contextmanager
def counting(
    documents: DocumentSet, order: int, work: Work, table: Table = "none"
) -> Iterator[Counting]:
    """List the ids, plan the passes, and hold the threads while they run.

    Args:
        table: what becomes of the runs: "none", or a table that is "kept" or "temporary".
    """
    with work.pool() as pool:
        yield _planned(documents, list_symbols(documents, order, work, pool), work, pool, table)


def _planned(
    documents: DocumentSet, symbols: Symbols, work: Work, pool: Pool, table: Table = "none"
) -> Counting:
    limits = budget(documents, symbols, work, table != "none")
    ends = document_ends(documents, symbols, work)
    plan = make_plan(documents, symbols, limits, work, pool)
    forecast = Forecast(documents, symbols, plan, limits, work, table)
    if work.announce is not None:
        work.announce(forecast.cost)
    sorter = Sorter(documents, symbols, plan, limits, work, pool)
    return Counting(documents, symbols, ends, sorter, forecast)
