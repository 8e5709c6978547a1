"""Atomic writes: a complete file or none, after every kind of failure."""

from __future__ import annotations

import errno
import json
import os
import resource
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest

from icfast.errors import OptionError, ResourceError
from icfast.files import Output, atomic_path, new_file, write_json
from icfast.files.atomic import atomic_paths


def new_folder(final: Path) -> AbstractContextManager[Path]:
    return new_file(Output(final, "a table", lambda _: False, folder=True))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@contextmanager
def largest_file(byte_count: int) -> Iterator[None]:
    """Limit the size of files, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (byte_count, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_file_appears_only_when_it_is_complete(tmp_path: Path) -> None:
    final = tmp_path / "x.bin"
    with atomic_path(final) as temporary:
        temporary.write_bytes(b"whole")
        assert temporary.parent == tmp_path
        assert not final.exists()
    assert final.read_bytes() == b"whole"
    assert names(tmp_path) == ["x.bin"]


def test_files_follow_the_umask(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        with atomic_path(tmp_path / "x.json") as temporary:
            write_json(temporary, {})
    finally:
        os.umask(before)
    assert (tmp_path / "x.json").stat().st_mode & 0o777 == 0o640


@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit, ValueError, MemoryError])
@pytest.mark.parametrize("atomic", [atomic_path, new_folder])
def test_nothing_is_left_after_an_error(
    tmp_path: Path,
    error: type[BaseException],
    atomic: Callable[[Path], AbstractContextManager[Path]],
) -> None:
    def interrupted() -> None:
        with atomic(tmp_path / "x") as temporary:
            target = temporary / "inside" if temporary.is_dir() else temporary
            target.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        interrupted()
    assert names(tmp_path) == []


def test_the_old_file_stays_when_its_replacement_fails(tmp_path: Path) -> None:
    final = tmp_path / "x"
    final.write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_path(final) as temporary:
        temporary.write_text(str(1 // 0))
    assert final.read_text() == "old"
    with atomic_path(final) as temporary:
        temporary.write_text("new")
    assert final.read_text() == "new"


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_said_in_plain_words(tmp_path: Path, code: int) -> None:
    with (
        pytest.raises(ResourceError, match=r"cannot write .*x: the disk .*nothing was left"),
        atomic_path(tmp_path / "x"),
    ):
        raise OSError(code, os.strerror(code))
    assert names(tmp_path) == []


def test_a_write_the_system_refuses_leaves_nothing(tmp_path: Path) -> None:
    with (
        largest_file(1000),
        pytest.raises(ResourceError, match="largest size"),
        new_folder(tmp_path / "x") as temporary,
    ):
        (temporary / "y").write_bytes(bytes(5000))
    assert names(tmp_path) == []


def test_errors_of_the_body_about_other_files_pass_through(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_path(tmp_path / "x"):
        (tmp_path / "input").read_bytes()
    assert names(tmp_path) == []


@pytest.mark.parametrize("atomic", [atomic_path, new_folder])
def test_no_folder_to_write_in(
    tmp_path: Path, atomic: Callable[[Path], AbstractContextManager[Path]]
) -> None:
    (tmp_path / "file").touch()
    with (
        pytest.raises(OptionError, match=r"its folder does not exist\. Choose another output"),
        atomic(tmp_path / "none" / "x"),
    ):
        pass
    with pytest.raises(OptionError, match="parent is not a folder"), atomic(tmp_path / "file/x"):
        pass


@pytest.mark.parametrize(
    ("code", "reason"), [(errno.EACCES, "may not be written"), (errno.EROFS, "read-only")]
)
def test_a_folder_that_may_not_be_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, reason: str
) -> None:
    def refuse(*_: object) -> int:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(OptionError, match=reason), atomic_path(tmp_path / "x"):
        pass


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="it is a folder"), atomic_path(tmp_path):
        pass


def test_a_folder_appears_whole_and_never_over_another(tmp_path: Path) -> None:
    final = tmp_path / "x"
    with new_folder(final) as temporary:
        (temporary / "deep").mkdir()
        (temporary / "deep" / "y").write_bytes(b"1")
    assert (final / "deep" / "y").read_bytes() == b"1"
    with pytest.raises(OptionError, match="exists already"), new_folder(final):
        pass
    assert names(tmp_path) == ["x"]


def test_a_folder_made_in_the_meantime_is_kept(tmp_path: Path) -> None:
    with pytest.raises(OptionError, match="exists already"), new_folder(tmp_path / "x"):
        (tmp_path / "x").mkdir()
    assert names(tmp_path) == ["x"]


def test_several_files_come_together_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    finals = [tmp_path / "a", tmp_path / "b"]
    (tmp_path / "b").write_text("older")
    rename = Path.rename

    def fail_at_b(path: Path, target: Path) -> Path:
        if target.name == "b" and path.name.endswith(".partial"):
            raise OSError(errno.ENOSPC, "full")
        if target.name == "a":
            assert not (tmp_path / "b").exists(), "a new a beside an old b"
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fail_at_b)
    with pytest.raises(ResourceError, match="disk is full"), atomic_paths(finals):
        pass
    assert names(tmp_path) == ["b"]
    assert (tmp_path / "b").read_text() == "older"


def test_json_keeps_its_order_and_refuses_nan(tmp_path: Path) -> None:
    path = tmp_path / "x.json"
    write_json(path, {"z": 1, "a": "é"})
    assert path.read_text(encoding="utf-8") == '{\n  "z": 1,\n  "a": "é"\n}\n'
    with pytest.raises(ValueError, match="not JSON compliant"), atomic_path(path) as temporary:
        write_json(temporary, {"z": float("nan")})
    assert json.loads(path.read_bytes())["z"] == 1
    assert names(tmp_path) == ["x.json"]
