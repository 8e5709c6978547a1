"""Atomic writes: temporary names, fsync, renames, and a clear message on failure.

After an error, Ctrl-C or a full disk no half-written file remains, neither under its final name nor
under the temporary one.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from icfast.errors import OptionError
from icfast.files.explain import explained
from icfast.files.owners import temporary_path
from icfast.files.publish import discard, publish


def _accept() -> None:
    """Check nothing."""


@contextmanager
def atomic_paths(
    finals: Sequence[Path], *, check: Callable[[], None] = _accept, folders: bool = False
) -> Iterator[tuple[Path, ...]]:
    """Yield one empty temporary file per final path, and publish all of them on success.

    A reader that needs the last path sees the old set, the new set, or no set. If the body removes
    a temporary, its final path does not exist afterwards.

    Args:
        finals: the final paths.
        check: called before the renames. If it raises, nothing is published.
        folders: whether the paths are folders, not files.

    Raises:
        OptionError: a folder is missing or not writable, or a final path is a folder.
        ResourceError: the disk is full, the quota used up, or a file too large.
    """
    finals = [Path(os.path.abspath(final)) for final in finals]  # noqa: PTH100 - links stay
    temporaries = [temporary_path(final) for final in finals]
    try:
        for temporary, final in zip(temporaries, finals, strict=True):
            with explained(final):
                _create(temporary, final, folders)
        with explained(finals[0], writing_only=True):
            yield tuple(temporaries)
        with explained(finals[0]):
            check()
            made = (path if os.path.lexists(path) else None for path in temporaries)
            publish(list(zip(made, finals, strict=True)))
    finally:
        for temporary in temporaries:
            with suppress(OSError):  # a later run removes it
                discard(temporary)


def _create(temporary: Path, final: Path, folder: bool) -> None:
    if folder:
        temporary.mkdir()
        return
    if final.is_dir():
        raise OptionError(f"cannot write {final}: it is a folder. Choose a file name.")
    # Files of the module tempfile are private (0600). Results should follow the umask.
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666))


@contextmanager
def atomic_path(final: Path) -> Iterator[Path]:
    """Yield an empty temporary file in the folder of `final`. On success fsync and rename it.

    Only then an existing `final` is replaced. This is for files that icfast may always replace,
    such as parts of a checkpoint; for outputs of a command see `new_files`.

    Raises:
        OptionError: the folder is missing or not writable, or `final` is a folder.
        ResourceError: the disk is full, the quota used up, or the file too large.
    """
    with atomic_paths([final]) as (temporary,):
        yield temporary


def write_json(path: Path, content: Any) -> None:
    """Write `content` to a temporary as UTF-8 JSON with a final newline. Keys keep their order.

    Raises:
        ValueError: a number is NaN or infinite, which JSON can't express.
    """
    text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)
    path.write_text(text + "\n", encoding="utf-8")
