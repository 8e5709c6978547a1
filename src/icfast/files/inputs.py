"""Inputs: regular files, opened without waiting and no larger than their kind may be.

A named pipe or a device may block a reader forever, so icfast refuses it before it reads.
"""

from __future__ import annotations

import os
import stat
from io import BufferedReader
from pathlib import Path

from icfast.errors import IcfastError
from icfast.units import format_bytes

#: What a path may be instead of a regular file.
_KINDS = {
    stat.S_IFIFO: "a pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFDIR: "a folder",
}


def kind_of(mode: int) -> str | None:
    """Return what a path is by the mode of its status, None for a regular file."""
    return None if stat.S_ISREG(mode) else _KINDS.get(stat.S_IFMT(mode), "something else")


def open_regular(path: str | Path, error: type[IcfastError]) -> BufferedReader:
    """Open a regular file to read its bytes, without ever waiting for a writer.

    Args:
        path: the file, or a link to it. A link such as /dev/stdin is accepted if it leads to a
            regular file.
        error: class of the error if the path is something else.

    Raises:
        IcfastError: the path is a pipe, a socket, a device or a folder; of class `error`.
        OSError: the file is missing or may not be read.
    """
    _refuse_other_kinds(path, Path(path).stat().st_mode, error)
    # Another program may put a pipe in its place now. Without O_NONBLOCK that open would wait.
    file = open(path, "rb", opener=_open_now)  # noqa: SIM115 - the caller closes it
    try:
        _refuse_other_kinds(path, os.fstat(file.fileno()).st_mode, error)
    except BaseException:
        file.close()
        raise
    return file


def _open_now(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def _refuse_other_kinds(path: str | Path, mode: int, error: type[IcfastError]) -> None:
    kind = kind_of(mode)
    if kind is not None:
        raise error(
            f"{path} is not a regular file but {kind}; icfast reads regular files only. "
            "Write its content to a file and pass that file."
        )


def require_regular(path: str | Path, error: type[IcfastError]) -> None:
    """Refuse what :func:`open_regular` refuses, before another library opens the path by name.

    Raises:
        IcfastError: the path is a pipe, a socket, a device or a folder; of class `error`.
        OSError: the file is missing.
    """
    _refuse_other_kinds(path, Path(path).stat().st_mode, error)


def read_regular(path: str | Path, error: type[IcfastError], most: int) -> bytes:
    """Return the bytes that a regular file has when it is opened.

    Args:
        path: the file.
        error: class of the errors.
        most: maximum size in bytes. A larger file is refused before it is read.

    Raises:
        IcfastError: the path is no regular file, or the file is larger; of class `error`.
        OSError: the file is missing or may not be read.
    """
    with open_regular(path, error) as file:
        size = os.fstat(file.fileno()).st_size
        if size > most:
            raise error(
                f"{path} is too large: it has {format_bytes(size)}, and a file of this kind has "
                f"at most {format_bytes(most)}. Is it another file, or damaged?"
            )
        return file.read(size)
