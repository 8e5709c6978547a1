"""The manifest of a count table: table.json, with the checksums of the small files."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from icfast.corpus.source import Source
from icfast.errors import ArtefactError
from icfast.files import open_regular, read_regular, require_regular, write_json
from icfast.ngrams.keys import KeyShape
from icfast.sums.stored import checked, stored_as

_FORMAT = "icfast-count-table"
_VERSION = 1
#: Maximum size of table.json: the records of more than a million shards.
_MOST_BYTES = 256 << 20
#: Small files, checked when a table is opened; windows.run is checked block by block.
_CHECKED_WHOLE = ("ids.npy", "ends.run", "spectra.npz")
#: Names of all files of a table.
_FILES = ("table.json", "windows.run", *_CHECKED_WHOLE)


@dataclass(frozen=True)
class Totals:
    """Totals of a count: predicted symbols, documents, and windows M_n of each order n = 1..N."""

    tokens: int
    documents: int
    windows: tuple[int, ...]


def is_table(folder: Path) -> bool:
    """Return whether a folder is a count table and holds nothing else."""
    if any(path.name not in _FILES for path in folder.iterdir()):
        return False
    stored = json.loads((folder / "table.json").read_text(encoding="utf-8"))
    return isinstance(stored, dict) and stored.get("format") == _FORMAT


def write_manifest(folder: Path, source: Source, shape: KeyShape, totals: Totals) -> None:
    """Write the manifest of a table whose other files are complete."""
    body = {
        "format": _FORMAT,
        "version": _VERSION,
        "source": source.as_json(),
        "shape": asdict(shape),
        "totals": asdict(totals),
        "files": {name: _sha256(folder / name) for name in _CHECKED_WHOLE},
    }
    write_json(folder / "table.json", {**body, "checksum": checksum(body)})


def read_manifest(folder: Path) -> dict[str, Any]:
    """Return the manifest of a table after checking it and the small files.

    Raises:
        ArtefactError: the folder is not a table, has another version, or is damaged.
    """
    path = folder / "table.json"
    try:
        stored = json.loads(read_regular(path, ArtefactError, _MOST_BYTES))
    except OSError as error:
        raise ArtefactError(
            f"{folder} is not a count table: {path.name} cannot be read ({error.strerror}). Name a "
            "folder that `icfast count` or `icfast merge` wrote."
        ) from error
    except (ValueError, RecursionError) as error:
        raise ArtefactError(f"{path} is damaged: {error}. Count it again.") from error
    if not isinstance(stored, dict) or stored.get("format") != _FORMAT:
        raise ArtefactError(
            f"{path} does not describe a count table. Name a folder that `icfast count` wrote."
        )
    if stored.get("version") != _VERSION:
        raise ArtefactError(
            f"{folder} is a count table of version {stored.get('version')}, and this icfast reads "
            f"version {_VERSION}. Count it again."
        )
    if stored.pop("checksum", None) != checksum(stored):
        raise ArtefactError(f"{path} is damaged (checksum). Count it again.")
    files = stored.get("files")
    for name in _CHECKED_WHOLE:
        if not isinstance(files, dict) or _sha256(folder / name) != files.get(name):
            raise ArtefactError(f"{folder / name} is damaged (checksum). Count it again.")
    if not (folder / "windows.run").exists():
        raise _missing(folder / "windows.run")
    require_regular(folder / "windows.run", ArtefactError)
    return stored


def read_totals(stored: dict[str, Any]) -> Totals:
    """Return the totals in a manifest.

    Raises:
        KeyError, TypeError, ValueError: the manifest has another form.
    """
    windows = tuple(checked(total, "int", "windows") for total in stored["windows"])
    return stored_as(Totals, stored, windows=windows)


def checksum(body: dict[str, Any]) -> str:
    """Return the SHA-256 of a manifest without its own checksum."""
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    try:
        with open_regular(path, ArtefactError) as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise _missing(path) from None
    except OSError as error:
        raise ArtefactError(f"{path} cannot be read: {error.strerror}. Count it again.") from error


def _missing(path: Path) -> ArtefactError:
    return ArtefactError(f"{path} is missing: the table is incomplete. Count it again.")
