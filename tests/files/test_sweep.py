"""Temporaries of killed runs: named by their owner, and removed by the next run."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from icfast.files import scratch_folder, sweep, unnamed_file
from icfast.files.owners import Owner, read_name, temporary_path


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture(scope="module")
def dead() -> int:
    """The id of a process that has ended."""
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Path]:
    """Make a temporary of another owner."""

    def make(final: Path, kind: str = "partial", **changes: object) -> Path:
        other = replace(Owner.current(), **changes)
        with monkeypatch.context() as patch:
            patch.setattr(Owner, "current", classmethod(lambda cls: other))
            path = temporary_path(final, kind)  # type: ignore[arg-type]
        path.write_bytes(b"1234")
        return path

    return make


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture) -> Iterator[Callable[[], list[str]]]:
    with caplog.at_level(logging.WARNING, "icfast"):
        yield lambda: [record.getMessage() for record in caplog.records]


def test_a_name_tells_its_owner_and_fits_every_file_system(tmp_path: Path) -> None:
    for final in ("m", "é" * 100, "x" * 255, "a.icfast-b", os.fsdecode(b"\xff.bin"), "a\nb"):
        path = temporary_path(tmp_path / final)
        assert read_name(path.name) == (Owner.current(), "partial")
        assert len(os.fsencode(path.name)) <= 143
        path.touch()
    for other in ("m", ".m.partial", ".hidden", ".m.icfast-x-1-2-3-4-12345678.other"):
        assert read_name(other) is None


def test_the_next_run_removes_the_temporaries_of_a_dead_one(
    tmp_path: Path, dead: int, named: Callable[..., Path], lines: Callable[[], list[str]]
) -> None:
    named(tmp_path / "m", pid=dead)
    named(tmp_path / "m", "old", pid=dead)
    folder = temporary_path(tmp_path / "counts")
    folder.mkdir()
    (folder / "windows.run").write_bytes(b"12345678")
    gone = folder.with_name(named(tmp_path / "counts", pid=dead).name)
    gone.unlink()
    folder.rename(gone)
    (tmp_path / ".mine").touch()
    sweep(tmp_path)
    assert names(tmp_path) == [".mine"]
    (line,) = lines()
    assert line.startswith(f"{tmp_path}: removed what killed runs left: .counts.icfast-")
    assert line.endswith("(16 B)")
    sweep(tmp_path)
    assert len(lines()) == 1


def test_what_lives_stays(tmp_path: Path, lines: Callable[[], list[str]]) -> None:
    path = temporary_path(tmp_path / "m")
    path.touch()
    sweep(tmp_path)
    assert names(tmp_path) == [path.name]
    assert lines() == []


def test_a_process_that_got_the_id_of_a_dead_one_does_not_keep_its_files(
    tmp_path: Path, named: Callable[..., Path]
) -> None:
    named(tmp_path / "m", start=Owner.current().start - 1)
    sweep(tmp_path)
    assert names(tmp_path) == []


def test_a_process_that_waits_to_be_reaped_is_dead(
    tmp_path: Path, named: Callable[..., Path]
) -> None:
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    stat = Path(f"/proc/{process.pid}/stat").read_bytes()
    start = int(stat[stat.rindex(b")") + 1 :].split()[19])
    named(tmp_path / "m", pid=process.pid, start=start)
    sweep(tmp_path)
    assert len(names(tmp_path)) == 1
    process.kill()
    while b") Z" not in Path(f"/proc/{process.pid}/stat").read_bytes():
        time.sleep(0.001)
    sweep(tmp_path)
    assert names(tmp_path) == []
    process.communicate()


def test_an_earlier_boot_of_this_host_is_over(tmp_path: Path, named: Callable[..., Path]) -> None:
    named(tmp_path / "m", boot="0123456789ab")
    sweep(tmp_path)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    "other",
    [
        {"host": "node7_01234567", "boot": "0123456789ab"},
        {"space": 7},
        {"space": 7, "boot": "0123456789ab"},
        {"host": "unnamed", "boot": "0123456789ab"},
    ],
)
def test_what_cannot_be_judged_stays_and_is_listed(
    tmp_path: Path,
    dead: int,
    named: Callable[..., Path],
    lines: Callable[[], list[str]],
    other: dict[str, object],
) -> None:
    path = named(tmp_path / "m", pid=dead, **other)
    sweep(tmp_path)
    assert names(tmp_path) == [path.name]
    assert f"left {path.name}, because the process" in lines()[0]


def test_names_of_version_0_1_0(tmp_path: Path, dead: int, lines: Callable[[], list[str]]) -> None:
    old, recent = tmp_path / f".m.{dead}-0123abcd.partial", tmp_path / f".n.{dead}-0123abcd.partial"
    scratch, theirs = tmp_path / ".icfast-abcd_123", tmp_path / "icfast-training"
    for folder, inside in ((scratch, "counts"), (theirs, "mine")):
        folder.mkdir()
        (folder / inside).touch()
    yesterday = time.time() - 90_000
    for path in (old, recent):
        path.touch()
    for path in (old, scratch, scratch / "counts", theirs, theirs / "mine"):
        os.utime(path, (yesterday, yesterday))
    sweep(tmp_path)
    assert names(tmp_path) == [recent.name, theirs.name]
    assert f"left {recent.name}" in lines()[1]
    alive = tmp_path / f".m.{os.getpid()}-0123abcd.partial"
    alive.touch()
    os.utime(alive, (yesterday, yesterday))
    sweep(tmp_path)
    assert alive.exists()


#: Dies when a is new and b is not there.
DYING = """
import os
from pathlib import Path
from icfast.files import Output, new_files
rename = Path.rename
def die_at_b(path, target):
    if target.name == "b" and path.name.endswith(".partial"):
        os._exit(9)
    return rename(path, target)
Path.rename = die_at_b
outputs = [Output(Path(name), "a part", lambda _: True) for name in "ab"]
with new_files(outputs, overwrite=True) as temporaries:
    for temporary in temporaries:
        temporary.write_text("newer")
"""


def test_a_set_that_was_replaced_in_part_is_put_back(
    tmp_path: Path, lines: Callable[[], list[str]]
) -> None:
    finals = [tmp_path / "a", tmp_path / "b"]
    for final in finals:
        final.write_text("older")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-c", DYING]
    assert subprocess.run(command, cwd=tmp_path, env=environment, check=False).returncode == 9
    assert finals[0].read_text() == "newer"
    assert not finals[1].exists()
    sweep(tmp_path)
    assert names(tmp_path) == ["a", "b"]
    assert {final.read_text() for final in finals} == {"older"}
    assert "a killed run had begun to replace a, b; the older files were put back" in lines()[0]


def test_a_journal_cannot_move_the_files_of_others(
    tmp_path: Path, dead: int, named: Callable[..., Path]
) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    journal = named(tmp_path / "set", "journal", pid=dead)
    move = {"final": str(tmp_path / "y"), "temporary": None, "old": str(mine), "identity": None}
    journal.write_text(json.dumps({"journals": [str(journal)], "moves": [move]}))
    sweep(tmp_path)
    assert names(tmp_path) == ["mine"]


def test_scratch_leaves_nothing(tmp_path: Path) -> None:
    with scratch_folder(tmp_path, "counts") as folder:
        (folder / "deep").mkdir()
    with unnamed_file(tmp_path) as file:
        file.write(b"1")
        assert names(tmp_path) == []


def test_a_file_system_without_unnamed_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(os, "O_TMPFILE", raising=False)
    with unnamed_file(tmp_path) as file:
        file.write(b"1")
        assert names(tmp_path) == []
