"""Count tables of a corpus, and their sum."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from icfast.corpus import Corpus
from icfast.corpus.documents import DocumentSet, all_documents
from icfast.errors import ResourceError
from icfast.ngrams.blocks import pack_blocks
from icfast.ngrams.cost import Forecast, Table
from icfast.ngrams.merge import merge_tables
from icfast.ngrams.scan import window_totals
from icfast.ngrams.spectra import counting
from icfast.ngrams.table import CountTable, Totals, write_table
from icfast.parallel.progress import Progress, silent
from icfast.parallel.threads import Work
from icfast.units import format_bytes


def count(
    corpus: Corpus,
    directory: str | Path,
    order: int = 5,
    *,
    convention: str = "tokens",
    memory: str | int | None = None,
    temporary: str | Path | None = None,
    threads: int | None = None,
    backend: str = "auto",
    progress: Progress = silent,
) -> CountTable:
    """Write the table of all windows of `order` tokens of a corpus.

    Args:
        directory: the table, a new folder; it appears only when whole.
        convention: tokens (an end id is a token) or kenlm (it becomes </s>).
        memory, temporary, threads, backend: as in :func:`icfast.spectra`.

    Raises:
        CorpusError: an id is outside the vocabulary, or a document is empty.
        OptionError: the folder exists already, or an argument has no meaning.
        ResourceError: memory or disk do not suffice; nothing is left behind.

    >>> import tempfile
    >>> import icfast
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "abracadabra.bin"
    ...     _ = path.write_bytes(b"abracadabra")
    ...     corpus = icfast.open(path, dtype="u1", vocab_size=256)
    ...     table = icfast.count(corpus, Path(folder) / "table", order=2)
    >>> table.totals
    Totals(tokens=11, documents=1, windows=(11, 10))
    """
    work = Work.of(backend, threads, memory, progress, temporary=temporary)
    return count_documents(all_documents(corpus, convention), Path(directory), order, work)


def count_documents(
    documents: DocumentSet, directory: Path, order: int, work: Work, table: Table = "kept"
) -> CountTable:
    """Write the table of chosen documents, to keep it or for a while."""
    with (
        write_table(directory) as writer,
        counting(documents, order, work, table) as task,
    ):
        _check_disk(task.forecast, directory.parent)
        symbols = task.symbols
        totals = Totals(
            documents.tokens,
            len(documents),
            tuple(window_totals(documents.lengths, order)),
        )
        writer.begin(symbols.shape)
        spectra = task.spectra(keep=pack_blocks, take=writer.add)
        writer.finish(
            documents.source(order), symbols.shape, totals, symbols.ids, task.ends, spectra
        )
    return CountTable.load(directory)


def _check_disk(forecast: Forecast, folder: Path) -> None:
    """Refuse a table that its disk can't hold.

    Raises:
        ResourceError: less is free than the table takes.
    """
    free = shutil.disk_usage(folder).free
    # Where even distinct windows throughout would fit, nothing needs to be tried.
    if forecast.most_table_bytes <= free or forecast.cost.table_bytes <= free:
        return
    raise ResourceError(
        f"cannot write a count table to {folder}: it takes about "
        f"{format_bytes(forecast.cost.table_bytes)}, and {format_bytes(free)} are free; free some "
        "space or choose another folder (nothing was written)"
    )


def merge(
    tables: Sequence[CountTable],
    directory: str | Path,
    *,
    threads: int | None = None,
    backend: str = "auto",
) -> CountTable:
    """Add count tables of disjoint shards: exactly the table of all their shards together.

    Each thread holds about a million entries at a time, and a block of each table.

    Raises:
        MergeError: they differ in order, tokenizer or a convention, or share a shard.
        ArtefactError: a table is damaged.
        OptionError: the folder exists already.
    """
    work = Work.of(backend, threads)
    with work.pool() as pool:
        return merge_tables(tables, Path(directory), work.backend.kernels, pool.map)
