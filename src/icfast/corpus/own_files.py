"""Recognise what icfast wrote: it is never text, even if a folder of texts contains it."""

from __future__ import annotations

from pathlib import Path

from icfast.corpus.sidecar import SIDECAR_SUFFIXES, sidecar_path

#: First bytes of files that icfast writes: models, count tables, ARPA text.
_MAGICS = (b"ICFMODEL", b"ICFRUN", b"\n\\data\\\n", b"\\data\\\n")

#: Files of a folder of results; result.json names the version of icfast.
_RESULTS = ("result.json", "manifest.json", "report.html", "model.icfast")

_PARQUET = b"PAR1"
#: Columns of the losses of documents, as a Parquet file's footer names them.
_LOSSES = (b"predicted_tokens", b"loss_nats")
_FOOTER_BYTES = 1 << 16


def is_own_folder(folder: Path) -> bool:
    """Return whether a folder is a count table."""
    return (folder / "table.json").is_file() and (folder / "windows.run").is_file()


def is_own_file(path: Path) -> bool:
    """Return whether a file is an output of icfast, or a shard of token ids with its sidecars."""
    return (
        _is_shard(path)
        or (path.suffix in SIDECAR_SUFFIXES and _is_shard(path.with_suffix("")))
        or (path.name in _RESULTS and _is_result(path.with_name(_RESULTS[0])))
        or _has_own_content(path)
    )


def _is_shard(path: Path) -> bool:
    return path.suffix == ".ds" or _fits_index(path, sidecar_path(path, ".index"))


def _fits_index(path: Path, index: Path) -> bool:
    """Return whether the last entry of an index is the number of ids of 1, 2 or 4 bytes."""
    try:
        last = int.from_bytes(_part(index, index.stat().st_size - 8, 8), "little")
        return last > 0 and path.stat().st_size in (last, 2 * last, 4 * last)
    except (OSError, ValueError):
        return False


def _is_result(path: Path) -> bool:
    return b'"icfast_version"' in _part(path, 0, 512)


def _has_own_content(path: Path) -> bool:
    head = _part(path, 0, 8)
    if head.startswith(_PARQUET):
        footer = _part(path, max(0, path.stat().st_size - _FOOTER_BYTES), _FOOTER_BYTES)
        return all(column in footer for column in _LOSSES)
    return head.startswith(_MAGICS)


def _part(path: Path, begin: int, size: int) -> bytes:
    """Return some bytes of a file, or none if it cannot be read."""
    try:
        with path.open("rb") as file:
            file.seek(begin)
            return file.read(size)
    except OSError:
        return b""
