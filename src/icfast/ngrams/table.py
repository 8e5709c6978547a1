"""Count tables on disk: the mergeable artefact, a folder.

::

    TABLE/table.json    what it is: format version, source (conventions, shards and their digests),
                        key shape, totals, SHA-256 of the small files
    TABLE/ids.npy       u32[U], the ids that occur, ascending: rank r stands for ids[r - 1]
    TABLE/ends.run      windows that end a document, as blocks
    TABLE/windows.run   all windows of N symbols, as blocks in key order (see blocks.py)
    TABLE/spectra.npz   the spectra of orders 1..N: <kind>_<n>_multiplicity and _types

A table is written under a temporary name and renamed when whole.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from itertools import chain
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from icfast.backends.counting import KINDS, Ends, SortedRun
from icfast.corpus.source import Source
from icfast.errors import ArtefactError
from icfast.files import atomic_directory, write_json
from icfast.ngrams.blocks import list_blocks, pack_blocks, read_runs, write_header
from icfast.ngrams.faults import ids_fault, run_fault
from icfast.ngrams.keys import KeyShape
from icfast.ngrams.scan import self_check
from icfast.ngrams.sorted_runs import first_window, last_window, sum_ends
from icfast.sums.spectrum import Spectra, Spectrum
from icfast.sums.stored import checked, stored_as

_FORMAT = "icfast-count-table"
_VERSION = 1
#: Small files, checked whole when a table is opened; windows.run is checked block by block.
_CHECKED_WHOLE = ("ids.npy", "ends.run", "spectra.npz")


@dataclass(frozen=True)
class Totals:
    """What was counted: predicted symbols, documents, and M_n per order."""

    tokens: int
    documents: int
    windows: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class CountTable:
    """A count table on disk, read a block at a time.

    Attributes:
        source: conventions and shards.
        shape: how its windows are packed.
        ids: u32[U], the id of each rank.
        end_mark: whether rank U + 1 is the predicted end of a document.
    """

    directory: Path
    source: Source
    shape: KeyShape
    totals: Totals
    ids: NDArray[np.uint32]

    @property
    def order(self) -> int:
        """N."""
        return self.shape.order

    @property
    def end_mark(self) -> bool:
        """Whether each document was followed by a predicted </s>."""
        return self.source.convention == "kenlm"

    @classmethod
    def load(cls, directory: str | Path) -> CountTable:
        """Open a table; its blocks are checked when they are read.

        Raises:
            ArtefactError: not a table, of another version, or damaged.
        """
        folder = Path(directory)
        stored = _manifest(folder)
        files = stored.get("files")
        for name in _CHECKED_WHOLE:
            if not isinstance(files, dict) or _sha256(folder / name) != files.get(name):
                raise ArtefactError(f"{folder / name} is damaged (checksum); count it again")
        if not (folder / "windows.run").is_file():
            raise _missing(folder / "windows.run")
        try:
            table = cls(
                folder,
                Source.from_json(stored["source"]),
                stored_as(KeyShape, stored["shape"]),
                _totals(stored["totals"]),
                _load(folder / "ids.npy"),
            )
            table._check()
        except Exception as error:  # numpy raises what its parsers raise, MemoryError too
            raise ArtefactError(f"{folder} is damaged: {error}; count it again") from error
        return table

    def _check(self) -> None:
        """Refuse parts that do not fit together."""
        source, totals = self.source, self.totals
        fault = ids_fault(self.ids, source.vocab_size)
        if fault is not None:
            raise ValueError(fault)
        if self.shape != KeyShape.of(source.order, len(self.ids)):
            raise ValueError(f"{self.shape} is not of {len(self.ids)} ids at order {source.order}")
        if len(totals.windows) != source.order or totals.windows[0] != totals.tokens:
            raise ValueError(f"its totals {totals} are not of order {source.order}")

    def ends(self) -> Ends:
        """The windows that end a document."""
        parts = [
            Ends(np.repeat(run.leads, np.diff(run.bounds)), run.keys, run.counts)
            for run in self._runs("ends.run")
        ]
        ends = sum_ends(parts, self.shape)
        self._check_total("ends.run", int(ends.counts.sum()), self.totals.documents, "documents")
        return ends

    def runs(self) -> Iterator[SortedRun]:
        """All windows in key order, a block at a time, each checked.

        Raises:
            ArtefactError: a block is damaged, or blocks are missing.
        """
        seen = 0
        for run in self.runs_of(0, 2**32):
            seen += int(run.counts.sum())
            yield run
        self.check_total(seen)

    def runs_of(self, low: int, high: int, sound: set[int] | None = None) -> Iterator[SortedRun]:
        """The windows whose lead lies in [low, high); their number is the caller's to check.

        Args:
            sound: as :func:`icfast.ngrams.blocks.read_runs` has it, for reading range by range.

        Raises:
            ArtefactError: a block is damaged.
        """
        return self._runs("windows.run", low, high, sound)

    def _runs(
        self, name: str, low: int = 0, high: int = 2**32, sound: set[int] | None = None
    ) -> Iterator[SortedRun]:
        """The runs of one of the files, in key order and nothing but windows."""
        path, leads = self.directory / name, len(self.ids) + int(self.end_mark)
        last = tuple[int, ...]()
        for run in read_runs(path, self.shape, low, high, sound):
            if not len(run.counts):
                continue
            fault = run_fault(run, self.shape, len(self.ids), leads)
            if fault is None and first_window(run) <= last:
                fault = "its blocks do not ascend"
            if fault is not None:
                raise ArtefactError(f"{path} is damaged: {fault}; count it again")
            last = last_window(run)
            yield run

    def blocks(self) -> list[tuple[int, int]]:
        """(first lead, entries) of each block.

        Raises:
            ArtefactError: a lead is no rank.
        """
        path = self.directory / "windows.run"
        found = list_blocks(path, self.shape)
        if any(lead > len(self.ids) + int(self.end_mark) for lead, _ in found):
            raise ArtefactError(f"{path} is damaged: a lead is no rank; count it again")
        return found

    def check_total(self, seen: int) -> None:
        """Refuse a table whose blocks hold another number of windows than it says.

        Raises:
            ArtefactError: they do.
        """
        self._check_total("windows.run", seen, self.totals.tokens, "windows")

    def _check_total(self, name: str, seen: int, total: int, what: str) -> None:
        path = self.directory / name
        if seen != total:
            raise ArtefactError(
                f"{path} holds {seen} {what}, its table says {total}; it is cut off or damaged, "
                "count it again"
            )

    def spectra(self) -> Spectra:
        """The spectra of orders 1..N, as they were counted."""
        try:
            with (
                (self.directory / "spectra.npz").open("rb") as file,
                np.load(file, allow_pickle=False) as stored,
            ):
                if any(member.compress_type for member in stored.zip.infolist()):
                    raise ValueError("it is compressed")
                by_kind = {
                    kind: tuple(
                        Spectrum(stored[f"{kind}_{n}_multiplicity"], stored[f"{kind}_{n}_types"])
                        for n in range(1, self.order + 1)
                    )
                    for kind in KINDS
                }
            for spectrum in chain(*by_kind.values()):
                _check_spectrum(spectrum)
            spectra = Spectra(self.order, self.totals.tokens, self.totals.documents, **by_kind)
            self_check(spectra, self.totals.windows)
        except Exception as error:  # numpy raises what its parsers raise, MemoryError too
            raise ArtefactError(
                f"{self.directory / 'spectra.npz'} is damaged: {error}; count it again"
            ) from error
        return spectra


class TableWriter:
    """Receives the windows of a table in key order."""

    def __init__(self, folder: Path, windows: BinaryIO) -> None:
        self._folder = folder
        self._windows = windows

    def begin(self, shape: KeyShape) -> None:
        """Say how windows are packed, before the first of them."""
        write_header(self._windows, shape)

    def add(self, blocks: Iterable[memoryview]) -> None:
        """Append packed blocks."""
        for block in blocks:
            self._windows.write(block)

    def finish(
        self,
        source: Source,
        shape: KeyShape,
        totals: Totals,
        ids: NDArray[np.uint32],
        ends: Ends,
        spectra: Spectra,
    ) -> None:
        """Write what stands beside the windows, the manifest last."""
        folder = self._folder
        self._windows.flush()
        _save(folder / "ids.npy", ids.astype("<u4", copy=False))
        with (folder / "ends.run").open("wb") as file:
            write_header(file, shape)
            for block in pack_blocks(_as_run(ends)) if len(ends.leads) else []:
                file.write(block)
        arrays = {}
        for kind in KINDS:
            for n, spectrum in enumerate(getattr(spectra, kind), start=1):
                arrays[f"{kind}_{n}_multiplicity"] = spectrum.multiplicity
                arrays[f"{kind}_{n}_types"] = spectrum.types
        np.savez(folder / "spectra.npz", **arrays)
        body = {
            "format": _FORMAT,
            "version": _VERSION,
            "source": source.as_json(),
            "shape": asdict(shape),
            "totals": asdict(totals),
            "files": {name: _sha256(folder / name) for name in _CHECKED_WHOLE},
        }
        write_json(folder / "table.json", {**body, "checksum": _checksum(body)})


def _save(path: Path, array: NDArray[np.uint32]) -> None:
    # np.save to a file of its own loses the errno of a full disk.
    content = io.BytesIO()
    np.save(content, array, allow_pickle=False)
    path.write_bytes(content.getvalue())


def _load(path: Path) -> NDArray[np.uint32]:
    # Opened here: numpy leaves a file open that it takes for something else.
    with path.open("rb") as file:
        ids: NDArray[np.uint32] = np.load(file, allow_pickle=False)
        return ids


def _as_run(ends: Ends) -> SortedRun:
    leads, first = np.unique(ends.leads, return_index=True)
    return SortedRun(
        leads, np.append(first, len(ends.leads)).astype(np.int64), ends.keys, ends.counts
    )


@contextmanager
def write_table(directory: Path) -> Iterator[TableWriter]:
    """A new table under a temporary name, renamed when the body ends well.

    Entered before the work, so that what keeps it from being written is met first.

    Raises:
        OptionError: the folder exists already, or can't be made.
        ResourceError: the disk is full.
    """
    with (
        atomic_directory(directory) as folder,
        (folder / "windows.run").open("wb") as windows,
    ):
        yield TableWriter(folder, windows)


def _totals(stored: dict[str, Any]) -> Totals:
    windows = tuple(checked(total, "int", "windows") for total in stored["windows"])
    return stored_as(Totals, stored, windows=windows)


def _check_spectrum(spectrum: Spectrum) -> None:
    """Refuse arrays that are no spectrum."""
    multiplicity, types = spectrum.multiplicity, spectrum.types
    for array in (multiplicity, types):
        if array.dtype != np.dtype("<u8") or array.ndim != 1 or not array.all():
            raise ValueError("a spectrum is not of positive u64")
    if len(multiplicity) != len(types) or not np.all(multiplicity[1:] > multiplicity[:-1]):
        raise ValueError("a spectrum does not ascend")


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "table.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtefactError(
            f"{folder} is not a count table: {path.name} can't be read ({error.strerror})"
        ) from error
    except (ValueError, RecursionError) as error:
        raise ArtefactError(f"{path} is damaged: {error}; count it again") from error
    if not isinstance(stored, dict) or stored.get("format") != _FORMAT:
        raise ArtefactError(f"{path} does not describe a count table")
    if stored.get("version") != _VERSION:
        raise ArtefactError(
            f"{folder} is a count table of version {stored.get('version')}, "
            f"this icfast reads version {_VERSION}"
        )
    if stored.pop("checksum", None) != _checksum(stored):
        raise ArtefactError(f"{path} is damaged (checksum); count it again")
    return stored


def _checksum(body: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise ArtefactError(f"{path} can't be read: {error.strerror}; count it again") from error


def _missing(path: Path) -> ArtefactError:
    return ArtefactError(f"{path} is missing; the table is incomplete, count it again")
