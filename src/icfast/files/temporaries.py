"""Temporary folders and files without a name, which leave nothing when the process is killed."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from icfast.files.owners import temporary_path
from icfast.files.sweep import sweep


@contextmanager
def scratch_folder(parent: Path, name: str) -> Iterator[Path]:
    """Yield a new folder, and remove it at the end.

    Args:
        parent: folder in which it is made.
        name: what it holds, the first part of its own name.
    """
    folder = temporary_path(parent / name)
    try:
        folder.mkdir(0o700)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def kept_folder(name: str) -> Path:
    """Make a folder in the system's folder for temporary files. The caller removes it."""
    parent = Path(tempfile.gettempdir())
    sweep(parent)
    folder = temporary_path(parent / name)
    folder.mkdir(0o700)
    return folder


def unnamed_file(folder: Path) -> BinaryIO:
    """Open a file that has no name, so that it disappears with the process."""
    flags = os.O_RDWR | os.O_CLOEXEC
    if hasattr(os, "O_TMPFILE"):
        try:
            return os.fdopen(os.open(folder, flags | os.O_TMPFILE, 0o600), "w+b")
        except OSError:
            pass  # the file system has no such files, or the next call explains the error
    path = temporary_path(folder / "unnamed")
    descriptor = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        path.unlink()
    except BaseException:
        os.close(descriptor)
        raise
    return os.fdopen(descriptor, "w+b")
