"""Count tables: folders that hold all windows of a corpus with their counts, and can be merged.

::

    TABLE/table.json    format version, source (conventions, shards and their digests), key shape,
                        totals, SHA-256 of the small files
    TABLE/ids.npy       u32[U], the ids that occur, ascending: rank r is the id ids[r - 1]
    TABLE/ends.run      windows that end a document, as blocks
    TABLE/windows.run   all windows of N symbols, as blocks in key order (see blocks.py)
    TABLE/spectra.npz   the spectra of orders 1..N: <kind>_<n>_multiplicity and _types

icfast writes a table under a temporary name and renames it when it is complete.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import chain
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import KINDS, Ends, SortedRun
from icfast.corpus.source import Source
from icfast.corpus.warnings import end_id_never_occurs
from icfast.errors import ArtefactError
from icfast.files import open_regular
from icfast.ngrams.blocks import list_blocks, open_runs, read_runs
from icfast.ngrams.faults import ids_fault, run_fault
from icfast.ngrams.keys import KeyShape
from icfast.ngrams.manifest import Totals, read_manifest, read_totals
from icfast.ngrams.scan import self_check
from icfast.ngrams.sorted_runs import first_window, last_window, sum_ends
from icfast.ngrams.stored_arrays import StoredArrays, read_array
from icfast.notebook import facts_html
from icfast.parallel.mapped_file import MappedFile
from icfast.sums.spectrum import Spectra, Spectrum
from icfast.sums.stored import stored_as


@dataclass(frozen=True, eq=False)
class CountTable:
    """Count table on disk, read one block at a time.

    Attributes:
        directory: folder of the table.
        source: conventions and shards.
        shape: packing of the keys.
        totals: tokens, documents and windows counted.
        ids: u32[U], the id of each rank.
    """

    directory: Path
    source: Source
    shape: KeyShape
    totals: Totals
    ids: NDArray[np.uint32]

    def __repr__(self) -> str:
        return (
            f"CountTable({str(self.directory)!r}, order={self.order}, tokens={self.totals.tokens}, "
            f"documents={self.totals.documents}, shards={len(self.source.shards)})"
        )

    def _repr_html_(self) -> str:
        source, totals = self.source, self.totals
        facts = {
            "order": str(self.order),
            "tokens": f"{totals.tokens:,}",
            "documents": f"{totals.documents:,}",
            "windows of N tokens": f"{totals.windows[-1]:,}",
            "distinct ids": f"{len(self.ids):,} of {source.vocab_size:,}",
            "convention": source.convention,
            "tokenizer": source.tokenizer or "not recorded",
            "shards": str(len(source.shards)),
            "folder": str(self.directory),
        }
        return facts_html("Count table", facts)

    @property
    def order(self) -> int:
        """N, the number of tokens in a window."""
        return self.shape.order

    @property
    def end_mark(self) -> bool:
        """Whether rank U + 1 is a predicted </s> that follows each document."""
        return self.source.convention == "kenlm"

    @property
    def warnings(self) -> tuple[str, ...]:
        """Messages about what looks unusual but may be right, as an end id that never occurs."""
        eos_id = self.source.eos_id
        # Convention kenlm does not count end ids.
        if eos_id is None or self.end_mark or eos_id in self.ids:
            return ()
        return (end_id_never_occurs(eos_id, str(self.directory)),)

    @classmethod
    def load(cls, directory: str | Path) -> CountTable:
        """Open a table. Its blocks are checked when they are read.

        Raises:
            ArtefactError: the folder is not a table, has another version, or is damaged.
        """
        folder = Path(directory)
        stored = read_manifest(folder)
        try:
            table = cls(
                folder,
                Source.from_json(stored["source"]),
                stored_as(KeyShape, stored["shape"]),
                read_totals(stored["totals"]),
                _load(folder / "ids.npy"),
            )
            table._check()
        except Exception as error:  # numpy raises what its parsers raise, MemoryError too
            raise ArtefactError(f"{folder} is damaged: {error}. Count it again.") from error
        return table

    def _check(self) -> None:
        """Refuse files of a table that contradict each other."""
        source, totals = self.source, self.totals
        fault = ids_fault(self.ids, source.vocab_size)
        if fault is not None:
            raise ValueError(fault)
        if self.shape != KeyShape.of(source.order, len(self.ids)):
            raise ValueError(
                f"{self.shape} does not fit {len(self.ids)} ids at order {source.order}"
            )
        if len(totals.windows) != source.order or totals.windows[0] != totals.tokens:
            raise ValueError(f"its totals {totals} do not fit order {source.order}")

    @cached_property
    def _windows(self) -> MappedFile:
        return open_runs(self.directory / "windows.run")

    @property
    def mapped_files(self) -> tuple[MappedFile, ...]:
        """The file of windows, from which most of the table is read."""
        return (self._windows,)

    def ends(self) -> Ends:
        """Return the windows that end a document."""
        each = [
            Ends(np.repeat(run.leads, np.diff(run.bounds)), run.keys, run.counts)
            for run in self._runs("ends.run")
        ]
        ends = sum_ends(each, self.shape)
        self._check_total("ends.run", int(ends.counts.sum()), self.totals.documents, "documents")
        return ends

    def runs(self) -> Iterator[SortedRun]:
        """Yield all windows in key order, one checked block at a time.

        Raises:
            ArtefactError: a block is damaged, or blocks are missing.
        """
        seen = 0
        for run in self.runs_of(0, 2**32):
            seen += int(run.counts.sum())
            yield run
        self.check_total(seen)

    def runs_of(self, low: int, high: int, sound: set[int] | None = None) -> Iterator[SortedRun]:
        """Yield the windows with a lead in [low, high). The caller checks their number.

        Args:
            sound: positions of blocks whose checksums were verified, as in
                `icfast.ngrams.blocks.read_runs`.

        Raises:
            ArtefactError: a block is damaged.
        """
        return self._runs("windows.run", low, high, sound)

    def _runs(
        self, name: str, low: int = 0, high: int = 2**32, sound: set[int] | None = None
    ) -> Iterator[SortedRun]:
        """Yield the runs of a file in key order, after checking that they hold windows."""
        file = self._windows if name == "windows.run" else open_runs(self.directory / name)
        path, leads = file.path, len(self.ids) + int(self.end_mark)
        last = tuple[int, ...]()
        for run in read_runs(file, self.shape, low, high, sound):
            if not len(run.counts):
                continue
            fault = run_fault(run, self.shape, len(self.ids), leads)
            if fault is None and first_window(run) <= last:
                fault = "its blocks do not ascend"
            if fault is not None:
                raise ArtefactError(f"{path} is damaged: {fault}. Count it again.")
            last = last_window(run)
            yield run

    def blocks(self) -> list[tuple[int, int]]:
        """Return (first lead, entries) of each block.

        Raises:
            ArtefactError: a lead is not a rank.
        """
        found = list_blocks(self._windows, self.shape)
        if any(lead > len(self.ids) + int(self.end_mark) for lead, _ in found):
            raise ArtefactError(
                f"{self._windows.path} is damaged: a lead is not a rank. Count it again."
            )
        return found

    def check_total(self, seen: int) -> None:
        """Refuse a table if the windows read are not as many as its totals.

        Raises:
            ArtefactError: the numbers differ.
        """
        self._check_total("windows.run", seen, self.totals.tokens, "windows")

    def _check_total(self, name: str, seen: int, total: int, what: str) -> None:
        path = self.directory / name
        if seen != total:
            raise ArtefactError(
                f"{path} is truncated or damaged: it holds {seen} {what}, and table.json says "
                f"{total}. Count it again."
            )

    def spectra(self) -> Spectra:
        """Return the spectra of orders 1..N that were stored with the counts."""
        path = self.directory / "spectra.npz"
        try:
            with open_regular(path, ArtefactError) as file:
                stored = StoredArrays(file)
                by_kind = {
                    kind: tuple(
                        Spectrum(
                            stored.read(f"{kind}_{n}_multiplicity", "<u8"),
                            stored.read(f"{kind}_{n}_types", "<u8"),
                        )
                        for n in range(1, self.order + 1)
                    )
                    for kind in KINDS
                }
            for spectrum in chain(*by_kind.values()):
                _check_spectrum(spectrum)
            spectra = Spectra(self.order, self.totals.tokens, self.totals.documents, **by_kind)
            self_check(spectra, self.totals.windows)
        except Exception as error:  # numpy raises what its parsers raise, MemoryError too
            raise ArtefactError(f"{path} is damaged: {error}. Count it again.") from error
        return spectra


def _load(path: Path) -> NDArray[np.uint32]:
    with open_regular(path, ArtefactError) as file:
        return read_array(file, os.fstat(file.fileno()).st_size, "<u4")


def _check_spectrum(spectrum: Spectrum) -> None:
    """Refuse arrays that are not a spectrum."""
    multiplicity, types = spectrum.multiplicity, spectrum.types
    for array in (multiplicity, types):
        if array.dtype != np.dtype("<u8") or array.ndim != 1 or not array.all():
            raise ValueError("a spectrum is not an array of positive u64")
    if len(multiplicity) != len(types) or not np.all(multiplicity[1:] > multiplicity[:-1]):
        raise ValueError("a spectrum does not ascend")
