"""Atomic writes.

An output gets a temporary name, fsync, a rename, and a clear message on failure. After an error,
Ctrl-C or a full disk no half-written file remains, neither under its final name nor under the
temporary one.
"""

from __future__ import annotations

import errno
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from icfast.errors import OptionError, ResourceError

_FULL = {
    errno.ENOSPC: "the disk is full",
    errno.EDQUOT: "the disk quota is used up",
    errno.EFBIG: "the file exceeds the largest size allowed here",
}
_UNWRITABLE = {
    errno.EACCES: "its folder may not be written",
    errno.EPERM: "its folder may not be written",
    errno.EROFS: "its file system is read-only",
    errno.ENOENT: "its folder does not exist",
    errno.ENOTDIR: "its parent is not a folder",
    errno.ENAMETOOLONG: "its name is too long",
}


@contextmanager
def _explained(final: Path, *, writing_only: bool = False) -> Iterator[None]:
    """Explain why `final` cannot be written.

    Args:
        final: the path.
        writing_only: whether to explain only a full disk or quota. Other errors in the caller's
            block may concern a file that it reads.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ResourceError(
                f"cannot write {final}: {_FULL[error.errno]}. "
                "Free some space or choose another folder (nothing was left half-written)."
            ) from error
        if error.errno in _UNWRITABLE and not writing_only:
            raise OptionError(
                f"cannot write {final}: {_UNWRITABLE[error.errno]}. Choose another output path."
            ) from error
        raise


def _temporary_path(final: Path) -> Path:
    return final.with_name(f".{final.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _create(final: Path) -> Path:
    if final.is_dir():
        raise OptionError(f"cannot write {final}: it is a folder. Choose a file name.")
    temporary = _temporary_path(final)
    # Files of the module tempfile are private (0600). Results should follow the umask.
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    return temporary


def _publish(temporaries: Sequence[Path], finals: Sequence[Path]) -> None:
    """Rename in order. If there are several, remove an old last file first: no set is mixed."""
    for temporary in temporaries:
        _fsync(temporary)
    if len(finals) > 1:
        finals[-1].unlink(missing_ok=True)
    published: list[Path] = []
    try:
        for temporary, final in zip(temporaries, finals, strict=True):
            temporary.replace(final)
            published.append(final)
    except BaseException:
        for final in published:
            final.unlink(missing_ok=True)
        raise
    for folder in {final.parent for final in finals}:
        _fsync(folder)


@contextmanager
def atomic_paths(finals: Sequence[Path]) -> Iterator[tuple[Path, ...]]:
    """Yield one empty temporary file per final path, and rename them in order on success.

    A reader that first checks for the last path never sees an incomplete set: an existing last file
    is removed before the first rename, and its replacement is renamed last.

    Raises:
        OptionError: a folder is missing or not writable, or a final path is a folder.
        ResourceError: the disk is full, the quota used up, or a file too large.
    """
    temporaries: list[Path] = []
    try:
        for final in finals:
            with _explained(final):
                temporaries.append(_create(final))
        with _explained(finals[0], writing_only=True):
            yield tuple(temporaries)
        with _explained(finals[0]):
            _publish(temporaries, finals)
    finally:
        for temporary in temporaries:
            temporary.unlink(missing_ok=True)


@contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Yield an empty temporary file in the folder of `final`. On success fsync and rename it.

    Only then an existing `final` is replaced.

    Raises:
        OptionError: the folder is missing or not writable, or `final` is a folder.
        ResourceError: the disk is full, the quota used up, or the file too large.
    """
    with atomic_paths([final]) as (temporary,):
        yield temporary


@contextmanager
def atomic_directory(final: Path) -> Iterator[Path]:
    """Yield an empty temporary folder in the parent of `final`. On success fsync and rename it.

    Raises:
        OptionError: `final` already exists, or its parent is missing or not writable.
        ResourceError: the disk is full, the quota used up, or a file too large.
    """
    temporary = _temporary_path(final)
    try:
        _refuse_existing(final)
        with _explained(final):
            temporary.mkdir()
        with _explained(final, writing_only=True):
            yield temporary
        with _explained(final):
            _fsync_tree(temporary)
            # rename() would silently replace an empty folder that was created in the meantime.
            _refuse_existing(final)
            temporary.rename(final)
            _fsync(final.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _refuse_existing(final: Path) -> None:
    if os.path.lexists(final):
        raise OptionError(f"{final} exists already. Remove it or choose another output path.")


def _fsync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if not path.is_symlink():
            _fsync(path)
    _fsync(folder)


def write_json(path: Path, content: Any) -> None:
    """Write `content` atomically as UTF-8 JSON with a final newline. Keys keep their order.

    Raises:
        ValueError: a number is NaN or infinite, which JSON can't express.
        OptionError: the folder is missing or not writable.
        ResourceError: the disk is full.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
