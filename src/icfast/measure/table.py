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
import zipfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from icfast.errors import ArtefactError
from icfast.files import atomic_directory, write_json
from icfast.kernels.contract import KINDS, Ends, Run
from icfast.measure.blocks import list_blocks, pack_blocks, read_runs, write_header
from icfast.measure.runs import KeyShape, sum_ends
from icfast.measure.source import Source
from icfast.measure.spectrum import Spectra, Spectrum

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
        for name in _CHECKED_WHOLE:
            if _sha256(folder / name) != stored["files"].get(name):
                raise ArtefactError(f"{folder / name} is damaged (checksum); count it again")
        if not (folder / "windows.run").is_file():
            raise _missing(folder / "windows.run")
        try:
            table = cls(
                folder,
                Source.from_json(stored["source"]),
                KeyShape(**stored["shape"]),
                Totals(**{**stored["totals"], "windows": tuple(stored["totals"]["windows"])}),
                np.load(folder / "ids.npy", allow_pickle=False),
            )
        except (KeyError, TypeError, ValueError, OSError) as error:
            raise ArtefactError(f"{folder} is damaged: {error}; count it again") from error
        return table

    def ends(self) -> Ends:
        """The windows that end a document."""
        parts = [
            Ends(np.repeat(run.leads, np.diff(run.bounds)), run.keys, run.counts)
            for run in read_runs(self.directory / "ends.run", self.shape)
        ]
        return sum_ends(parts, self.shape)

    def runs(self) -> Iterator[Run]:
        """All windows in key order, a block at a time, each checked.

        Raises:
            ArtefactError: a block is damaged, or blocks are missing.
        """
        seen = 0
        for run in self.runs_of(0, 2**32):
            seen += int(run.counts.sum())
            yield run
        self.check_total(seen)

    def runs_of(self, low: int, high: int) -> Iterator[Run]:
        """The windows whose lead lies in [low, high); their number is the caller's to check.

        Raises:
            ArtefactError: a block is damaged.
        """
        return read_runs(self.directory / "windows.run", self.shape, low, high)

    def blocks(self) -> list[tuple[int, int]]:
        """(first lead, entries) of each block."""
        return list_blocks(self.directory / "windows.run", self.shape)

    def check_total(self, seen: int) -> None:
        """Refuse a table whose blocks hold another number of windows than it says.

        Raises:
            ArtefactError: they do.
        """
        if seen != self.totals.tokens:
            raise ArtefactError(
                f"{self.directory / 'windows.run'} holds {seen} windows, its table says "
                f"{self.totals.tokens}; it is cut off or damaged, count it again"
            )

    def spectra(self) -> Spectra:
        """The spectra of orders 1..N, as they were counted."""
        try:
            with (
                (self.directory / "spectra.npz").open("rb") as file,
                np.load(file, allow_pickle=False) as stored,
            ):
                by_kind = {
                    kind: tuple(
                        Spectrum(stored[f"{kind}_{n}_multiplicity"], stored[f"{kind}_{n}_types"])
                        for n in range(1, self.order + 1)
                    )
                    for kind in KINDS
                }
        except (KeyError, ValueError, EOFError, OSError, zipfile.BadZipFile) as error:
            raise ArtefactError(
                f"{self.directory / 'spectra.npz'} is damaged: {error}; count it again"
            ) from error
        totals = self.totals
        return Spectra(self.order, totals.tokens, totals.documents, **by_kind)


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


def _as_run(ends: Ends) -> Run:
    leads, first = np.unique(ends.leads, return_index=True)
    return Run(leads, np.append(first, len(ends.leads)).astype(np.int64), ends.keys, ends.counts)


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


def _manifest(folder: Path) -> dict[str, Any]:
    path = folder / "table.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ArtefactError(
            f"{folder} is not a count table: {path.name} can't be read ({error.strerror})"
        ) from error
    except ValueError as error:
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


def _missing(path: Path) -> ArtefactError:
    return ArtefactError(f"{path} is missing; the table is incomplete, count it again")
