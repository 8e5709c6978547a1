"""Count tables of a corpus, and the merge of tables."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from icfast.corpus import Corpus
from icfast.corpus.documents import DocumentSet, all_documents
from icfast.errors import ResourceError
from icfast.ngrams.blocks import pack_blocks
from icfast.ngrams.cost import Table, key_cost, most_table_bytes
from icfast.ngrams.manifest import Totals
from icfast.ngrams.merge import merge_tables
from icfast.ngrams.scan import window_totals
from icfast.ngrams.spectra import counting
from icfast.ngrams.table import CountTable
from icfast.ngrams.table_writer import write_table
from icfast.ngrams.windows import WindowCount
from icfast.parallel.mapped_file import unchanged
from icfast.parallel.progress import Progress, silent
from icfast.parallel.threads import Work
from icfast.units import format_bytes


def count(
    corpus: Corpus,
    output: str | Path,
    order: int = 5,
    *,
    convention: str = "tokens",
    overwrite: bool = False,
    memory: str | int | None = None,
    temporary: str | Path | None = None,
    threads: int | None = None,
    backend: str = "auto",
    progress: Progress = silent,
) -> CountTable:
    """Count all windows of `order` tokens and write them to a count table.

    Args:
        output: folder of the new table, which appears when it is complete.
        order: N, 1 to 64. N - 1 packed ids must fit 256 bits.
        convention: "tokens" (an end id is a token) or "kenlm" (an end id becomes </s>).
        overwrite: whether to replace a count table that icfast wrote there.
        memory, temporary, threads, backend, progress: as in :func:`icfast.spectra`.

    Raises:
        CorpusError: an id is outside the vocabulary, or a document is empty.
        OptionError: the folder exists, or an argument is invalid.
        OutputError: the folder is or holds an input, or holds other files than a table.
        ResourceError: the memory or the disk is too small. No partial table is left.
        BackendError: the backend is not available.

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
    documents = all_documents(corpus, convention)
    return count_documents(documents, Path(output), order, work, overwrite=overwrite)


def count_documents(
    documents: DocumentSet,
    output: Path,
    order: int,
    work: Work,
    table: Table = "kept",
    overwrite: bool = False,
) -> CountTable:
    """Write the count table of chosen documents.

    Args:
        table: "temporary" if the caller removes the table after use.
        overwrite: whether to replace a count table that icfast wrote there.
    """
    with (
        write_table(output, documents.corpus.files, overwrite) as writer,
        unchanged(documents.mapped_files),
        counting(documents, order, work, table) as planned,
    ):
        _check_disk(planned, table, output.parent)
        symbols = planned.symbols
        totals = Totals(
            documents.tokens,
            len(documents),
            tuple(window_totals(documents.lengths, order)),
        )
        writer.begin(symbols.shape)
        spectra = planned.spectra(keep=pack_blocks, take=writer.add)
        writer.finish(
            documents.source(order), symbols.shape, totals, symbols.ids, planned.ends, spectra
        )
    return CountTable.load(output)


def _check_disk(planned: WindowCount, table: Table, folder: Path) -> None:
    """Refuse a table that is larger than the free space of its disk.

    Raises:
        ResourceError: the disk has less free space than the table needs.
    """
    free = shutil.disk_usage(folder).free
    # No sample is needed if the table fits even with all windows distinct.
    if most_table_bytes(planned) <= free:
        return
    table_bytes = key_cost(planned, table).table_bytes
    if table_bytes > free:
        raise ResourceError(
            f"{folder} has too little space for the count table: it takes about "
            f"{format_bytes(table_bytes)}, and {format_bytes(free)} are free. Free some space or "
            "choose another folder; nothing was written."
        )


def merge(
    tables: Sequence[CountTable],
    output: str | Path,
    *,
    overwrite: bool = False,
    threads: int | None = None,
    backend: str = "auto",
) -> CountTable:
    """Merge count tables of disjoint shards into the table of all their shards.

    The result equals the table of one count over all shards. Each thread holds about a million
    entries at a time, and one block of each table.

    Args:
        tables: at least one table.
        output: folder of the new table.
        overwrite: whether to replace a count table that icfast wrote there.
        threads, backend: as in :func:`icfast.spectra`.

    Raises:
        MergeError: the tables differ in order, tokenizer or a convention, or share a shard.
        ArtefactError: a table is damaged.
        OptionError: the folder exists, or the merged ids make keys too long for the order.
        OutputError: the folder is one of the tables, or is in one, or holds other files.
    """
    work = Work.of(backend, threads)
    with work.pool() as pool:
        kernels = work.backend.kernels
        return merge_tables(tables, Path(output), kernels, pool.map, overwrite)
