"""Reasons why a file cannot be written, in plain words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

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
    errno.ELOOP: "its symbolic links form a loop",
}


@contextmanager
def explained(final: Path, *, writing_only: bool = False) -> Iterator[None]:
    """Explain why `final` cannot be written.

    Args:
        final: the path.
        writing_only: whether to explain only a full disk or quota. Other errors in the caller's
            block may concern a file that it reads.

    Raises:
        OptionError: a folder is missing or not writable.
        ResourceError: the disk is full, the quota used up, or a file too large.
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
