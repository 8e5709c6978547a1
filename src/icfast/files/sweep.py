"""Remove what killed runs left in a folder, and never what a living run writes."""

from __future__ import annotations

import logging
import os
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from icfast.files.owners import Owner, State, process_exists, read_name
from icfast.files.publish import discard, settle
from icfast.units import format_bytes

_LOG = logging.getLogger("icfast")

#: Names of temporaries of version 0.1.0. They name no host, and folders name no process.
_FILE_0_1 = re.compile(r"\..+\.(?P<pid>\d{1,10})-[0-9a-f]{8}\.partial", re.ASCII | re.DOTALL)
_FOLDER_0_1 = re.compile(r"\.?icfast-[a-z0-9_]{8}", re.ASCII)
#: Everything that such a folder could hold.
_INSIDE_0_1 = ("counts", "model.icfast")
#: Seconds after which such a file is not being written any more.
_IDLE_SECONDS = 86_400
#: Names that a message lists before it counts the rest.
_SHOWN = 5


@dataclass
class _Found:
    """Outcome of a sweep."""

    removed: list[Path] = field(default_factory=list)
    removed_bytes: int = 0
    restored: list[Path] = field(default_factory=list)
    kept: list[Path] = field(default_factory=list)


def sweep(folder: Path) -> None:
    """Remove the temporaries of dead processes from a folder, and log what was done.

    A set of files that a killed run had replaced in part is put back first. Temporaries of living
    processes stay. Those that cannot be judged, because another host or container wrote them, stay
    and are listed.
    """
    found = _Found()
    unsettled = _settle_all(folder, found)
    _sweep(folder, unsettled, found)
    _report(folder, found)


def _names_in(folder: Path) -> list[str]:
    try:
        return sorted(path.name for path in folder.iterdir())
    except OSError:
        return []  # the write that follows explains it


def _settle_all(folder: Path, found: _Found) -> set[Owner]:
    """Undo what dead processes began to replace; return those of which that was not possible."""
    unsettled = set()
    for name in _names_in(folder):
        tag = read_name(name)
        if tag is not None and tag[1] == "journal" and tag[0].state() == "dead":
            restored = settle(folder / name, tag[0])
            if restored is None:
                unsettled.add(tag[0])
            else:
                found.restored += restored
    return unsettled


def _sweep(folder: Path, unsettled: set[Owner], found: _Found) -> None:
    names = _names_in(folder)
    tagged = [(folder / name, tag) for name in names if (tag := read_name(name)) is not None]
    states: dict[Owner, State] = {
        owner: "unknown" if owner in unsettled else owner.state() for _, (owner, _) in tagged
    }
    untagged = ((path, state) for path, state in _of_0_1(folder, names))
    for path, state in [*((path, states[owner]) for path, (owner, _) in tagged), *untagged]:
        if state == "dead":
            _remove(path, found)
        elif state == "unknown":
            found.kept.append(path)


def _remove(path: Path, found: _Found) -> None:
    if not os.path.lexists(path):
        return  # a journal that was settled
    size = sum(inside.lstat().st_size for inside in _tree(path) if not inside.is_dir())
    try:
        discard(path)
    except OSError:
        found.kept.append(path)
        return
    if os.path.lexists(path):
        found.kept.append(path)
    else:
        found.removed.append(path)
        found.removed_bytes += size


def _tree(path: Path) -> Iterator[Path]:
    yield path
    if path.is_dir() and not path.is_symlink():
        yield from path.rglob("*")


def _of_0_1(folder: Path, names: Iterable[str]) -> Iterator[tuple[Path, State]]:
    """Yield the temporaries of version 0.1.0 with their states."""
    alive = False
    folders: list[Path] = []
    for name in names:
        file = _FILE_0_1.fullmatch(name)
        if file is not None:
            writing = process_exists(int(file["pid"]))
            alive = alive or writing
            yield folder / name, "alive" if writing else _idle(folder / name)
        elif _FOLDER_0_1.fullmatch(name) and _is_scratch_0_1(folder / name):
            folders.append(folder / name)
    for path in folders:
        yield path, "alive" if alive else _idle(path)


def _is_scratch_0_1(path: Path) -> bool:
    try:
        inside = [entry.name for entry in path.iterdir()]
    except OSError:
        return False
    return all(name in _INSIDE_0_1 or _FILE_0_1.fullmatch(name) for name in inside)


def _idle(path: Path) -> State:
    """Return "dead" for a file or folder that was not changed for a day, else "unknown"."""
    try:
        changed = max(inside.lstat().st_mtime for inside in _tree(path))
    except OSError:
        return "unknown"
    return "dead" if time.time() - changed > _IDLE_SECONDS else "unknown"


def _report(folder: Path, found: _Found) -> None:
    if found.restored:
        _LOG.warning(
            "%s: a killed run had begun to replace %s; the older files were put back",
            folder,
            _names(found.restored),
        )
    if found.removed:
        _LOG.warning(
            "%s: removed what killed runs left: %s (%s)",
            folder,
            _names(found.removed),
            format_bytes(found.removed_bytes),
        )
    if found.kept:
        _LOG.warning(
            "%s: left %s, because the process that wrote it may live on another host or in "
            "another container; remove it if that run has ended",
            folder,
            _names(found.kept),
        )


def _names(paths: list[Path]) -> str:
    shown = ", ".join(path.name for path in paths[:_SHOWN])
    more = len(paths) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown
