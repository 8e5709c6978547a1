"""List the text files of files and folders: which are read, and which are left out and why.

The rules are those of shards: no hidden files, no file twice, and never a file that icfast wrote.
Nothing is left out without being counted.
"""

from __future__ import annotations

import glob
import os
import stat
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from icfast.corpus.own_files import is_own_file, is_own_folder
from icfast.errors import CorpusError
from icfast.files import require_regular

#: Reasons to leave a path out, and how messages name them.
REASONS = {
    "hidden": "hidden files and folders",
    "repeated": "files and folders that are in the list twice, also by another name or link",
    "own": "files and folders that icfast wrote or that this command uses",
    "unreadable": "paths that are no regular files, such as broken links and pipes",
}

#: Paths of one reason that a message names before it counts the rest.
_NAMED = 3


@dataclass
class TextFiles:
    """The text files to read, and what was left out.

    Attributes:
        files: the files in their order.
        left_out: the paths that were left out, by reason.
    """

    files: list[Path] = field(default_factory=list)
    left_out: dict[str, list[Path]] = field(default_factory=lambda: {name: [] for name in REASONS})

    def counts(self) -> dict[str, int]:
        """Return the number of paths that were left out, by reason."""
        return {reason: len(paths) for reason, paths in self.left_out.items()}

    def messages(self) -> list[str]:
        """Return one sentence for each reason to leave paths out."""
        return [
            f"left out: {len(paths)} {REASONS[reason]} ({_names(paths)})"
            for reason, paths in self.left_out.items()
            if paths
        ]


def _names(paths: list[Path]) -> str:
    more = len(paths) - _NAMED
    return ", ".join(map(str, paths[:_NAMED])) + (f" and {more} more" if more > 0 else "")


def text_files(
    paths: Iterable[Path], outputs: Collection[Path] = (), used: Collection[Path] = ()
) -> TextFiles:
    """Return the files of a list of files, folders and quoted patterns.

    A folder means all files in it and in its subfolders, sorted. Links to folders are followed.
    Hidden files are left out of folders, but may be named.

    Args:
        paths: files, folders and patterns.
        outputs: files that the command is about to write, which a folder may contain.
        used: files that the command reads for another purpose, such as the tokenizer.

    Raises:
        CorpusError: a path does not exist or is not a regular file, there is no file to read, or a
            named file is about to be overwritten.
    """
    listing = _Listing({_identity(path) for path in (*outputs, *used) if path.exists()})
    written = {os.path.realpath(path) for path in outputs}
    for path in _expanded(paths):
        if os.path.realpath(path) in written:
            raise CorpusError(
                f"{path} is named as a text and would be overwritten by the output. "
                "Choose another output."
            )
        listing.add_named(path)
    found = listing.found
    if not found.files:
        raise _no_file(found)
    return found


def _no_file(found: TextFiles) -> CorpusError:
    said = found.messages()
    if not said:
        return CorpusError("no text was given. Name files or folders.")
    return CorpusError(f"no text file is left to read. {'; '.join(said)}. Name other files.")


def _expanded(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if not os.path.lexists(path) and glob.has_magic(str(path)):
            # Path.glob takes no absolute pattern.
            names = sorted(glob.glob(str(path), recursive=True))  # noqa: PTH207
            if not names:
                raise CorpusError(f"{path} matches no file. Check the pattern.")
            yield from map(Path, names)
        else:
            yield path


def _identity(path: Path) -> tuple[int, int, str]:
    """Return what two names of one file or folder have in common."""
    status = path.stat()
    # Some file systems have no inode numbers.
    return status.st_dev, status.st_ino, "" if status.st_ino else os.path.realpath(path)


class _Listing:
    def __init__(self, used: set[tuple[int, int, str]]) -> None:
        self.found = TextFiles()
        self._used = used
        self._seen: set[tuple[int, int, str]] = set()

    def add_named(self, path: Path) -> None:
        try:
            if path.is_dir():
                self._add_named_folder(path)
                return
            require_regular(path, CorpusError)
        except FileNotFoundError:
            raise CorpusError(
                f"{path} is neither a text file nor a folder with files. Check the path."
            ) from None
        except OSError as error:
            raise CorpusError(
                f"cannot read {path}: {error.strerror}. Check the path and its permissions."
            ) from error
        self._add_file(path)

    def _add_named_folder(self, folder: Path) -> None:
        files, counts = self.found.files, self.found.counts()
        before = len(files)
        self._add_folder(folder)
        files[before:] = sorted(files[before:])
        if len(files) == before and self.found.counts() == counts:
            raise CorpusError(
                f"{folder} is neither a text file nor a folder with files. Check the path."
            )

    def _add_folder(self, folder: Path) -> None:
        if self._is_repeated(folder):
            return
        if is_own_folder(folder):
            self.found.left_out["own"].append(folder)
            return
        files, folders = [], []
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                self.found.left_out["hidden"].append(path)
                continue
            try:
                mode = path.stat().st_mode
            except OSError:
                mode = 0
            if stat.S_ISDIR(mode):
                folders.append(path)
            elif stat.S_ISREG(mode):
                files.append(path)
            else:
                self.found.left_out["unreadable"].append(path)
        for path in files:
            self._add_file(path)
        # A folder comes before links to it, so that its files keep their own names.
        for path in sorted(folders, key=lambda one: (one.is_symlink(), one)):
            self._add_folder(path)

    def _add_file(self, path: Path) -> None:
        if _identity(path) in self._used or is_own_file(path):
            self.found.left_out["own"].append(path)
        elif not self._is_repeated(path):
            self.found.files.append(path)

    def _is_repeated(self, path: Path) -> bool:
        identity = _identity(path)
        if identity in self._seen:
            self.found.left_out["repeated"].append(path)
            return True
        self._seen.add(identity)
        return False
