"""Publish files under their final names: one by a rename, a set so that no reader sees a mixture.

Files of a set that exist are moved aside, the last one first. Then the new ones are renamed, the
last one last. So a reader that needs the last file sees the old set, the new set, or no set.

A journal lists these moves while they happen. If the process is killed, the next run that writes to
the folder reads the journal and moves everything back. Removing the journal completes the set.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from icfast.files.owners import Owner, read_name, temporary_path


@dataclass(frozen=True)
class Move:
    """Replacement of one file or folder.

    Attributes:
        final: absolute path.
        temporary: the new file, or None if the old one is only removed.
        old: path to which an existing one is moved aside.
        identity: device and inode of the new file.
    """

    final: Path
    temporary: Path | None
    old: Path
    identity: tuple[int, int] | None

    @classmethod
    def of(cls, temporary: Path | None, final: Path) -> Move:
        """Return the move of a temporary to its final name."""
        return cls(final, temporary, temporary_path(final, "old"), _identity(temporary))

    def aside(self) -> None:
        """Move what exists aside."""
        if os.path.lexists(self.final):
            self.final.rename(self.old)

    def into_place(self) -> None:
        """Give the new file its final name."""
        if self.temporary is not None:
            self.temporary.rename(self.final)

    @property
    def in_place(self) -> bool:
        """Whether something has the final name since the new file was renamed."""
        renamed = self.temporary is not None and not os.path.lexists(self.temporary)
        return renamed and os.path.lexists(self.final)


def publish(pairs: Sequence[tuple[Path | None, Path]]) -> None:
    """Rename temporaries to their final names, all or none.

    Args:
        pairs: each temporary with its absolute final path. None removes the final one.
    """
    moves = [Move.of(temporary, final) for temporary, final in pairs]
    for temporary, _ in pairs:
        if temporary is not None:
            _fsync_tree(temporary)
    (temporary, final), *others = pairs
    if others or temporary is None or (temporary.is_dir() and os.path.lexists(final)):
        _replace_together(moves)
    else:
        temporary.replace(final)
        fsync(final.parent)


def _replace_together(moves: Sequence[Move]) -> None:
    folders = sorted({move.final.parent for move in moves})
    journals = [temporary_path(folder / "set", "journal") for folder in folders]
    try:
        _write_journals(journals, moves)
        for move in reversed(moves):
            move.aside()
        for move in moves:
            move.into_place()
        for folder in folders:
            fsync(folder)
        journals[0].unlink()  # the set is complete
    except BaseException:
        roll_back(moves)
        for journal in journals:
            journal.unlink(missing_ok=True)
        raise
    for journal in journals[1:]:
        journal.unlink(missing_ok=True)
    for move in moves:
        discard(move.old)


def roll_back(moves: Sequence[Move]) -> bool:
    """Undo the moves that happened. Return False, and do nothing, if another file is in the way."""
    for move in moves:
        if move.in_place and _identity(move.final) != move.identity:
            return False
    for move in reversed(moves):  # the last first, as in publishing
        if move.in_place and move.temporary is not None:
            move.final.rename(move.temporary)
    for move in moves:
        if os.path.lexists(move.old) and not os.path.lexists(move.final):
            move.old.rename(move.final)
    return True


def settle(journal: Path, owner: Owner) -> tuple[Path, ...] | None:
    """Complete or undo the moves that a dead process listed in a journal, and remove the journal.

    Returns:
        The final paths of which an older file was put back; None if the journal was left because
        another user wrote it or another file is in the way.
    """
    try:
        if journal.lstat().st_uid != os.geteuid():
            return None
        content = json.loads(journal.read_bytes())
        journals = [Path(path) for path in content["journals"]]
        moves = [_move(entry, owner) for entry in content["moves"]]
    except FileNotFoundError:
        return ()
    except (ValueError, LookupError, TypeError):
        journal.unlink(missing_ok=True)  # it is incomplete, so nothing was moved yet
        return ()
    restored: tuple[Path, ...] = ()
    if os.path.lexists(journals[0]):
        restored = tuple(move.final for move in moves if os.path.lexists(move.old))
        if not roll_back(moves):
            return None
    for path in (*journals[1:], journals[0]):
        if read_name(path.name) == (owner, "journal"):
            path.unlink(missing_ok=True)
    return restored


def discard(path: Path) -> None:
    """Remove a file or a folder, if it exists."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        with suppress(FileNotFoundError):
            path.unlink()


def fsync(path: Path) -> None:
    """Wait until a file or folder is on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _fsync_tree(path: Path) -> None:
    for inside in path.rglob("*") if path.is_dir() else ():
        if not inside.is_symlink():
            fsync(inside)
    fsync(path)


def _identity(path: Path | None) -> tuple[int, int] | None:
    if path is None:
        return None
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _write_journals(journals: Sequence[Path], moves: Sequence[Move]) -> None:
    content = json.dumps(
        {
            "journals": [os.fspath(path) for path in journals],
            "moves": [
                {
                    "final": os.fspath(move.final),
                    "temporary": None if move.temporary is None else os.fspath(move.temporary),
                    "old": os.fspath(move.old),
                    "identity": move.identity,
                }
                for move in moves
            ],
        }
    )
    for journal in journals:
        with journal.open("x", encoding="ascii") as file:
            file.write(content)
        fsync(journal)
        fsync(journal.parent)


def _move(entry: dict[str, Any], owner: Owner) -> Move:
    """Read a move back, and refuse one that is not among temporaries of the journal's owner.

    Raises:
        ValueError, KeyError, TypeError: the entry has another form.
    """
    final, old = Path(entry["final"]), Path(entry["old"])
    temporary = None if entry["temporary"] is None else Path(entry["temporary"])
    identity = None if entry["identity"] is None else tuple(entry["identity"])
    if temporary is not None and read_name(temporary.name) != (owner, "partial"):
        raise ValueError(f"{temporary} is not a temporary of this process")
    if read_name(old.name) != (owner, "old") or old.parent != final.parent:
        raise ValueError(f"{old} is not a temporary of this process")
    return Move(final, temporary, old, identity)
