"""Inputs: regular files only, opened without waiting, and no larger than their kind may be."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from icfast.errors import ArtefactError, IcfastError
from icfast.files import open_regular, read_regular, require_regular

MAKERS: dict[str, Callable[[Path], object]] = {
    "a pipe": os.mkfifo,
    "a folder": Path.mkdir,
    "a device": lambda path: path.symlink_to("/dev/zero"),
}
READERS: list[Callable[[Path, type[IcfastError]], object]] = [
    open_regular,
    require_regular,
    lambda path, error: read_regular(path, error, 100),
]


@pytest.mark.parametrize("kind", MAKERS)
@pytest.mark.parametrize("read", READERS)
def test_what_is_no_regular_file_is_refused_at_once(
    tmp_path: Path, kind: str, read: Callable[[Path, type[IcfastError]], object]
) -> None:
    path = tmp_path / "x"
    MAKERS[kind](path)
    with pytest.raises(ArtefactError, match=f"x is not a regular file but {kind}"):
        read(path, ArtefactError)


def test_a_socket_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # a socket's path may have about 100 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("x")
        with pytest.raises(ArtefactError, match="x is not a regular file but a socket"):
            open_regular("x", ArtefactError)


def test_a_pipe_that_replaces_the_file_after_the_first_look_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"")
    before = path.stat()
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(Path, "stat", lambda _: before)
    with pytest.raises(ArtefactError, match="not a regular file but a pipe"):
        open_regular(path, ArtefactError)


def test_a_refusal_leaves_no_open_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x")
    with (tmp_path / "y").open("wb") as file:
        next_free = file.fileno()
    with pytest.raises(ArtefactError):
        open_regular(tmp_path / "x", ArtefactError)
    with (tmp_path / "y").open("wb") as file:
        assert file.fileno() == next_free


def test_a_link_to_a_regular_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"abc")
    (tmp_path / "link").symlink_to("x")
    assert read_regular(tmp_path / "link", ArtefactError, 3) == b"abc"


def test_a_file_larger_than_its_kind_may_be_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.touch()
    os.truncate(path, 1 << 40)  # sparse: it takes no space
    with pytest.raises(ArtefactError, match=r"it has 1\.0 TiB, and a file of this kind"):
        read_regular(path, ArtefactError, 1 << 20)


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "x", ArtefactError)
