"""Writing whole files or none: temporary name, fsync, rename, and plain words when it fails.

Whatever happens in the body (an error, Ctrl-C, a full disk), no half-written file stays behind,
neither under its final name nor under the temporary one.
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
    errno.EFBIG: "the file passes the largest size allowed here",
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
    """Say in plain words why `final` cannot be written.

    `writing_only` is for the caller's body, whose other OSErrors may be about what it reads.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise ResourceError(
                f"cannot write {final}: {_FULL[error.errno]}; "
                "free some space or choose another folder (nothing was left half-written)"
            ) from error
        if error.errno in _UNWRITABLE and not writing_only:
            raise OptionError(
                f"cannot write {final}: {_UNWRITABLE[error.errno]}; choose another output path"
            ) from error
        raise


def _temporary_beside(final: Path) -> Path:
    return final.with_name(f".{final.name}.{os.getpid()}-{secrets.token_hex(4)}.partial")


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _create(final: Path) -> Path:
    if final.is_dir():
        raise OptionError(f"cannot write {final}: it is a folder; choose a file name")
    temporary = _temporary_beside(final)
    # Not tempfile: its files are private (0600), results should follow the umask.
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))
    return temporary


def _publish(temporaries: Sequence[Path], finals: Sequence[Path]) -> None:
    """Rename in order; where there are several, a stale last one goes first, so no set is mixed."""
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
    """Yield one empty temporary file per final path; rename all of them on success, in order.

    A reader that looks for the last path first never meets an incomplete set: an earlier file of
    that name is removed before the first rename, the new one comes last.

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
    """Yield an empty temporary file in the folder of `final`; fsync and rename it on success.

    An existing `final` is replaced only then.

    Raises:
        OptionError: the folder is missing or not writable, or `final` is a folder.
        ResourceError: the disk is full, the quota used up, or the file too large.
    """
    with atomic_paths([final]) as (temporary,):
        yield temporary


@contextmanager
def atomic_directory(final: Path) -> Iterator[Path]:
    """Yield an empty temporary folder beside `final`; fsync and rename it on success.

    Raises:
        OptionError: `final` exists already, or its parent is missing or not writable.
        ResourceError: the disk is full, the quota used up, or a file too large.
    """
    temporary = _temporary_beside(final)
    try:
        _refuse_existing(final)
        with _explained(final):
            temporary.mkdir()
        with _explained(final, writing_only=True):
            yield temporary
        with _explained(final):
            _fsync_tree(temporary)
            # rename() would silently replace an empty folder made in the meantime.
            _refuse_existing(final)
            temporary.rename(final)
            _fsync(final.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _refuse_existing(final: Path) -> None:
    if os.path.lexists(final):
        raise OptionError(f"{final} exists already; remove it or choose another output path")


def _fsync_tree(folder: Path) -> None:
    for path in folder.rglob("*"):
        if not path.is_symlink():
            _fsync(path)
    _fsync(folder)


def write_json(path: Path, content: Any) -> None:
    """Write `content` as UTF-8 JSON, keys in their own order, a newline at the end; atomically.

    Raises:
        ValueError: a number is NaN or infinite, which JSON can't say.
        OptionError: the folder is missing or not writable.
        ResourceError: the disk is full.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    with atomic_path(path) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")
